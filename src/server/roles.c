/* The one table of the server's roles. */
#include "server/roles.h"

#define USER(name, uid) .role = {name, "_hinomi-" name, uid, 0, NULL}
#define SHARED(name, uid)                                                                          \
    .role = {name, "_hinomi-" name, uid, HM_SERVER_GROUP_FALLBACK, HM_SERVER_GROUP}

const struct hm_server_role_info hm_server_roles[HM_ROLE_COUNT] = {
    [HM_ROLE_GATEWAY] = {USER("gateway", 64321), hm_gateway_main, true},
    [HM_ROLE_CORE] = {SHARED("core", 64322), hm_core_main, true},
    [HM_ROLE_API] = {SHARED("api", 64323), hm_api_main, true},
    [HM_ROLE_SIGNER] = {USER("signer", 64324), hm_signer_main, true},
    [HM_ROLE_CONTENT] = {USER("content", 64326), hm_content_main, true},
    /* hunt keeps api's uid: it is handed open files and locks itself in (hunt/worker.c). */
    [HM_ROLE_HUNT] = {SHARED("hunt", 64325), hm_hunt_main, false},
};
