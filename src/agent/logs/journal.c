/* `hinomi-agent -p journal`: becomes journalctl, without privilege but for the group that may read
 * the systemd journal. What it writes goes into a pipe that the engine reads; this process itself
 * reads no line. On machines without log files only. */
#include "agent/messages.h"
#include "agent/roles.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define START_WAIT_MS 30000

static int wait_start(int *ret_fd, struct hm_error *err)
{
    struct hm_buf in hm_auto(hm_buf_done) = HM_BUF(HM_IPC_MAX_BYTES);
    struct pollfd p = {.fd = HM_ROLE_FD, .events = POLLIN};
    struct hm_ipc_msg m = {0};
    if (poll(&p, 1, START_WAIT_MS) != 1 || hm_ipc_recv(HM_ROLE_FD, &in, &m) != 1)
        return hm_fail(err, -ETIMEDOUT, "no start message");
    if (m.number != HM_MSG_JOURNAL_START || m.fd_count != 1)
        return hm_fail(err, -EBADMSG, "the first message is no start");
    *ret_fd = m.fds[0];
    return 0;
}

/* Only what the engine uses, and only what comes from now on. */
static int become(int out, struct hm_error *err)
{
    static char *const argv[] = {"journalctl",
                                 "--output=export",
                                 "--follow",
                                 "--lines=0",
                                 "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM",
                                 NULL};
    static char *const env[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
        return hm_fail(err, -errno, "descriptors: %s", strerror(errno));
    execve("/usr/bin/journalctl", argv, env);
    return hm_fail(err, -errno, "journalctl: %s", strerror(errno));
}

int hm_journal_main(void)
{
    struct hm_error err = {0};
    int out = -1, r = wait_start(&out, &err);
    if (r == 0)
        r = hm_role_drop(&hm_agent_roles[HM_AGENT_JOURNAL], &err);
    if (r == 0)
        r = hm_sandbox_syscalls(true, &err);
    if (r == 0)
        r = become(out, &err);
    hm_err("%s", err.text);
    return 1;
}
