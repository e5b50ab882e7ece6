/* The two consumers on the loop. `alerts` opens only the alert lane: it is through within
 * milliseconds whatever the bulk lane brings. `context` opens the bulk lane in slices: trees of
 * young alerts, sensors, losses, counters. Each has its cursor, moved with what it did. */
#include "server/core/core.h"
#include "server/core/crash.h"
#include "server/core/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define ALERTS         "alerts"
#define CONTEXT        "context"
#define ALERTS_AT_ONCE 4096 /* records skimmed in one transaction */
#define DAMAGES_MAX    1000 /* damaged places stepped over at once */
#define COUNTERS_MAX   4096 /* endpoints in one slice */

static int each_event(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    (void)canonical;
    return hm_soc_event(ctx, e);
}

static int open_item(struct hm_core *k, uint64_t number, struct hm_slice data,
                     struct hm_soc_item *it, struct hm_slice *ret_batch)
{
    struct hm_gateway_record rec = {0};
    *it = (struct hm_soc_item){.k = k, .record = number};
    int r = hm_gateway_record_parse(data, &rec);
    if (!r)
        r = hm_batch_head(rec.batch, &it->head, NULL);
    if (r)
        return r;
    memcpy(it->tenant, rec.tenant.p, rec.tenant.len);
    it->tenant[rec.tenant.len] = 0;
    memcpy(it->endpoint, rec.endpoint, HM_ID_BYTES);
    it->received_ns = rec.received_ns;
    it->host_name = rec.host_name;
    *ret_batch = rec.batch;
    return 0;
}

/* What a machine may lack for a while is waited for. Anything else lies in the record and will not
 * get better: it is set aside, the rest goes on. */
static int judge(struct hm_core *k, const char *consumer, uint64_t number, int r)
{
    static const int transient[] = {0, -EBUSY, -ENOSPC, -ENOMEM, -EIO, -ECANCELED};
    for (size_t i = 0; i < HM_ARRAY_LEN(transient); i++)
        if (r == transient[i])
            return r;
    hm_err("%s: record %" PRIu64 " is set aside: %s", consumer, number, strerror(-r));
    return hm_set_aside(k->c, consumer, number, strerror(-r));
}

static int open_batch(struct hm_core *k, const char *consumer, struct hm_soc_item *it,
                      struct hm_slice batch)
{
    int r = hm_set_aside_has(k->c, consumer, it->record);
    if (r)
        return r < 0 ? r : 0;
    hm_crash_working(consumer, it->record);
    r = hm_batch_each(batch, &k->in_raw, each_event, it);
    hm_crash_working(NULL, 0);
    return r;
}

/* ---- alerts ---- */
static int alert_record(struct hm_core *k, uint64_t number, struct hm_slice data)
{
    struct hm_soc_item it;
    struct hm_slice batch;
    int r = open_item(k, number, data, &it, &batch);
    if (!r && it.head.lane == HM_LANE_ALERT)
        r = open_batch(k, ALERTS, &it, batch);
    if (!r && it.losses) {
        struct hm_endpoint_seen s = {.at_ms = it.received_ns / 1000000, .losses = it.losses};
        r = hm_endpoint_count(k->c, it.tenant, it.endpoint, &s);
        r = r == -ENOENT ? 0 : r;
    }
    return judge(k, ALERTS, number, r);
}

/* 1: one record done, 0: the end, or a negative errno. */
static int next_of(struct hm_log_reader *reader, uint64_t limit, uint64_t *next,
                   const char *consumer, struct hm_slice *ret_data, uint64_t *ret_number)
{
    if (*next >= limit)
        return 0;
    int r = hm_log_reader_next(reader, ret_number, ret_data);
    for (int i = 0; r == -EBADMSG && i < DAMAGES_MAX; i++) { /* the reader stands after each */
        hm_err("%s: the gateway journal is damaged after record %" PRIu64, consumer, *next);
        r = hm_log_reader_next(reader, ret_number, ret_data);
    }
    if (r == 1)
        *next = *ret_number + 1;
    return r;
}

