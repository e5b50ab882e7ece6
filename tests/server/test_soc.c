/* The consumers on the loop: alerts with their trees, outcomes of orders, health; each record may
 * be seen twice, and one that crashes is set aside. Real journal, real database, no sockets. */
#include "soc_room.h"
#include "base/clock.h"
#include "server/core/core.h"
#include "server/core/crash.h"
#include "wire/order.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- events ---- */
static void bulk(struct soc *s, enum hm_action action, uint64_t key, uint64_t parent)
{
    struct hm_event e;
    soc_process(&e, action, key, parent);
    feed_put(s->f, HM_LANE_BULK, &e);
}

static void connect_of(struct soc *s, uint64_t key)
{
    static const uint8_t ip[4] = {198, 51, 100, 7};
    struct hm_event e;
    soc_process(&e, HM_ACTION_NETWORK_CONNECT, key, 0);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_NETWORK);
    hm_event_set(&e, HM_F_DST_IP, hm_slice(ip, sizeof ip));
    feed_put(s->f, HM_LANE_BULK, &e);
}

/* ---- what is in the database ---- */
struct tree {
    struct hm_alert_node n[64];
    size_t count;
    uint64_t events, dropped_nodes;
};

static int take_node(void *ctx, const struct hm_alert_node *n)
{
    struct tree *t = ctx;
    if (t->count < HM_ARRAY_LEN(t->n))
        t->n[t->count] = *n;
    t->count++;
    return 0;
}

static int take_event(void *ctx, const struct hm_alert_event *e)
{
    ((struct tree *)ctx)->events++;
    return 0;
}

static int take_alert(void *ctx, const struct hm_alert_row *r)
{
    ((struct tree *)ctx)->dropped_nodes = r->nodes_dropped;
    return 0;
}

static void read_tree(struct soc *s, uint8_t id_fill, struct tree *t)
{
    uint8_t id[16];
    memset(id, id_fill, sizeof id);
    *t = (struct tree){0};
    assert_int_equal(hm_alert_get(s->k.c, "default", id, take_alert, t), 0);
    assert_int_equal(hm_alert_nodes(s->k.c, "default", id, take_node, t), 0);
    assert_int_equal(hm_alert_events(s->k.c, "default", id, 0, take_event, t), 0);
}

static const struct hm_alert_node *node(const struct tree *t, uint64_t key)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->n[i].key == key)
            return &t->n[i];
    return NULL;
}

/* ---- tests ---- */
static void test_an_alert_brings_its_ancestors_and_goes_on_living(void **state)
{
    struct soc *s = *state;
    struct tree t;
    soc_alert(s, 9);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_int_equal(t.count, 3);
    assert_int_equal(node(&t, PARENT)->ancestor, 1);
    assert_int_equal(node(&t, ROOT)->ancestor, 0);
    assert_true(node(&t, SHELL)->marked);
    bulk(s, HM_ACTION_PROCESS_FORK, 0x300, SHELL);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x300, SHELL);
    connect_of(s, 0x300);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x400, 0x300);
    bulk(s, HM_ACTION_PROCESS_EXIT, 0x400, 0x300);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x500, PARENT); /* a sibling of the root: not of the tree */
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x600, 0x999);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_int_equal(t.count, 5);
    assert_int_equal(t.events, 5);
    assert_true(node(&t, 0x300)->alive);
    assert_false(node(&t, 0x400)->alive);
    assert_null(node(&t, 0x500));
}

static void test_what_happened_before_the_alert_is_looked_up(void **state)
{
    struct soc *s = *state;
    struct tree t;
    bulk(s, HM_ACTION_PROCESS_EXEC, ROOT, PARENT);
    connect_of(s, ROOT);
    bulk(s, HM_ACTION_PROCESS_EXEC, SHELL, ROOT);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x300, SHELL);
    soc_consume(s); /* the bulk lane is ahead of the alert */
    soc_alert(s, 9);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_int_equal(t.count, 4);
    assert_non_null(node(&t, 0x300));
    assert_int_equal(t.events, 4);
}

static void test_a_journal_read_twice_changes_nothing(void **state)
{
    struct soc *s = *state;
    struct tree before, after;
    struct hm_overview o;
    soc_alert(s, 9);
    soc_alert(s, 8);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x300, SHELL);
    connect_of(s, 0x300);
    soc_consume(s);
    read_tree(s, 9, &before);
    assert_int_equal(hm_cursor_put(s->k.c, "alerts", 0), 0);
    soc_close(s);
    soc_open(s); /* as after a kill before the commit */
    s->k.context_next = 0;
    soc_consume(s);
    read_tree(s, 9, &after);
    assert_int_equal(after.count, before.count);
    assert_int_equal(after.events, before.events);
    assert_int_equal(hm_control_overview(s->k.c, "default", hm_control_now_ms(), &o), 0);
    assert_int_equal(o.alerts_open, 2);
    assert_int_equal(o.alerts_by_severity[5], 2);
}

