/* The role process `core`: consumers of the gateway journal, enrolment, admission, orders.
 * Everything it owns is a file of its own; this is the door the program's main() uses. */
#pragma once

/* Run the role. The socket to the supervisor is HM_ROLE_FD; ROLE_START's config holds "state=DIR".
 * Returns the exit status: 0 when the supervisor closed its end. */
int hm_core_main(int argc, char **argv);