static int alerts_some(struct hm_core *k)
{
    struct hm_slice data = {0};
    uint64_t number;
    int r = 1;
    for (int n = 0; r == 1 && n < ALERTS_AT_ONCE; n++) {
        r = next_of(k->alerts_reader, k->durable, &k->alerts_next, ALERTS, &data, &number);
        if (r == 1) {
            int e = alert_record(k, number, data);
            if (e)
                return e;
        }
    }
    if (r >= 0) {
        int e = hm_spread_save(k->spread, k->c);
        if (!e)
            e = hm_cursor_put(k->c, ALERTS, k->alerts_next);
        return e ? e : r;
    }
    return r;
}

static void again(struct hm_core *k, const char *consumer, struct hm_log_reader *reader,
                  uint64_t *next, int r)
{
    hm_err("%s: %s; it tries again", consumer, strerror(-r));
    k->changes.n = 0;
    if (hm_cursor_get(k->c, consumer, next) == 0) {
        r = hm_log_reader_seek(reader, *next);
        if (r && r != -ENOENT)
            hm_err("%s: cannot go back: %s", consumer, strerror(-r));
    }
}

void hm_consume_alerts(struct hm_core *k)
{
    int r = 1;
    while (r == 1 && k->alerts_next < k->durable) {
        r = hm_control_begin(k->c);
        if (!r)
            r = hm_control_end(k->c, alerts_some(k));
        if (r >= 0)
            hm_changes_send(k);
    }
    if (r < 0) {
        again(k, ALERTS, k->alerts_reader, &k->alerts_next, r);
        r = hm_spread_load(k->spread, k->c);
        if (r)
            hm_err("windows over several endpoints: %s", strerror(-r));
    }
}

/* ---- context ---- */
struct counter { /* of one endpoint in this slice */
    char tenant[HM_TENANT_MAX];
    uint8_t endpoint[HM_ID_BYTES];
    uint64_t at_ms, events, losses;
};

static int count(struct hm_map *counters, const struct hm_soc_item *it)
{
    struct counter *n = hm_map_put(counters, hm_hash64(it->endpoint, HM_ID_BYTES, 0), NULL);
    if (!n)
        return -ENOSPC; /* too many endpoints in one slice: it ends here */
    snprintf(n->tenant, sizeof n->tenant, "%s", it->tenant);
    memcpy(n->endpoint, it->endpoint, HM_ID_BYTES);
    n->at_ms = it->received_ns / 1000000;
    n->events += it->head.count;
    n->losses += it->losses;
    return hm_minute_add(it->k->c, it->tenant, n->at_ms / 60000, it->head.count);
}

static int write_counters(struct hm_core *k, const struct hm_map *counters)
{
    struct counter *n;
    size_t pos = 0;
    uint64_t key;
    int r = 0;
    while ((r == 0 || r == -ENOENT) && (n = hm_map_next(counters, &pos, &key))) {
        struct hm_endpoint_seen s = {n->at_ms, n->events, n->losses};
        r = hm_endpoint_count(k->c, n->tenant, n->endpoint, &s);
    }
    return r == -ENOENT ? 0 : r; /* an endpoint without a row: its events are kept all the same */
}

static int context_record(struct hm_core *k, uint64_t number, struct hm_slice data,
                          struct hm_map *counters)
{
    struct hm_soc_item it;
    struct hm_slice batch;
    int r = open_item(k, number, data, &it, &batch);
    if (!r && it.head.lane == HM_LANE_BULK)
        r = open_batch(k, CONTEXT, &it, batch);
    return r ? judge(k, CONTEXT, number, r) : count(counters, &it);
}

static int context_some(struct hm_core *k, struct hm_map *counters)
{
    uint64_t until = hm_clock_mono_ns() + HM_CORE_SLICE_MS * 1000000ull, number;
    struct hm_slice data = {0};
    int r = 1;
    while (r == 1 && hm_clock_mono_ns() < until && hm_map_count(counters) < COUNTERS_MAX - 1) {
        r = next_of(k->context_reader, k->durable, &k->context_next, CONTEXT, &data, &number);
        if (r == 1) {
            int e = context_record(k, number, data, counters);
            if (e)
                return e;
        }
    }
    int e = r < 0 ? r : write_counters(k, counters);
    if (!e)
        e = hm_tree_flush(k->tree, k->c);
    if (!e)
        e = hm_cursor_put(k->c, CONTEXT, k->context_next);
    return e ? e : r;
}