static void test_trees_go_on_after_a_restart(void **state)
{
    struct soc *s = *state;
    struct tree t;
    soc_alert(s, 9);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x300, SHELL);
    soc_consume(s);
    soc_close(s);
    soc_open(s);
    bulk(s, HM_ACTION_PROCESS_EXEC, 0x400, 0x300);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_non_null(node(&t, 0x400));
}

static void test_another_endpoint_with_the_same_keys_is_another_world(void **state)
{
    struct soc *s = *state;
    struct feed *other = feed_new(s->w->log, "default", 2);
    struct hm_event e;
    struct tree t;
    soc_alert(s, 9);
    soc_process(&e, HM_ACTION_PROCESS_EXEC, 0x300, SHELL);
    feed_put(other, HM_LANE_BULK, &e);
    feed_close_batches(other);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_int_equal(t.count, 3);
    feed_free(other);
}

static void test_alerts_without_end_leave_the_others_trees_alive(void **state)
{
    struct soc *s = *state;
    struct feed *own = s->f, *noisy = feed_new(s->w->log, "default", 2);
    uint8_t id[16] = {0};
    struct tree t;
    soc_alert(s, 9);
    soc_consume(s);
    s->f = noisy;
    for (unsigned i = 0; i < HM_TREE_ALERTS + 10; i++) {
        memcpy(id, &i, sizeof i);
        soc_alert_of(s, id);
    }
    soc_consume(s);
    s->f = own;
    for (unsigned round = 0; round < 2; round++) {
        bulk(s, HM_ACTION_PROCESS_EXEC, 0x300u + round, SHELL);
        soc_consume(s);
        read_tree(s, 9, &t);
        assert_int_equal(t.count, 4 + round);
        soc_close(s); /* and so it is after a restart */
        soc_open(s);
    }
    feed_free(noisy);
}

static void test_a_tree_has_a_ceiling_and_says_so(void **state)
{
    struct soc *s = *state;
    struct tree t;
    soc_alert(s, 9);
    for (uint64_t i = 0; i < HM_TREE_NODES + 100; i++)
        bulk(s, HM_ACTION_PROCESS_EXEC, 0x10000 + i, SHELL);
    soc_consume(s);
    read_tree(s, 9, &t);
    assert_true(t.count <= HM_TREE_NODES + 1); /* and the ancestor */
    assert_true(t.dropped_nodes >= 100);
}

static void test_alerts_do_not_wait_for_the_bulk_lane(void **state)
{
    struct soc *s = *state;
    struct hm_overview o;
    feed_many(s->f, 100000);
    soc_alert(s, 9);
    feed_close_batches(s->f);
    s->k.durable = feed_log_next(s->w->log);
    uint64_t begun = hm_clock_mono_ns();
    hm_consume_alerts(&s->k);
    uint64_t took = (hm_clock_mono_ns() - begun) / 1000000;
    assert_int_equal(hm_control_overview(s->k.c, "default", hm_control_now_ms(), &o), 0);
    assert_int_equal(o.alerts_open, 1);
    assert_int_equal(s->k.context_next, 0);
    print_message("behind 100,000 events: %llu ms\n", (unsigned long long)took);
    assert_true(took < 1000);
}

static int take_endpoint(void *ctx, const struct hm_endpoint_row *r)
{
    struct hm_endpoint_row *o = ctx;
    *o = *r;
    o->isolation = strdup(r->isolation);
    o->isolation_probes = r->isolation_probes ? strdup(r->isolation_probes) : NULL;
    o->sensors = r->sensors ? strdup(r->sensors) : NULL;
    return 0;
}

static void read_endpoint(struct soc *s, struct hm_endpoint_row *r)
{
    assert_int_equal(hm_endpoint_get(s->k.c, "default", feed_endpoint(s->f), take_endpoint, r), 0);
}

static void free_endpoint(struct hm_endpoint_row *r)
{
    free((char *)r->isolation);
    free((char *)r->isolation_probes);
    free((char *)r->sensors);
}

