/* Owns a kill order between its being begun and done: the engine names the processes, /proc what
 * came since, the sensor's iterator their exact start times. */
#include "agent/monitor/orders_impl.h"
#include "agent/engine/key.h"
#include "agent/sensor/record.h"
#include <errno.h>
#include <stdlib.h>

static void ask(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_msg_who_is q = {
        .id = ++s->who_id, .process_key = s->order.process_key, .tree = s->order.tree};
    s->target_count = 0;
    s->asked_ns = hm_clock_mono_ns();
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_who_is, &q, NULL, 0);
}

static void run(struct hm_monitor *m);

void hm_mon_kill_begin(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    s->targets = calloc(HM_KILL_MAX, sizeof *s->targets);
    s->target_count = 0;
    if (!s->targets) {
        hm_fail(&err, -ENOMEM, "no memory for the kill");
        hm_mon_order_fail(m, &err);
        return;
    }
    s->phase = HM_PHASE_WHO;
    s->deadline_ns = hm_clock_mono_ns() + HM_MON_WHO_IS_NS;
    ask(m);
}

/* A new number for each question: an answer to an earlier one is not mixed in. */
void hm_mon_kill_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    if (s->phase != HM_PHASE_WHO || now_ns - s->asked_ns < HM_MON_WHO_IS_AGAIN_NS)
        return;
    if (now_ns < s->deadline_ns) {
        ask(m);
        return;
    }
    hm_fail(&err, -ETIMEDOUT, "the engine did not say which process that is; nothing was killed");
    hm_mon_order_fail(m, &err);
}

void hm_mon_orders_know(struct hm_monitor *m, const struct hm_msg_know_process *k)
{
    struct hm_orders *s = m->orders;
    if (s->phase != HM_PHASE_WHO || k->id != s->who_id)
        return;
    /* The order is signed, the engine's answer is not: without a tree it is that one process. */
    bool named = s->order.tree == 1 || k->process_key == s->order.process_key;
    if (k->process_key == s->order.process_key && s->target_count == HM_KILL_MAX)
        s->target_count--; /* whom the order names is never the one too many */
    /* Also pid 1 is a target, to be refused as such: else only what is beneath it would be left. */
    if (named && k->pid > 0 && k->pid <= INT32_MAX && k->start_ns &&
        s->target_count < HM_KILL_MAX &&
        k->process_key == hm_process_key(m->boot, (uint32_t)k->pid, k->start_ns))
        s->targets[s->target_count++] =
            (struct hm_kill_target){(pid_t)k->pid, k->start_ns, k->process_key};
    if (!k->more)
        run(m);
}

static bool is_own(void *ctx, pid_t pid)
{
    return hm_mon_is_own(ctx, pid);
}

struct naming {
    struct hm_monitor *m;
    struct hm_kill_target *v;
    size_t n;
};

static int name_one(void *arg, struct hm_slice record)
{
    struct naming *s = arg;
    const struct hm_rec_header *h = (const void *)record.p;
    for (size_t i = 0; record.len >= sizeof *h && i < s->n; i++)
        if (s->v[i].pid == (pid_t)h->tgid && !s->v[i].start_ns) {
            s->v[i].start_ns = h->start_ns;
            s->v[i].key = hm_process_key(s->m->boot, h->tgid, h->start_ns);
        }
    return 0;
}

/* What /proc found has no exact start time yet; the victims are stopped, so one look is enough. */
static void describe(void *ctx, struct hm_kill_target *victims, size_t n)
{
    struct naming s = {ctx, victims, n};
    struct hm_error err = {0};
    bool unnamed = false;
    for (size_t i = 0; i < n; i++)
        unnamed |= !victims[i].start_ns;
    if (unnamed && hm_sensor_snapshot(s.m->sensor, name_one, &s, &err) < 0)
        hm_debug("keys of killed processes are not known: %s", err.text);
}

static void run(struct hm_monitor *m)
{
    struct hm_orders *s = m->orders;
    struct hm_error err = {0};
    struct hm_buf detail hm_auto(hm_buf_done) = HM_BUF(192 * 1024);
    struct hm_kill_options o = {
        .targets = s->targets,
        .count = s->target_count,
        .tree = s->order.tree == 1,
        .scope = s->scope[0] ? s->scope : NULL,
        .is_own = is_own,
        .describe = describe,
        .ctx = m,
    };
    size_t survived = 0;
    s->phase = HM_PHASE_IDLE;
    /* The engine names it last. Whether it may be killed decides about its whole tree. */
    hm_kill_name(s->targets, s->target_count, s->order.process_key);
    int r = hm_kill(&o, &detail, &survived, &err);
    if (r < 0)
        hm_mon_order_fail(m, &err);
    else
        hm_mon_order_end(m, survived ? HM_ORDER_FAILED : HM_ORDER_DONE, hm_buf_slice(&detail));
}
