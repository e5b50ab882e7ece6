/* See soc_room.h. */
#include "soc_room.h"
#include "server/core/exception.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void soc_open(struct soc *s)
{
    struct hm_error err = {0};
    s->k = (struct hm_core){.c = s->w->c, .tree = hm_tree_new()};
    s->k.in_raw = HM_BUF(HM_CORE_RAW_BYTES);
    s->k.scratch = HM_BUF(HM_CORE_JSON_BYTES);
    s->k.json = HM_BUF(HM_CORE_JSON_BYTES);
    for (int i = 0; i < HM_PEER_COUNT; i++)
        s->k.peers[i].fd = -1;
    assert_int_equal(hm_tree_load(s->k.tree, s->k.c, hm_control_now_ms()), 0);
    if (hm_spread_new(&s->k.spread, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(hm_spread_load(s->k.spread, s->k.c), 0);
    if (hm_consume_open(&s->k, s->w->journal, &err) != 0)
        fail_msg("%s", err.text);
}

void soc_close(struct soc *s)
{
    hm_consume_close(&s->k);
    hm_tree_free(s->k.tree);
    hm_spread_free(s->k.spread);
    hm_exception_set_free(s->k.exceptions);
    hm_buf_done(&s->k.in_raw);
    hm_buf_done(&s->k.scratch);
    hm_buf_done(&s->k.json);
}

int soc_setup(void **state)
{
    struct soc *s = calloc(1, sizeof *s);
    struct hm_enroll_grant g = {.tenant = "default", .group = "office"};
    struct hm_endpoint_new e = {.name = hm_slice_str("pc"), .serial = hm_slice_str("1")};
    s->w = world_new();
    s->f = feed_new(s->w->log, "default", 1);
    memset(e.id, 1, sizeof e.id);
    assert_int_equal(hm_endpoint_add(s->w->c, &g, &e), 0);
    soc_open(s);
    *state = s;
    return 0;
}

int soc_teardown(void **state)
{
    struct soc *s = *state;
    soc_close(s);
    feed_free(s->f);
    world_free(s->w);
    free(s);
    return 0;
}

void soc_consume(struct soc *s)
{
    feed_close_batches(s->f);
    s->k.durable = feed_log_next(s->w->log);
    hm_consume_alerts(&s->k);
    while (hm_consume_context(&s->k))
        ;
}

/* ---- events ---- */
void soc_process(struct hm_event *e, enum hm_action action, uint64_t key, uint64_t parent)
{
    *e = (struct hm_event){0};
    hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_PROCESS);
    hm_event_set_u64(e, HM_F_ACTION, action);
    hm_event_set_u64(e, HM_F_WALL_NS, 1790000000000000000ull + key * 1000);
    hm_event_set_u64(e, HM_F_BOOT_NS, 5000000000ull);
    hm_event_set_u64(e, HM_F_PROCESS_KEY, key);
    hm_event_set_u64(e, HM_F_PROCESS_PID, key + 1);
    hm_event_set_u64(e, HM_F_PARENT_KEY, parent);
    hm_event_set(e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/sh"));
}

void soc_pack(struct hm_buf *list, const struct hm_event *e)
{
    struct hm_buf one = HM_BUF(65536);
    hm_event_encode(e, &one);
    hm_buf_put_varint(list, one.len);
    hm_buf_put(list, one.data, one.len);
    hm_buf_done(&one);
}

void soc_alert_of(struct soc *s, const uint8_t id[16])
{
    struct hm_buf evidence = HM_BUF(1 << 20);
    struct hm_event e, part;
    soc_process(&part, HM_ACTION_PROCESS_EXEC, SHELL, ROOT);
    soc_pack(&evidence, &part);
    soc_pack(&evidence, &part);
    soc_process(&part, HM_ACTION_PROCESS_EXEC, ROOT, PARENT);
    soc_pack(&evidence, &part);
    soc_process(&part, HM_ACTION_PROCESS_SNAPSHOT, PARENT, 0);
    soc_pack(&evidence, &part);
    soc_process(&e, HM_ACTION_FINDING_ALERT, SHELL, ROOT);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_FINDING);
    hm_event_set(&e, HM_F_ALERT_ID, hm_slice(id, 16));
    hm_event_set(&e, HM_F_RULE_ID, hm_slice_str("rule"));
    hm_event_set(&e, HM_F_RULE_TITLE, hm_slice_str("Reverse shell"));
    hm_event_set_u64(&e, HM_F_ALERT_SEVERITY, 5);
    hm_event_set_u64(&e, HM_F_ALERT_TREE_KEY, ROOT);
    hm_event_set(&e, HM_F_ALERT_EVIDENCE, hm_buf_slice(&evidence));
    feed_put(s->f, HM_LANE_ALERT, &e);
    hm_buf_done(&evidence);
}

void soc_alert(struct soc *s, uint8_t id_fill)
{
    uint8_t id[16];
    memset(id, id_fill, sizeof id);
    soc_alert_of(s, id);
}