bool hm_consume_context(struct hm_core *k)
{
    if (k->context_next >= k->durable)
        return false;
    struct hm_map *counters = hm_map_new(sizeof(struct counter), COUNTERS_MAX);
    int r = counters ? hm_control_begin(k->c) : -ENOMEM;
    if (!r)
        r = hm_control_end(k->c, context_some(k, counters));
    hm_map_free(counters);
    if (r < 0)
        again(k, CONTEXT, k->context_reader, &k->context_next, r);
    else
        hm_changes_send(k);
    return r == 1;
}

/* ---- what happened before a new alert ---- */
/* The bulk lane may have been ahead of the alert: look back, a bounded way, for what the processes
 * of its tree did. */
static int collect_back(struct hm_core *k, const struct hm_soc_item *alert, uint64_t from,
                        uint64_t numbers[HM_TREE_BACK_OWN], size_t *ret_n)
{
    struct hm_soc_item it;
    struct hm_slice data = {0}, batch = {0};
    uint64_t number;
    size_t n = 0;
    int r = hm_log_reader_seek(k->back_reader, from);
    if (r && r != -ENOENT)
        return r;
    for (int i = 0; i < HM_TREE_BACK; i++) {
        r = hm_log_reader_next(k->back_reader, &number, &data);
        if (r == -EBADMSG)
            continue;
        if (r <= 0 || number >= k->context_next)
            break;
        if (open_item(k, number, data, &it, &batch) || it.head.lane != HM_LANE_BULK ||
            memcmp(it.endpoint, alert->endpoint, HM_ID_BYTES) != 0)
            continue;
        numbers[n++ % HM_TREE_BACK_OWN] = number;
    }
    *ret_n = n;
    return r < 0 && r != -EBADMSG ? r : 0;
}

static int open_back(struct hm_core *k, const uint8_t *alert, uint64_t number)
{
    struct hm_soc_item it;
    struct hm_slice data = {0}, batch = {0};
    uint64_t got = 0;
    hm_auto(hm_buf_done) struct hm_buf raw = HM_BUF(HM_CORE_RAW_BYTES);
    int r = hm_log_reader_seek(k->back_reader, number);
    if (!r)
        r = hm_log_reader_next(k->back_reader, &got, &data);
    if (r <= 0 || got != number || open_item(k, number, data, &it, &batch))
        return r < 0 && r != -EBADMSG && r != -ENOENT ? r : 0;
    it.only_alert = alert;
    r = hm_batch_each(batch, &raw, each_event, &it);
    return r == -EBADMSG ? 0 : r;
}

int hm_consume_backfill(struct hm_core *k, const struct hm_soc_item *alert,
                        const uint8_t id[HM_ID_BYTES])
{
    uint64_t numbers[HM_TREE_BACK_OWN];
    uint64_t from = k->context_next > HM_TREE_BACK ? k->context_next - HM_TREE_BACK : 0;
    size_t n = 0;
    int r = collect_back(k, alert, from, numbers, &n);
    size_t first = n > HM_TREE_BACK_OWN ? n - HM_TREE_BACK_OWN : 0;
    for (size_t i = first; !r && i < n; i++)
        r = open_back(k, id, numbers[i % HM_TREE_BACK_OWN]);
    return r;
}

/* ---- start ---- */
static int open_one(const char *journal, struct hm_core *k, const char *consumer,
                    struct hm_log_reader **ret_r, uint64_t *ret_next, struct hm_error *err)
{
    int r = hm_log_reader_open(journal, ret_r, err);
    if (r)
        return r;
    r = hm_cursor_get(k->c, consumer, ret_next);
    if (r)
        return hm_fail(err, r, "cursor of %s: %s", consumer, strerror(-r));
    r = hm_log_reader_seek(*ret_r, *ret_next);
    return r && r != -ENOENT ? hm_fail(err, r, "%s: %s", journal, strerror(-r)) : 0;
}

int hm_consume_open(struct hm_core *k, const char *journal, struct hm_error *err)
{
    int r = open_one(journal, k, ALERTS, &k->alerts_reader, &k->alerts_next, err);
    if (!r)
        r = open_one(journal, k, CONTEXT, &k->context_reader, &k->context_next, err);
    return r ? r : hm_log_reader_open(journal, &k->back_reader, err);
}

void hm_consume_close(struct hm_core *k)
{
    hm_log_reader_close(k->alerts_reader);
    hm_log_reader_close(k->context_reader);
    hm_log_reader_close(k->back_reader);
}