static void agent_event(struct soc *s, enum hm_action action, enum hm_field f, const char *text)
{
    struct hm_event e = {0};
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(&e, HM_F_ACTION, action);
    hm_event_set(&e, f, hm_slice_str(text));
    feed_put(s->f, HM_LANE_BULK, &e);
}

static void test_sensors_losses_and_counters_reach_the_endpoint(void **state)
{
    struct soc *s = *state;
    struct hm_endpoint_row r;
    struct hm_overview o;
    struct hm_event e = {0};
    agent_event(s, HM_ACTION_AGENT_SENSORS, HM_F_AGENT_DETAIL, "{\"tier\":1}");
    agent_event(s, HM_ACTION_AGENT_SENSORS, HM_F_AGENT_DETAIL, "not json"); /* ignored */
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_LOSS);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_LOSS_SENSOR);
    hm_event_set_u64(&e, HM_F_LOSS_COUNT, 12);
    feed_put(s->f, HM_LANE_BULK, &e);
    soc_consume(s);
    read_endpoint(s, &r);
    assert_string_equal(r.sensors, "{\"tier\":1}");
    assert_int_equal(r.losses, 12);
    assert_int_equal(r.events, 3);
    free_endpoint(&r);
    assert_int_equal(hm_control_overview(s->k.c, "default", hm_control_now_ms(), &o), 0);
    assert_int_equal(o.events_total, 3);
    assert_int_equal(o.events_last_hour, 3);
}

static void outcome(struct soc *s, const uint8_t id[16], uint64_t kind, uint64_t st,
                    const char *detail)
{
    struct hm_event e = {0};
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_ORDER);
    hm_event_set(&e, HM_F_ORDER_ID, hm_slice(id, 16));
    hm_event_set_u64(&e, HM_F_ORDER_KIND, kind);
    hm_event_set_u64(&e, HM_F_ORDER_STATE, st);
    hm_event_set(&e, HM_F_ORDER_DETAIL, hm_slice_str(detail));
    feed_put(s->f, HM_LANE_ALERT, &e);
}

static int take_order(void *ctx, const struct hm_order_row *r)
{
    snprintf(ctx, 16, "%s", r->state);
    return 0;
}

static void test_an_order_ends_as_the_endpoint_says(void **state)
{
    struct soc *s = *state;
    struct hm_order_new o = {
        .kind = "isolate", .endpoint = feed_endpoint(s->f), .reason = "r", .actor = "a"};
    uint8_t id[16];
    char st[16];
    struct hm_endpoint_row r;
    struct hm_order_filter by_id = {.id = id};
    assert_int_equal(hm_order_create(s->k.c, "default", &o, id), 0);
    outcome(s, id, HM_ORDER_ISOLATE, HM_ORDER_BEGUN, "");
    outcome(s, id, HM_ORDER_ISOLATE, HM_ORDER_DONE,
            "{\"isolated\":true,\"probes\":[{\"name\":\"server\"}]}");
    outcome(s, id, HM_ORDER_ISOLATE, HM_ORDER_REFUSED,
            "{\"error\":\"replayed\"}"); /* a second copy */
    soc_consume(s);
    assert_int_equal(hm_order_list(s->k.c, "default", &by_id, take_order, st), 0);
    assert_string_equal(st, "done");
    read_endpoint(s, &r);
    assert_string_equal(r.isolation, "isolated");
    assert_string_equal(r.isolation_probes, "[{\"name\":\"server\"}]");
    assert_true(r.isolation_until_ms > hm_control_now_ms());
    free_endpoint(&r);
    uint8_t by_itself[16] = {0};
    outcome(s, by_itself, HM_ORDER_RELEASE, HM_ORDER_DONE, "{\"isolated\":false,\"probes\":[]}");
    soc_consume(s);
    read_endpoint(s, &r);
    assert_string_equal(r.isolation, "none");
    free_endpoint(&r);
}

/* Whoever learns an order's id is still not the endpoint it was for. */
static void test_an_order_ends_by_its_own_endpoint_alone(void **state)
{
    struct soc *s = *state;
    struct feed *own = s->f, *other = feed_new(s->w->log, "default", 2);
    struct hm_order_new o = {
        .kind = "isolate", .endpoint = feed_endpoint(own), .reason = "r", .actor = "a"};
    struct hm_enroll_grant g = {.tenant = "default", .group = "office"};
    struct hm_endpoint_new e = {.name = hm_slice_str("other"), .serial = hm_slice_str("2")};
    uint8_t id[16];
    char st[16];
    struct hm_order_filter by_id = {.id = id};
    memset(e.id, 2, sizeof e.id);
    assert_int_equal(hm_endpoint_add(s->w->c, &g, &e), 0);
    assert_int_equal(hm_order_create(s->k.c, "default", &o, id), 0);
    s->f = other;
    outcome(s, id, HM_ORDER_ISOLATE, HM_ORDER_DONE, "{\"isolated\":true}");
    soc_consume(s);
    s->f = own;
    assert_int_equal(hm_order_list(s->k.c, "default", &by_id, take_order, st), 0);
    assert_string_equal(st, "requested");
    outcome(s, id, HM_ORDER_ISOLATE, HM_ORDER_DONE, "{\"isolated\":true}");
    soc_consume(s);
    assert_int_equal(hm_order_list(s->k.c, "default", &by_id, take_order, st), 0);
    assert_string_equal(st, "done");
    feed_free(other);
}

