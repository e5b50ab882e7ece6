/* See tail.h. Reading is from the page cache and bounded a tick; decoding happens only while
 * someone listens. */
#include "server/api/tail.h"
#include "base/log.h"
#include "event/event.h"
#include "journal/journal.h"
#include "server/api/limits.h"
#include "server/api/stream.h"
#include "server/record.h"
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#define RECORDS_A_TICK 32
#define BUSY_MS        80
#define QUIET_MS       1000

struct hm_tail {
    struct hm_api *api;
    struct hm_log_reader *reader;
    struct hm_buf raw; /* scratch of decompression */
    uint64_t next;
    struct event *tick;
};

/* The number in the newest segment's name: reading from the very first record would take long. */
static uint64_t newest_segment(const char *dir)
{
    uint64_t newest = 0;
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        unsigned long long n;
        char end[8];
        if (sscanf(e->d_name, "%16llx.%4s", &n, end) == 2 && strcmp(end, "seg") == 0 && n > newest)
            newest = n;
    }
    if (d)
        closedir(d);
    return newest;
}

static int open_reader(const struct hm_tail *t, uint64_t at, struct hm_log_reader **ret)
{
    struct hm_error err = {0};
    int r = hm_log_reader_open(t->api->shared.journal, ret, &err);

    if (r)
        return r;
    r = hm_log_reader_seek(*ret, at);
    return r == -ENOENT ? 0 : r;
}

struct decode {
    struct hm_gateway_record record;
    struct hm_batch_head head;
    uint64_t number, index, after; /* indices up to `after` are skipped */
    void (*each)(void *ctx, struct hm_slice tenant, const struct hm_event *e, uint64_t record,
                 uint64_t index);
    void *ctx;
};

static int decode_event(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct decode *d = ctx;
    struct hm_event full = *e;

    (void)canonical;
    if (d->index++ < d->after)
        return 0;
    hm_event_set(&full, HM_F_TENANT, d->record.tenant);
    hm_event_set(&full, HM_F_ENDPOINT, hm_slice(d->record.endpoint, HM_ID_BYTES));
    hm_event_set(&full, HM_F_HOST_NAME, d->record.host_name);
    hm_event_set_u64(&full, HM_F_RECEIVED_NS, d->record.received_ns);
    hm_event_set_u64(&full, HM_F_EPOCH, d->head.epoch);
    hm_event_set_u64(&full, HM_F_BOOT, d->head.boot);
    hm_event_set_u64(&full, HM_F_BATCH, d->head.number);
    d->each(d->ctx, d->record.tenant, &full, d->number, d->index - 1);
    return 0;
}

/* A batch that does not open is core's to report; here it is only passed over. */
static void decode_record(struct hm_buf *raw, struct hm_slice data, struct decode *d)
{
    int r = hm_gateway_record_decode(data, &d->record);

    if (!r)
        r = hm_batch_head(d->record.batch, &d->head, NULL);
    d->index = 0;
    if (!r)
        r = hm_batch_each(d->record.batch, raw, decode_event, d);
    if (r)
        hm_debug("record %llu: %s", (unsigned long long)d->number, strerror(-r));
}

static void to_streams(void *ctx, struct hm_slice tenant, const struct hm_event *e, uint64_t record,
                       uint64_t index)
{
    hm_streams_event(ctx, tenant, e, record, index);
}

/* false: at the end. */
static bool read_one(struct hm_tail *t)
{
    struct decode d = {.each = to_streams, .ctx = t->api->streams};
    struct hm_slice record;
    int r = hm_log_reader_next(t->reader, &d.number, &record);

    if (r == -EBADMSG)
        return true;
    if (r <= 0)
        return false;
    t->next = d.number + 1;
    atomic_store(&t->api->shared.journal_next, t->next);
    if (hm_streams_want_events(t->api->streams))
        decode_record(&t->raw, record, &d);
    return true;
}

static void again(struct hm_tail *t, int ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_add(t->tick, &tv);
}

/* Without a listener records are only counted: many a tick, none decoded. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct hm_tail *t = arg;
    bool listening = hm_streams_want_events(t->api->streams), more = true;
    int n = listening ? RECORDS_A_TICK : RECORDS_A_TICK * 32;

    (void)fd;
    (void)what;
    if (!t->reader) {
        int r = open_reader(t, newest_segment(t->api->shared.journal), &t->reader);
        if (r)
            return again(t, QUIET_MS);
    }
    while (more && n-- > 0)
        more = read_one(t);
    again(t, more ? 1 : listening ? BUSY_MS : QUIET_MS);
}

struct hm_tail *hm_tail_new(struct hm_api *api)
{
    struct hm_tail *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->api = api;
    t->raw = HM_BUF(16 * 1024 * 1024);
    t->tick = evtimer_new(api->base, on_tick, t);
    if (!t->tick) {
        free(t);
        return NULL;
    }
    again(t, 1);
    return t;
}

void hm_tail_free(struct hm_tail *t)
{
    if (!t)
        return;
    event_free(t->tick);
    hm_log_reader_close(t->reader);
    hm_buf_done(&t->raw);
    free(t);
}

int hm_tail_replay(struct hm_tail *t, uint64_t record, uint64_t index, uint64_t limit,
                   void (*each)(void *ctx, struct hm_slice tenant, const struct hm_event *e,
                                uint64_t record, uint64_t index),
                   void *ctx, uint64_t *ret_skipped)
{
    struct hm_log_reader *reader = NULL;
    uint64_t from = record;
    struct hm_slice data;
    int r;

    *ret_skipped = 0;
    if (record >= t->next)
        return 0;
    if (t->next - record > limit) {
        from = t->next - limit;
        *ret_skipped = from - record;
    }
    if ((r = open_reader(t, from, &reader)))
        return r;
    for (;;) {
        struct decode d = {.each = each, .ctx = ctx};
        r = hm_log_reader_next(reader, &d.number, &data);
        if (r == 0 || (r < 0 && r != -EBADMSG) || (r == 1 && d.number >= t->next))
            break;
        if (r < 0)
            continue;
        d.after = d.number == record ? index + 1 : 0;
        decode_record(&t->raw, data, &d);
    }
    hm_log_reader_close(reader);
    return r < 0 ? r : 0;
}
