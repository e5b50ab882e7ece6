/* Owns the way of an order: checked, its counter begun on disk, carried out, done on disk, told.
 * Refuses to know how a process is killed or a network cut: orders_kill.c, orders_isolate.c. */
#include "agent/monitor/orders_impl.h"
#include "agent/practice/drill.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_NS (3600ull * 1000000000)

uint64_t hm_mon_order_now_ms(const struct hm_monitor *m)
{
    return hm_signed_time_ms(&m->orders->time, hm_clock_boot_ns());
}

/* ---- telling ----------------------------------------------------------------------------------
 */

static void tell(struct hm_monitor *m, const struct hm_msg_order *o, uint64_t state,
                 struct hm_slice detail)
{
    struct hm_event e;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_ORDER);
    hm_event_set_u64(&e, HM_F_ORDER_STATE, state);
    if (o) {
        hm_event_set(&e, HM_F_ORDER_ID, o->id);
        hm_event_set_u64(&e, HM_F_ORDER_COUNTER, o->counter);
        hm_event_set_u64(&e, HM_F_ORDER_KIND, o->kind);
        if (o->process_key)
            hm_event_set_u64(&e, HM_F_TARGET_KEY, o->process_key);
    }
    if (detail.len)
        hm_event_set(&e, HM_F_ORDER_DETAIL, detail);
    hm_mon_journal(m, &e, HM_LANE_ALERT);
}

static void error_json(struct hm_buf *b, const char *text, uint64_t count)
{
    hm_buf_puts(b, "{\"error\":\"");
    hm_json_escape(hm_slice_str(text), b);
    hm_buf_printf(b, "\",\"refused_so_far\":%llu}", (unsigned long long)count);
}

/* Counted always, told a few times an hour: whoever floods us must not fill the journal. A refused
 * order's id is spoken of only when it is genuine, else a forger could end somebody else's order.
 */
static void refuse(struct hm_monitor *m, const struct hm_msg_order *o,
                   const struct hm_order_verdict *v)
{
    struct hm_orders *s = m->orders;
    uint64_t now = hm_clock_mono_ns();
    s->refused++;
    if (now - s->refusals_hour_ns > HOUR_NS) {
        s->refusals_hour_ns = now;
        s->refusals_told = 0;
    }
    if (++s->refusals_told > HM_MON_REFUSALS_TOLD)
        return;
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(4096);
    error_json(&b, v->reason, s->refused);
    hm_warn("an order was refused: %s", v->reason);
    tell(m, v->genuine ? o : NULL, v->state, hm_buf_slice(&b));
}

/* ---- the order under way ----------------------------------------------------------------------
 */

static void next_order(struct hm_monitor *m);

void hm_mon_order_end(struct hm_monitor *m, uint64_t state, struct hm_slice detail)
{
    struct hm_orders *s = m->orders;
    int r = hm_counter_done(&s->counter);
    if (r < 0)
        hm_err("orders/counter could not be written: %s", strerror(-r));
    s->phase = HM_PHASE_IDLE;
    s->done += state == HM_ORDER_DONE;
    s->failed += state == HM_ORDER_FAILED;
    hm_info("order %llu (%s) is %s", (unsigned long long)s->order.counter,
            hm_order_by_kind(s->order.kind)->name, hm_order_state_name(state));
    tell(m, &s->order, state, detail);
    free(s->targets);
    s->targets = NULL;
    s->target_count = 0;
}

void hm_mon_order_fail(struct hm_monitor *m, const struct hm_error *err)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(4096);
    hm_buf_puts(&b, "{\"error\":\"");
    hm_json_escape(hm_slice_str(err->text), &b);
    hm_buf_puts(&b, "\"}");
    hm_mon_order_end(m, HM_ORDER_FAILED, hm_buf_slice(&b));
}

static pid_t *free_drill(struct hm_orders *s)
{
    for (size_t i = 0; i < HM_MON_DRILLS_MAX; i++)
        if (!s->drills[i])
            return &s->drills[i];
    return NULL;
}

static void reap_drills(struct hm_orders *s)
{
    for (size_t i = 0; i < HM_MON_DRILLS_MAX; i++)
        if (s->drills[i] && waitpid(s->drills[i], NULL, WNOHANG) != 0)
            s->drills[i] = 0;
}

