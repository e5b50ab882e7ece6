/* Owns the life of the role processes and who is paired with whom; refuses to know what they do. */
#include "server/supervisor/children.h"

#include "server/messages.h"
#include "server/supervisor/limits.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
    enum hm_server_role a, b;
} pairs[] = {
    {HM_ROLE_GATEWAY, HM_ROLE_CORE},
    {HM_ROLE_CORE, HM_ROLE_SIGNER},
    {HM_ROLE_API, HM_ROLE_CORE},
    {HM_ROLE_CORE, HM_ROLE_CONTENT},
};
/* Who feeds others stops first, so that what is on its way still arrives. */
static const enum hm_server_role stop_order[] = {HM_ROLE_API, HM_ROLE_GATEWAY, HM_ROLE_CONTENT,
                                                 HM_ROLE_CORE, HM_ROLE_SIGNER};

void hm_children_init(struct hm_children *s, const struct hm_server_config *c)
{
    memset(s, 0, sizeof *s);
    s->config = c;
    s->agents_fd = s->console_fd = -1;
    for (size_t i = 0; i < HM_ROLE_COUNT; i++)
        s->c[i].pidfd = s->c[i].sock = -1;
}

static const char *name_of(enum hm_server_role role)
{
    return hm_server_roles[role].role.name;
}

/* A folder that is not there is handed over as /dev/null: the number of descriptors is fixed. */
static int open_or_null(const char *state, const char *path)
{
    char full[HM_CONFIG_VALUE_MAX * 2];
    snprintf(full, sizeof full, "%s%s%s", state ? state : "", state ? "/" : "", path);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int start_fds(const struct hm_children *s, enum hm_server_role role, int *fds)
{
    const struct hm_server_config *c = s->config;
    int n = 0;

    if (role == HM_ROLE_GATEWAY)
        fds[n++] = fcntl(s->agents_fd, F_DUPFD_CLOEXEC, 0);
    if (role == HM_ROLE_CONTENT) {
        fds[n++] = open_or_null(NULL, c->rules);
        fds[n++] = open_or_null(NULL, c->feeds);
    }
    if (role == HM_ROLE_API) {
        fds[n++] = fcntl(s->console_fd, F_DUPFD_CLOEXEC, 0);
        fds[n++] = open_or_null(c->state, "api/tls.key");
        fds[n++] = open_or_null(c->state, "api/tls.crt");
        fds[n++] = open_or_null(NULL, c->www);
        fds[n++] = open_or_null(NULL, c->packages);
        fds[n++] = open_or_null(NULL, c->rules);
    }
    return n;
}

static int send_start(struct hm_children *s, enum hm_server_role role)
{
    hm_auto(hm_buf_done) struct hm_buf text = HM_BUF(HM_CONFIG_MAX_BYTES);
    int fds[HM_IPC_MAX_FDS], r = -EMFILE, n = start_fds(s, role, fds);

    hm_config_write(s->config, &text);
    struct hm_msg_role_start m = {.config = hm_buf_slice(&text)};
    bool all = !text.error;
    for (int i = 0; i < n; i++)
        all = all && fds[i] >= 0;
    if (all)
        r = hm_ipc_send(s->c[role].sock, &hm_desc_role_start, &m, fds, n);
    for (int i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return r;
}

static int send_peer(struct hm_children *s, enum hm_server_role to, enum hm_server_role peer,
                     int fd)
{
    struct hm_msg_peer m = {.role = hm_slice_str(name_of(peer))};
    return hm_ipc_send(s->c[to].sock, &hm_desc_peer, &m, &fd, 1);
}

static int pair_up(struct hm_children *s, enum hm_server_role role)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(pairs); i++) {
        enum hm_server_role a = pairs[i].a, b = pairs[i].b;
        int fds[2];
        if ((a != role && b != role) || !s->c[a].pid || !s->c[b].pid)
            continue;
        int r = hm_ipc_pair(fds);
        if (r)
            return r;
        r = send_peer(s, a, b, fds[0]);
        if (!r)
            r = send_peer(s, b, a, fds[1]);
        close(fds[0]);
        close(fds[1]);
        if (r)
            return r;
    }
    return 0;
}

static void kill_child(struct hm_child *c)
{
    if (c->pid)
        syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

int hm_children_start(struct hm_children *s, enum hm_server_role role, struct hm_error *err)
{
    struct hm_child *c = &s->c[role];

    int r = hm_role_spawn(&hm_server_roles[role].role, &c->pid, &c->pidfd, &c->sock, err);
    if (r) {
        c->pid = 0;
        return r;
    }
    c->started_ns = hm_clock_mono_ns();
    if ((r = send_start(s, role)) || (r = pair_up(s, role))) {
        kill_child(c); /* its end is seen by the loop like any other */
        return hm_fail(err, r, "cannot hand over to %s: %s", name_of(role), strerror(-r));
    }
    hm_info("%s runs as process %d", name_of(role), (int)c->pid);
    return 0;
}

static void say_end(enum hm_server_role role, const siginfo_t *si)
{
    bool signalled = si->si_code != CLD_EXITED;
    hm_warn("%s ended: %s %d", name_of(role), signalled ? "signal" : "exit code", si->si_status);
}

static void forget(struct hm_child *c)
{
    close(c->pidfd);
    close(c->sock);
    c->pid = 0;
    c->pidfd = c->sock = -1;
}

void hm_children_reap(struct hm_children *s, enum hm_server_role role, uint64_t now_ns)
{
    struct hm_child *c = &s->c[role];
    siginfo_t si = {0};

    if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    say_end(role, &si);
    forget(c);
    bool calm = now_ns - c->started_ns > HM_RESTART_CALM_MS * UINT64_C(1000000);
    c->delay_ms = calm || !c->delay_ms ? HM_RESTART_FIRST_MS : c->delay_ms * 2;
    if (c->delay_ms > HM_RESTART_MAX_MS)
        c->delay_ms = HM_RESTART_MAX_MS;
    c->retry_ns = now_ns + c->delay_ms * UINT64_C(1000000);
    c->restarts++;
}

static void stop_one(struct hm_child *c, enum hm_server_role role)
{
    siginfo_t si = {0};
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

    shutdown(c->sock, SHUT_RDWR); /* end of file on HM_ROLE_FD: stop cleanly */
    if (poll(&p, 1, HM_STOP_GRACE_MS) <= 0) {
        hm_warn("%s did not stop in %d ms and is killed", name_of(role), HM_STOP_GRACE_MS);
        kill_child(c);
    }
    if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED) == 0 &&
        (si.si_code != CLD_EXITED || si.si_status != 0))
        say_end(role, &si);
    forget(c);
}

void hm_children_stop(struct hm_children *s)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(stop_order); i++)
        if (s->c[stop_order[i]].pid)
            stop_one(&s->c[stop_order[i]], stop_order[i]);
}
