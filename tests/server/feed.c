/* See feed.h. */
#include "feed.h"
#include "base/clock.h"
#include "server/record.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct feed_log {
    struct hm_log *log;
};

struct feed {
    struct feed_log *log;
    char tenant[64];
    uint8_t endpoint[16];
    struct hm_batch_writer *w[HM_LANE_COUNT];
    struct hm_buf batch, record;
    uint64_t made;
};

struct feed_log *feed_log_open(const char *dir)
{
    struct feed_log *l = calloc(1, sizeof *l);
    struct hm_log_damage damage;
    struct hm_error err = {0};
    if (hm_log_open(dir, NULL, &l->log, &damage, &err) != 0) {
        fprintf(stderr, "feed: %s\n", err.text);
        abort();
    }
    return l;
}

void feed_log_close(struct feed_log *l)
{
    hm_log_close(l->log);
    free(l);
}

uint64_t feed_log_next(const struct feed_log *l)
{
    return hm_log_next(l->log);
}

struct hm_log *feed_log_raw(struct feed_log *l)
{
    return l->log;
}

struct feed *feed_new(struct feed_log *l, const char *tenant, uint8_t endpoint_fill)
{
    struct feed *f = calloc(1, sizeof *f);
    f->log = l;
    f->batch = HM_BUF(HM_BATCH_MAX_BYTES);
    f->record = HM_BUF(2 * HM_BATCH_MAX_BYTES);
    snprintf(f->tenant, sizeof f->tenant, "%s", tenant);
    memset(f->endpoint, endpoint_fill, sizeof f->endpoint);
    for (int lane = 0; lane < HM_LANE_COUNT; lane++) {
        struct hm_batch_head h = {.epoch = 0x1000u + endpoint_fill,
                                  .boot = 7,
                                  .lane = (uint64_t)lane,
                                  .first_seq = (uint64_t)lane};
        memcpy(h.endpoint, f->endpoint, sizeof h.endpoint);
        f->w[lane] = hm_batch_writer_new(&h);
        assert(f->w[lane]);
    }
    return f;
}

void feed_free(struct feed *f)
{
    for (int lane = 0; lane < HM_LANE_COUNT; lane++)
        hm_batch_writer_free(f->w[lane]);
    hm_buf_done(&f->batch);
    hm_buf_done(&f->record);
    free(f);
}

const uint8_t *feed_endpoint(const struct feed *f)
{
    return f->endpoint;
}

static void close_lane(struct feed *f, int lane)
{
    uint64_t number;
    if (!hm_batch_pending(f->w[lane]))
        return;
    hm_buf_clear(&f->batch);
    hm_buf_clear(&f->record);
    int r = hm_batch_close(f->w[lane], &f->batch);
    struct hm_gateway_record rec = {.tenant = hm_slice_str(f->tenant),
                                    .received_ns = hm_clock_wall_ns(),
                                    .host_name = hm_slice_str("host"),
                                    .batch = hm_buf_slice(&f->batch)};
    memcpy(rec.endpoint, f->endpoint, sizeof rec.endpoint);
    hm_gateway_record_encode(&rec, &f->record);
    if (!r)
        r = hm_log_append(f->log->log, hm_buf_slice(&f->record), &number);
    if (r) {
        fprintf(stderr, "feed: %d\n", r);
        abort();
    }
}

void feed_put(struct feed *f, enum hm_lane lane, struct hm_event *e)
{
    int r = hm_batch_add(f->w[lane], e);
    if (r < 0)
        abort();
    if (r == 1 || lane == HM_LANE_ALERT)
        close_lane(f, lane);
}

void feed_close_batches(struct feed *f)
{
    for (int lane = 0; lane < HM_LANE_COUNT; lane++)
        close_lane(f, lane);
    if (hm_log_sync(f->log->log) != 0)
        abort();
}

void feed_many(struct feed *f, uint64_t n)
{
    char image[64], command[128];
    for (uint64_t i = 0; i < n; i++, f->made++) {
        struct hm_event e = {0};
        snprintf(image, sizeof image, "/usr/bin/prog-%" PRIu64, f->made % 50);
        snprintf(command, sizeof command, "%s --flag %" PRIu64, image, f->made);
        hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_PROCESS);
        hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
        hm_event_set_u64(&e, HM_F_BOOT_NS, 1000 + f->made);
        hm_event_set_u64(&e, HM_F_WALL_NS, 1790000000000000000ull + f->made * 1000);
        hm_event_set_u64(&e, HM_F_PROCESS_KEY, 0xabc00000ull + f->made);
        hm_event_set_u64(&e, HM_F_PROCESS_PID, 100 + f->made % 30000);
        hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str(image));
        hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str(command));
        hm_event_set_u64(&e, HM_F_PARENT_KEY, 0xabc00000ull + f->made / 2);
        hm_event_set(&e, HM_F_PARENT_IMAGE, hm_slice_str("/usr/bin/bash"));
        hm_event_set_u64(&e, HM_F_USER_ID, 1000);
        hm_event_set(&e, HM_F_USER_NAME, hm_slice_str("hanako"));
        hm_event_set(&e, HM_F_PROCESS_CWD, hm_slice_str("/home/hanako"));
        feed_put(f, HM_LANE_BULK, &e);
    }
}
