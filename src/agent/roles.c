/* Owns the table of roles: names and uids. The package creates the users; without it the numbers
 * are used when nobody else has them. */
#include "agent/roles.h"

const struct hm_role hm_agent_roles[HM_AGENT_ROLES] = {
    [HM_AGENT_ENGINE] = {"engine", "_hinomi-engine", 64201},
    [HM_AGENT_INSPECT] = {"inspect", "_hinomi-inspect", 64202},
    [HM_AGENT_UPLINK] = {"uplink", "_hinomi-uplink", 64203},
    [HM_AGENT_PROBE] = {"probe", "_hinomi-probe", 64204},
    [HM_AGENT_JOURNAL] = {"journal", "_hinomi-journal", 64205, .group = "systemd-journal"},
};
