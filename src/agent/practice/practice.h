/* The practice world: a second endpoint that may be attacked, killed in, isolated and released,
 * made of namespaces and a cgroup of its own. Everything goes away when it ends. */
#pragma once

int hm_practice_command(int argc, char **argv);
/* `-p relay|attacker|keeper …`: the world's small helpers, re-executed. Returns the exit code. */
int hm_practice_role(int argc, char **argv);
