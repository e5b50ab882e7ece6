/* Commands of `hinomi-agent` that have no folder of their own. Each returns the exit code. */
#pragma once

#define HM_STATE_DEFAULT "/var/lib/hinomi/agent"

int hm_status_command(int argc, char **argv);
int hm_agent_usage(void); /* prints the table of commands; returns 2 */