static void drill_begin(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    pid_t *slot = free_drill(s), pid = 0;
    if (m->scope_fd < 0)
        hm_fail(&err, -EPERM, "a drill needs a scope; this agent watches a whole machine");
    else if (!slot)
        hm_fail(&err, -EBUSY, "%d drills run already", HM_MON_DRILLS_MAX);
    else if (hm_drill_start(m->scope_fd, s->order.drill, &pid, &err) == 0) {
        *slot = pid;
        struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(4096);
        hm_buf_puts(&b, "{\"drill\":\"");
        hm_json_escape(s->order.drill, &b);
        hm_buf_printf(&b, "\",\"started\":true,\"pid\":%d}", (int)pid);
        hm_mon_order_end(m, HM_ORDER_DONE, hm_buf_slice(&b));
        return;
    }
    hm_mon_order_fail(m, &err);
}

static void carry_out(struct hm_monitor *m)
{
    static void (*const begin[])(struct hm_monitor *) = {
        [HM_ORDER_KILL] = hm_mon_kill_begin,
        [HM_ORDER_ISOLATE] = hm_mon_isolate_begin,
        [HM_ORDER_RELEASE] = hm_mon_release_begin,
        [HM_ORDER_DRILL] = drill_begin,
    };
    struct hm_orders *s = m->orders;
    s->phase = HM_PHASE_IDLE;
    tell(m, &s->order, HM_ORDER_BEGUN, hm_slice(NULL, 0));
    begin[s->order.kind](m);
}

static struct hm_order_judge judge_now(const struct hm_monitor *m)
{
    return (struct hm_order_judge){
        .order_key = m->trust.order_key,
        .endpoint = m->id.endpoint,
        .key_sha256 = m->key_sha256,
        .tenant = hm_slice_str(m->id.tenant),
        .begun = m->orders->counter.begun,
        .server_ms = hm_mon_order_now_ms(m),
        .practice = m->id.practice,
        .blocked = m->orders->blocked,
    };
}

static void try_order(struct hm_monitor *m, struct hm_slice stmt)
{
    struct hm_orders *s = m->orders;
    hm_buf_clear(&s->stmt);
    hm_buf_put(&s->stmt, stmt.p, stmt.len);
    if (s->stmt.error)
        return;
    struct hm_order_judge j = judge_now(m);
    struct hm_order_verdict v = hm_order_verify(&j, hm_buf_slice(&s->stmt), &s->order);
    int r =
        v.state ? 0 : hm_counter_begin(&s->counter, s->order.counter, s->order.kind, s->order.id.p);
    if (r < 0)
        v = (struct hm_order_verdict){HM_ORDER_REFUSED, "its counter could not be written to disk",
                                      true};
    if (v.state)
        refuse(m, &s->order, &v);
    else
        carry_out(m);
}

static void next_order(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    while (s->phase == HM_PHASE_IDLE && s->queued) {
        struct hm_buf first = s->queue[0];
        memmove(s->queue, s->queue + 1, --s->queued * sizeof first);
        try_order(m, hm_buf_slice(&first));
        hm_buf_done(&first);
    }
}

void hm_mon_orders_got(struct hm_monitor *m, struct hm_slice order)
{
    struct hm_orders *s = m->orders;
    s->got++;
    if (s->queued == HM_MON_ORDERS_MAX) {
        struct hm_order_verdict v = {HM_ORDER_REFUSED, "too many orders wait", false};
        refuse(m, NULL, &v);
        return;
    }
    struct hm_buf copy = HM_BUF(64 * 1024);
    hm_buf_put(&copy, order.p, order.len);
    if (copy.error)
        hm_buf_done(&copy);
    else
        s->queue[s->queued++] = copy;
    next_order(m);
}

/* ---- time and link ----------------------------------------------------------------------------
 */

static void send_nonce(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    uint8_t nonce[16];
    s->nonce_ns = hm_clock_mono_ns();
    if (hm_signed_time_nonce(&s->time, hm_clock_boot_ns(), nonce) < 0) {
        hm_err("no randomness for a nonce: the server's time cannot be checked");
        return;
    }
    struct hm_msg_nonce n = {.nonce = hm_slice(nonce, sizeof nonce)};
    hm_mon_send(m, HM_AGENT_UPLINK, &hm_desc_nonce, &n, NULL, 0);
}

void hm_mon_orders_greet(struct hm_monitor *m)
{
    send_nonce(m);
}

void hm_mon_orders_time(struct hm_monitor *m, struct hm_slice stmt)
{
    struct hm_orders *s = m->orders;
    bool first = s->time.server_ms == 0;
    int r = hm_signed_time_accept(&s->time, m->trust.time_key, m->id.endpoint, stmt,
                                  hm_clock_boot_ns());
    if (r < 0)
        hm_warn("a statement of time was refused: %s", strerror(-r));
    else if (first)
        hm_debug("the server's time is known");
    send_nonce(m);
    next_order(m);
}