static void no_alert(void *ctx, const char *consumer, uint64_t record)
{
    ++*(int *)ctx;
}

/* Die while working on a record, as a consumer would. */
static void crash_once(struct soc *s, uint64_t record)
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/core", s->w->dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(STDERR_FILENO);
        if (hm_crash_watch(folder, NULL))
            _exit(1);
        hm_crash_working("alerts", record);
        abort();
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_a_record_that_crashes_twice_is_set_aside(void **state)
{
    struct soc *s = *state;
    struct hm_overview o;
    char folder[96];
    int told = 0;
    snprintf(folder, sizeof folder, "%s/core", s->w->dir);
    soc_alert(s, 9);
    soc_alert(s, 8);
    crash_once(s, 0);
    assert_int_equal(hm_crash_recover(folder, s->k.c, no_alert, &told), 0);
    assert_int_equal(told, 0); /* once may be bad luck */
    crash_once(s, 0);
    assert_int_equal(hm_crash_recover(folder, s->k.c, no_alert, &told), 0);
    assert_int_equal(told, 1);
    assert_int_equal(hm_crash_recover(folder, s->k.c, no_alert, &told), 0);
    assert_int_equal(told, 1); /* told once */
    soc_consume(s);
    assert_int_equal(hm_control_overview(s->k.c, "default", hm_control_now_ms(), &o), 0);
    assert_int_equal(o.alerts_open, 1); /* the other one went on */
}

static uint64_t store_cursor(struct soc *s)
{
    struct hm_completeness k;
    assert_int_equal(hm_control_completeness(s->k.c, "default", &k), 0);
    return k.store_next;
}

/* The store on its own thread, beside the loop's connection: what was called durable is stored,
 * what was not is left alone, and stopping waits for nothing. */
static void test_the_store_works_on_its_own_thread(void **state)
{
    struct soc *s = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/gateway", s->w->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/gateway/journal", s->w->dir);
    assert_int_equal(symlink("../journal", path), 0);
    feed_many(s->f, 5000);
    feed_close_batches(s->f);
    uint64_t durable = feed_log_next(s->w->log);
    feed_many(s->f, 1000);
    feed_close_batches(s->f); /* appended, not called durable */
    struct hm_store_thread *t = hm_store_thread_start(s->w->dir);
    assert_non_null(t);
    hm_store_thread_poke(t, durable, false);
    for (int i = 0; i < 300 && store_cursor(s) < durable; i++) {
        hm_consume_alerts(&s->k); /* the loop goes on meanwhile */
        usleep(100000);
    }
    assert_int_equal(store_cursor(s), durable);
    hm_store_thread_poke(t, durable, true);
    hm_store_thread_stop(t);
    assert_int_equal(store_cursor(s), durable);
}

/* ---- the same alert on several endpoints ---- */
#define T(name) cmocka_unit_test_setup_teardown(name, soc_setup, soc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_alert_brings_its_ancestors_and_goes_on_living),
        T(test_what_happened_before_the_alert_is_looked_up),
        T(test_a_journal_read_twice_changes_nothing),
        T(test_trees_go_on_after_a_restart),
        T(test_another_endpoint_with_the_same_keys_is_another_world),
        T(test_alerts_without_end_leave_the_others_trees_alive),
        T(test_a_tree_has_a_ceiling_and_says_so),
        T(test_alerts_do_not_wait_for_the_bulk_lane),
        T(test_sensors_losses_and_counters_reach_the_endpoint),
        T(test_an_order_ends_as_the_endpoint_says),
        T(test_an_order_ends_by_its_own_endpoint_alone),
        T(test_a_record_that_crashes_twice_is_set_aside),
        T(test_the_store_works_on_its_own_thread),
    };
    return cmocka_run_group_tests_name("soc", tests, NULL, NULL);
}
