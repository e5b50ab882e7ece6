/* The server's roles: one table for the supervisor that starts them, the role that begins, and
 * whoever needs the uid of another's folder. */
#pragma once
#include "proc/proc.h"
#include "server/config.h"

enum hm_server_role {
    HM_ROLE_GATEWAY,
    HM_ROLE_CORE,
    HM_ROLE_API,
    HM_ROLE_SIGNER,
    HM_ROLE_CONTENT,
    HM_ROLE_HUNT,
    HM_ROLE_COUNT
};

struct hm_server_role_info {
    struct hm_role role;
    int (*main)(int argc, char **argv);
    bool supervised; /* hunt is started by api, a worker a query */
};
extern const struct hm_server_role_info hm_server_roles[HM_ROLE_COUNT];

/* core and api share this group: they read the gateway's journal and both open the control
 * database. The gateway and the signer are not in it. */
#define HM_SERVER_GROUP          "_hinomi-server"
#define HM_SERVER_GROUP_FALLBACK 64320

int hm_gateway_main(int argc, char **argv);
int hm_core_main(int argc, char **argv);
int hm_api_main(int argc, char **argv);
int hm_signer_main(int argc, char **argv);
int hm_content_main(int argc, char **argv);
int hm_hunt_main(int argc, char **argv);

/* What a role gets first. fds: gateway, api: the listening socket; core, signer: none. */
struct hm_role_boot {
    struct hm_server_config config;
    int fds[HM_IPC_MAX_FDS];
    int fd_count;
};
/* In a role process: log, wait for ROLE_START on HM_ROLE_FD, drop to the role's uid. PEER messages
 * follow on HM_ROLE_FD at any time; its end means: stop cleanly.
 * Errors:  -ECONNRESET supervisor gone; -EBADMSG; what hm_role_drop() says. */
int hm_role_begin(enum hm_server_role role, struct hm_role_boot *ret_boot,
                  struct hm_error *err) HM_CHECK;
