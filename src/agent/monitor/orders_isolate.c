/* Owns isolation as an order: probed, cut, probed again, kept over restarts, released by order or
 * by itself. "Isolated" is said only when the proof says so; else everything is undone. */
#include "agent/monitor/orders_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME       "isolation"
#define REFRESH_NS (1000000000ull)
#define RETRY_NS   (10ull * 1000000000)

/* ---- the file ---------------------------------------------------------------------------------
 */

static int store(struct hm_monitor *m, const struct hm_isolated *s)
{
    char text[512];
    int n =
        snprintf(text, sizeof text,
                 "release_ms %" PRIu64 "\nserver_ms %" PRIu64 "\nboot_ns %" PRIu64 "\nboot %" PRIu64
                 "\ncounter %" PRIu64 "\naddress %s\nid ",
                 s->release_ms, s->server_ms, s->boot_ns, s->boot, s->counter, s->server_address);
    for (int i = 0; i < 16; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%02x", s->id[i]);
    text[n++] = '\n';
    return hm_file_replace(m->orders->dir_fd, NAME, text, (size_t)n);
}

static int forget(struct hm_monitor *m)
{
    if (unlinkat(m->orders->dir_fd, NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    return fsync(m->orders->dir_fd) < 0 ? -errno : 0;
}

static int parse(const char *text, struct hm_isolated *s)
{
    char id[33];
    if (sscanf(text,
               "release_ms %" SCNu64 " server_ms %" SCNu64 " boot_ns %" SCNu64 " boot %" SCNu64
               " counter %" SCNu64 " address %63s id %32[0-9a-f]",
               &s->release_ms, &s->server_ms, &s->boot_ns, &s->boot, &s->counter, s->server_address,
               id) != 7 ||
        strlen(id) != 32)
        return -EBADMSG;
    for (int i = 0; i < 16; i++) {
        unsigned byte = 0;
        if (sscanf(id + 2 * i, "%2x", &byte) != 1)
            return -EBADMSG;
        s->id[i] = (uint8_t)byte;
    }
    return 0;
}

/* ---- the cut ----------------------------------------------------------------------------------
 */

/* When the server is a name, uplink must be able to ask for it again. */
static size_t add_resolvers(struct hm_isolate_allow *allow, size_t n)
{
    char line[256], address[64];
    FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && fgets(line, sizeof line, f) && n + 2 <= HM_ISOLATE_ALLOW_MAX)
        if (sscanf(line, "nameserver %63s", address) == 1 &&
            hm_isolate_allow_parse(address, 53, IPPROTO_UDP, &allow[n]) == 0 &&
            hm_isolate_allow_parse(address, 53, IPPROTO_TCP, &allow[n + 1]) == 0)
            n += 2;
    if (f)
        fclose(f);
    return n;
}

static int cut(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_orders *s = m->orders;
    struct hm_isolate_allow allow[HM_ISOLATE_ALLOW_MAX];
    char host[256], mount[256];
    uint16_t port;
    hm_autoclose int root = -1;
    if (hm_mon_split_server(m->id.server, host, sizeof host, &port) < 0 ||
        hm_isolate_allow_parse(s->isolated.server_address, port, IPPROTO_TCP, &allow[0]) < 0)
        return hm_fail(err, -EINVAL, "the server's address is not known");
    size_t n = strcmp(host, s->isolated.server_address) == 0 ? 1 : add_resolvers(allow, 1);
    if (m->scope_fd < 0 && hm_cgroup_mount(mount, sizeof mount) == 0)
        root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hm_isolation_options o = {.cgroup_fd = m->scope_fd >= 0 ? m->scope_fd : root,
                                     .allow = allow,
                                     .allow_count = n,
                                     .by_order = true};
    return hm_isolation_apply(&o, &s->isolation, err);
}

static void open_again(struct hm_orders *s)
{
    hm_isolation_release(s->isolation);
    s->isolation = NULL;
}

/* ---- the order --------------------------------------------------------------------------------
 */

static void fail(struct hm_monitor *m, const struct hm_error *err)
{
    open_again(m->orders);
    if (forget(m) < 0)
        hm_err("orders/" NAME " could not be removed");
    hm_mon_order_fail(m, err);
}

/* The isolation of the order under way, beginning now. */
static struct hm_isolated as_ordered(const struct hm_monitor *m)
{
    const struct hm_orders *s = m->orders;
    struct hm_isolated i = s->isolated;
    i.release_ms = s->order.release_ms;
    i.server_ms = hm_mon_order_now_ms(m);
    i.boot_ns = hm_clock_boot_ns();
    i.boot = m->boot;
    i.counter = s->order.counter;
    memcpy(i.id, s->order.id.p, 16);
    return i;
}

void hm_mon_isolate_begin(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    char host[256];
    uint16_t port;
    struct in6_addr any;
    int r = 0;
    if (s->isolation) { /* already: only the time of release may have changed */
        struct hm_isolated next = as_ordered(m);
        s->phase = HM_PHASE_AFTER;
        if ((r = store(m, &next)) == 0)
            s->isolated = next;
    } else {
        memset(&s->isolated, 0, sizeof s->isolated);
        s->probe_count = 0;
        s->restore_wanted = false;
        if (hm_mon_split_server(m->id.server, host, sizeof host, &port) == 0 &&
            strlen(host) < sizeof s->isolated.server_address &&
            (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1))
            memcpy(s->isolated.server_address, host, strlen(host) + 1);
        s->phase = HM_PHASE_BEFORE;
    }
    if (r < 0)
        hm_fail(&err, r, "isolation goes on, but its new end could not be written to disk");
    if (r < 0 || hm_mon_probe_start(m, &err) < 0)
        s->phase == HM_PHASE_AFTER ? hm_mon_order_fail(m, &err) : fail(m, &err);
}

static void after_before(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    /* On disk first: before 6.6 the filters outlive us, and a cut nobody knows of stays for ever.
     */
    s->isolated = as_ordered(m);
    int r = store(m, &s->isolated);
    if (r < 0)
        hm_fail(&err, r, "isolation could not be written to disk");
    else
        r = cut(m, &err);
    s->phase = HM_PHASE_AFTER;
    if (r == 0)
        r = hm_mon_probe_start(m, &err);
    if (r < 0)
        fail(m, &err);
}

struct proof {
    bool server, closed, meaningful; /* meaningful: something that was open before is closed now */
};

static struct proof prove(const struct hm_orders *s)
{
    struct proof p = {false, true, false};
    for (size_t i = 0; i < s->probe_count; i++) {
        const struct hm_probe *q = &s->probes[i];
        if (!q->asked)
            continue;
        if (q->expect_open)
            p.server = q->now_known && q->now;
        else {
            p.closed &= q->now_known && !q->now;
            p.meaningful |= q->before_known && q->before && q->now_known && !q->now;
        }
    }
    return p;
}

static void describe(const struct hm_monitor *m, const struct proof *p, struct hm_buf *b)
{
    const struct hm_orders *s = m->orders;
    hm_buf_printf(b, "{\"isolated\":%s", s->isolation ? "true" : "false");
    if (s->isolation) {
        hm_buf_puts(b, ",\"layers\":");
        hm_isolation_layers(s->isolation, b);
        hm_buf_printf(b, ",\"proven\":%s,\"until_ms\":%llu", p->meaningful ? "true" : "false",
                      (unsigned long long)s->isolated.release_ms);
    }
    hm_buf_puts(b, ",\"probes\":");
    hm_mon_probe_json(s, b);
}

static void end_isolate(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct proof p = prove(s);
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(16 * 1024);
    bool good = p.server && p.closed;
    if (!good) {
        open_again(s);
        if (forget(m) < 0)
            hm_err("orders/" NAME " could not be removed");
    }
    describe(m, &p, &b);
    if (!good)
        hm_buf_printf(&b, ",\"error\":\"%s; the cut was undone\"",
                      p.server ? "something outside could still be reached"
                               : "the server could not be reached any more");
    hm_buf_puts(&b, "}");
    hm_mon_order_end(m, good ? HM_ORDER_DONE : HM_ORDER_FAILED, hm_buf_slice(&b));
}

void hm_mon_release_begin(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    bool was = s->isolation || s->restore_wanted;
    s->restore_wanted = false;
    int r = forget(m);
    open_again(s);
    if (r < 0) {
        hm_fail(&err, r, "the network is open, but orders/" NAME " could not be removed");
        hm_mon_order_fail(m, &err);
        return;
    }
    if (!was) {
        hm_mon_order_end(m, HM_ORDER_DONE,
                         hm_slice_str("{\"isolated\":false,\"was_isolated\":false,\"probes\":[]}"));
        return;
    }
    s->phase = HM_PHASE_RELEASE;
    if (hm_mon_probe_start(m, &err) < 0)
        hm_mon_order_fail(m, &err);
}

/* Open again means: what was open before is open now. */
static void end_release(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct proof p = {0};
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(16 * 1024);
    for (size_t i = 0; i < s->probe_count; i++)
        s->probes[i].expect_open |= s->probes[i].before_known && s->probes[i].before;
    describe(m, &p, &b);
    hm_buf_puts(&b, ",\"was_isolated\":true}");
    hm_mon_order_end(m, HM_ORDER_DONE, hm_buf_slice(&b));
}

static void end_restored(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct proof p = prove(s);
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(16 * 1024);
    s->phase = HM_PHASE_IDLE;
    describe(m, &p, &b);
    hm_buf_puts(&b, ",\"restored\":true}");
    hm_buf_put_u8(&b, 0);
    if (!b.error)
        hm_mon_journal_text(m, HM_ACTION_AGENT_SELFTEST, "monitor", (const char *)b.data);
}

/* Results of a probe, or nothing: it died. */
void hm_mon_isolation_probed(struct hm_monitor *m, struct hm_slice results)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    if (s->phase < HM_PHASE_BEFORE)
        return; /* its end, after its answer */
    if (m->child[HM_AGENT_PROBE].pid && !m->child[HM_AGENT_PROBE].stopping) {
        /* it has answered: the next one starts when this one is gone */
        hm_mon_probe_take(s, results, s->phase == HM_PHASE_BEFORE);
        return;
    }
    switch (s->phase) {
    case HM_PHASE_BEFORE:
        if (!s->isolated.server_address[0]) {
            hm_fail(&err, -EHOSTUNREACH, "the server's name could not be resolved");
            fail(m, &err);
        } else
            after_before(m);
        break;
    case HM_PHASE_AFTER:
        end_isolate(m);
        break;
    case HM_PHASE_RELEASE:
        end_release(m);
        break;
    default:
        end_restored(m);
    }
}

/* ---- over restarts, and its end ---------------------------------------------------------------
 */

static void restore(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    s->retry_ns = hm_clock_mono_ns();
    if (cut(m, &err) < 0) {
        hm_err("isolation could not be put back, it is tried again: %s", err.text);
        return;
    }
    s->restore_wanted = false;
    s->phase = HM_PHASE_RESTORED; /* the tick proves it when the children are there */
    hm_warn("this endpoint is isolated: put back after a restart");
}

int hm_mon_isolation_load(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_orders *s = m->orders;
    char text[512];
    hm_autoclose int fd = openat(s->dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (n <= 0 || !m->enrolled)
        return 0;
    text[n] = 0;
    if (parse(text, &s->isolated) < 0)
        return hm_fail(err, -EBADMSG,
                       "orders/" NAME " is damaged; remove it to start without isolation");
    s->restore_wanted = true;
    restore(m);
    return 0;
}

/* By signed time and the boot clock. After a restart the file carries it on; after a reboot as if
 * none of it had been spent switched off: never too early, and without a server not never. */
static uint64_t now_ms(const struct hm_monitor *m)
{
    const struct hm_isolated *s = &m->orders->isolated;
    uint64_t now = hm_mon_order_now_ms(m);
    if (!now && s->server_ms)
        now = s->server_ms + (hm_clock_boot_ns() - (s->boot == m->boot ? s->boot_ns : 0)) / 1000000;
    return now;
}

static void expire(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_event e;
    hm_info("isolation ends by itself: its time is over");
    if (forget(m) < 0)
        hm_err("orders/" NAME " could not be removed");
    open_again(s);
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_ORDER);
    hm_event_set_u64(&e, HM_F_ORDER_KIND, HM_ORDER_RELEASE);
    hm_event_set_u64(&e, HM_F_ORDER_STATE, HM_ORDER_DONE);
    hm_event_set_u64(&e, HM_F_ORDER_COUNTER, s->isolated.counter);
    hm_event_set(&e, HM_F_ORDER_ID, hm_slice(s->isolated.id, 16));
    hm_event_set(&e, HM_F_ORDER_DETAIL,
                 hm_slice_str("{\"isolated\":false,\"expired\":true,\"probes\":[]}"));
    hm_mon_journal(m, &e, HM_LANE_ALERT);
}

void hm_mon_isolation_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    if (s->restore_wanted && s->phase == HM_PHASE_IDLE && now_ns - s->retry_ns > RETRY_NS)
        restore(m);
    if (s->phase == HM_PHASE_RESTORED && !m->child[HM_AGENT_PROBE].pid &&
        m->child[HM_AGENT_ENGINE].pid && hm_mon_probe_start(m, &err) < 0)
        s->phase = HM_PHASE_IDLE;
    if (!s->isolation || now_ns - s->refresh_ns < REFRESH_NS)
        return;
    s->refresh_ns = now_ns;
    if (hm_isolation_refresh(s->isolation, &err) < 0)
        hm_err("a new interface is not isolated: %s", err.text);
    uint64_t now = now_ms(m);
    if (s->isolated.release_ms && now >= s->isolated.release_ms && s->phase == HM_PHASE_IDLE)
        expire(m);
}
