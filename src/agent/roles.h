/* The agent's processes beside monitor, and the uid of each. A folder per role holds its main. */
#pragma once
#include "proc/proc.h"

enum hm_agent_role {
    HM_AGENT_ENGINE,
    HM_AGENT_INSPECT,
    HM_AGENT_UPLINK,
    HM_AGENT_PROBE,
    HM_AGENT_JOURNAL,
    HM_AGENT_ROLES
};
extern const struct hm_role hm_agent_roles[HM_AGENT_ROLES];

/* What a role does once it was re-executed as `-p NAME`: receives its start message on HM_ROLE_FD,
 * opens, drops, serves until the socket closes. Returns the exit code; 0 when told to stop. */
int hm_engine_main(void);
int hm_inspect_main(void);
int hm_uplink_main(void);
int hm_journal_main(void); /* becomes journalctl, whose output the engine reads */
int hm_probe_main(void);   /* short-lived: tries connections for isolation's proof */