void hm_mon_orders_link(struct hm_monitor *m, bool up)
{
    if (m->link_up == up)
        return;
    m->link_up = up;
    hm_info(up ? "connected to %s" : "no connection to %s; recording goes on", m->id.server);
    if (!up)
        send_nonce(m);
    hm_mon_status_write(m);
}

void hm_mon_orders_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_orders *s = m->orders;
    if (m->child[HM_AGENT_UPLINK].pid && !m->link_up &&
        now_ns - s->nonce_ns > HM_MON_NONCE_RENEW_NS)
        send_nonce(m);
    hm_mon_kill_tick(m, now_ns);
    hm_mon_isolation_tick(m, now_ns);
    reap_drills(s);
    next_order(m);
}

void hm_mon_orders_probed(struct hm_monitor *m, struct hm_slice results)
{
    hm_mon_isolation_probed(m, results);
    next_order(m);
}

/* ---- life -------------------------------------------------------------------------------------
 */

/* The agent ended between begun and done. Isolation is finished or undone by its own file; of a
 * kill or a drill nobody knows how far it came, and saying so is the honest answer. */
static void tell_interrupted(struct hm_monitor *m)
{
    struct hm_counter *c = &m->orders->counter;
    static const char text[] =
        "{\"error\":\"the agent ended while it carried this out; how far it came is not known\"}";
    if (c->begun == c->done)
        return;
    struct hm_msg_order o = {.id = hm_slice(c->id, 16), .counter = c->begun, .kind = c->kind};
    hm_warn("order %llu was interrupted by the agent's end", (unsigned long long)c->begun);
    tell(m, &o, HM_ORDER_FAILED, hm_slice_str(text));
    if (hm_counter_done(c) < 0)
        hm_err("orders/counter could not be written");
}

static int open_folder(struct hm_monitor *m, struct hm_error *err)
{
    if (mkdirat(m->state_fd, "orders", 0700) < 0 && errno != EEXIST)
        return hm_fail(err, -errno, "cannot make the folder orders");
    m->orders->dir_fd =
        openat(m->state_fd, "orders", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return m->orders->dir_fd < 0 ? hm_fail(err, -errno, "cannot open the folder orders") : 0;
}

int hm_mon_orders_open(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_error damage = {0};
    m->orders = calloc(1, sizeof *m->orders);
    if (!m->orders)
        return hm_fail(err, -ENOMEM, "no memory for orders");
    m->orders->dir_fd = -1;
    m->orders->stmt = HM_BUF(64 * 1024);
    int r = open_folder(m, err);
    if (r < 0)
        return r;
    if (m->o->scope &&
        hm_cgroup_relative(m->o->scope, m->orders->scope, sizeof m->orders->scope) < 0)
        return hm_fail(err, -EINVAL, "%s is not a cgroup v2 folder", m->o->scope);
    r = hm_counter_open(m->orders->dir_fd, &m->orders->counter, &damage);
    if (r < 0) {
        hm_err("%s", damage.text);
        m->orders->blocked = "the counter of orders on this endpoint is damaged";
    }
    r = hm_mon_isolation_load(m, err);
    if (r == 0 && !m->orders->blocked)
        tell_interrupted(m);
    return r;
}

void hm_mon_orders_close(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    if (!s)
        return;
    hm_isolation_release(s->isolation); /* its file stays: it is put back at the next start */
    for (size_t i = 0; i < s->queued; i++)
        hm_buf_done(&s->queue[i]);
    hm_buf_done(&s->stmt);
    free(s->targets);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    free(s);
    m->orders = NULL;
}

void hm_mon_orders_report(struct hm_monitor *m, struct hm_buf *out)
{
    const struct hm_orders *s = m->orders;
    hm_buf_printf(out,
                  ",\"orders\":{\"got\":%llu,\"done\":%llu,\"failed\":%llu,\"refused\":%llu,"
                  "\"counter\":%llu},"
                  "\"isolated\":%s,\"isolated_until_ms\":%llu,\"dropped_packets\":%llu,\"server_"
                  "time_ms\":%llu",
                  (unsigned long long)s->got, (unsigned long long)s->done,
                  (unsigned long long)s->failed, (unsigned long long)s->refused,
                  (unsigned long long)s->counter.begun, s->isolation ? "true" : "false",
                  (unsigned long long)(s->isolation ? s->isolated.release_ms : 0),
                  (unsigned long long)(s->isolation ? hm_isolation_dropped(s->isolation) : 0),
                  (unsigned long long)hm_mon_order_now_ms(m));
}
