/* How a role begins: configuration and descriptors from the supervisor, then down from root.
 * Refuses to know what any role does afterwards. */
#include "server/messages.h"
#include "server/roles.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

static int receive_start(struct hm_buf *buf, struct hm_ipc_msg *ret_msg)
{
    for (;;) {
        struct pollfd p = {.fd = HM_ROLE_FD, .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
        int r = hm_ipc_recv(HM_ROLE_FD, buf, ret_msg);
        if (r != 0)
            return r < 0 ? r : 0;
    }
}

static int take_start(const struct hm_ipc_msg *m, struct hm_role_boot *boot, struct hm_error *err)
{
    struct hm_msg_role_start s;

    if (m->number != HM_MSG_ROLE_START || hm_msg_decode(&hm_desc_role_start, m->payload, &s))
        return hm_fail(err, -EBADMSG, "the first message is not a ROLE_START");
    hm_config_defaults(&boot->config);
    int r = hm_config_parse(s.config, &boot->config, err);
    if (r)
        return r;
    boot->fd_count = m->fd_count;
    memcpy(boot->fds, m->fds, sizeof boot->fds);
    return 0;
}

int hm_role_begin(enum hm_server_role role, struct hm_role_boot *ret_boot, struct hm_error *err)
{
    hm_auto(hm_buf_done) struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m = {0};

    hm_log_init(hm_server_roles[role].role.name, STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole group: the supervisor alone decides */
    int r = receive_start(&buf, &m);
    if (r)
        return hm_fail(err, r, "no ROLE_START: %s", strerror(-r));
    if ((r = take_start(&m, ret_boot, err)))
        return r;
    umask(007); /* the group of a folder decides who else reads: roles.h */
    return hm_role_drop(&hm_server_roles[role].role, err);
}
