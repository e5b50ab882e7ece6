/* The table of roles for test programs that run the gateway and the signer alone: the same code,
 * re-executed from the test's own image. */
#include "server/roles.h"

static int absent(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 2;
}

const struct hm_server_role_info hm_server_roles[HM_ROLE_COUNT] = {
    [HM_ROLE_GATEWAY] = {{"gateway", "_hinomi-gateway", 64321, 0, NULL}, hm_gateway_main, true},
    [HM_ROLE_CORE] = {{"core", "_hinomi-core", 64322, HM_SERVER_GROUP_FALLBACK, HM_SERVER_GROUP},
                      absent,
                      true},
    [HM_ROLE_API] = {{"api", "_hinomi-api", 64323, HM_SERVER_GROUP_FALLBACK, HM_SERVER_GROUP},
                     absent,
                     true},
    [HM_ROLE_SIGNER] = {{"signer", "_hinomi-signer", 64324, 0, NULL}, hm_signer_main, true},
    [HM_ROLE_CONTENT] = {{"content", "_hinomi-content", 64326, 0, NULL}, absent, true},
    [HM_ROLE_HUNT] = {{"hunt", "_hinomi-hunt", 64325, HM_SERVER_GROUP_FALLBACK, HM_SERVER_GROUP},
                      absent,
                      false},
};
