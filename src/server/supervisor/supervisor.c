/* The root process: one loop over the ends of its children and two signals. Owns when roles start
 * and stop; reads no byte from the network. */
#include "server/supervisor/supervisor.h"

#include "server/init.h"
#include "server/state.h"
#include "server/supervisor/children.h"
#include "server/supervisor/listen.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <sys/signalfd.h>

static const enum hm_server_role start_order[] = {HM_ROLE_SIGNER, HM_ROLE_CONTENT, HM_ROLE_CORE,
                                                  HM_ROLE_GATEWAY, HM_ROLE_API};
#define STARTED HM_ARRAY_LEN(start_order)

static int open_signals(int *ret_fd)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? -errno : 0;
}

/* Start what is down and may be started; returns ms until the next retry, -1 for none. */
static int start_due(struct hm_children *s, uint64_t now_ns)
{
    int wait_ms = -1;

    for (size_t i = 0; i < STARTED; i++) {
        struct hm_child *c = &s->c[start_order[i]];
        struct hm_error err = {0};
        if (c->pid)
            continue;
        if (c->retry_ns <= now_ns && hm_children_start(s, start_order[i], &err)) {
            hm_err("%s", err.text);
            c->retry_ns = now_ns + UINT64_C(1000000000);
        }
        if (!c->pid) {
            int ms = (int)((c->retry_ns - now_ns) / 1000000) + 1;
            wait_ms = wait_ms < 0 || ms < wait_ms ? ms : wait_ms;
        }
    }
    return wait_ms;
}

static void watch(struct hm_children *s, int signals)
{
    for (;;) {
        struct pollfd p[1 + STARTED] = {{.fd = signals, .events = POLLIN}};
        int wait_ms = start_due(s, hm_clock_mono_ns());
        for (size_t i = 0; i < STARTED; i++)
            p[1 + i] = (struct pollfd){.fd = s->c[start_order[i]].pidfd, .events = POLLIN};
        if (poll(p, 1 + STARTED, wait_ms) < 0 && errno != EINTR)
            return;
        if (p[0].revents)
            return;
        for (size_t i = 0; i < STARTED; i++)
            if (p[1 + i].fd >= 0 && p[1 + i].revents)
                hm_children_reap(s, start_order[i], hm_clock_mono_ns());
    }
}

int hm_supervisor_run(const struct hm_server_config *c, struct hm_error *err)
{
    hm_autoclose int lock = -1;
    hm_autoclose int signals = -1;
    hm_autoclose int agents = -1;
    hm_autoclose int console = -1;
    struct hm_children s;
    char path[HM_CONFIG_VALUE_MAX + 32];

    snprintf(path, sizeof path, "%s/core/control.db", c->state);
    if (access(path, F_OK) < 0)
        return hm_fail(err, -ENOENT, "%s: run `hinomi-server init` first", c->state);
    int r = hm_state_lock(c->state, &lock, err);
    if (!r)
        r = hm_server_keys_complete(c, err);
    if (!r)
        r = hm_state_prepare(c->state, err);
    if (!r)
        r = hm_listen_open(c->agents_listen, &agents, err);
    if (!r)
        r = hm_listen_open(c->console_listen, &console, err);
    if (!r)
        r = open_signals(&signals);
    if (r)
        return r;
    hm_children_init(&s, c);
    s.agents_fd = agents;
    s.console_fd = console;
    hm_info("agents on %s, console on %s, state in %s", c->agents_listen, c->console_listen,
            c->state);
    watch(&s, signals);
    hm_info("stopping");
    hm_children_stop(&s);
    return 0;
}
