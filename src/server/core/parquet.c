/* see parquet.h. A step: gather records, write one file a tenant, record them in one transaction.
 */
#include "server/core/parquet.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "server/core/columns.h"
#include "server/core/compact.h"
#include "server/core/crash.h"
#include "server/core/limits.h"
#include "server/core/parquet_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define CONSUMER  "store"
#define ITEMS_MAX 65536 /* records of one write */

struct item {
    uint64_t number;
    size_t at, len; /* in gathered */
    int tenant;     /* index into tenants, -1: malformed */
};

struct hm_parquet {
    struct hm_control *c;
    struct hm_log_reader *reader;
    struct hm_duck_db db;
    struct hm_rows rows; /* source of the registered table function */
    char folder[4096], copy_sql[4400];
    struct hm_compact compact;
    uint64_t compact_at_ms;
    int dir_fd;
    uint64_t cursor; /* first record not stored */
    /* gathered, not written yet: records cursor .. next */
    struct hm_buf gathered;
    struct item *items;
    size_t item_count, read_at; /* read_at: where rows_next() stands */
    char tenants[HM_STORE_TENANTS][HM_TENANT_MAX];
    int tenant_count, tenant_now;
    uint64_t next, events, since_ms;
    bool full;
};

uint64_t hm_parquet_next(const struct hm_parquet *s)
{
    return s->cursor;
}

/* ---- gathering ---- */
static int tenant_index(struct hm_parquet *s, struct hm_slice tenant)
{
    for (int i = 0; i < s->tenant_count; i++)
        if (hm_slice_eq(tenant, hm_slice_str(s->tenants[i])))
            return i;
    if (s->tenant_count == HM_STORE_TENANTS)
        return -1;
    memcpy(s->tenants[s->tenant_count], tenant.p, tenant.len);
    s->tenants[s->tenant_count][tenant.len] = 0;
    return s->tenant_count++;
}

static void forget(struct hm_parquet *s)
{
    hm_buf_clear(&s->gathered);
    s->item_count = s->read_at = 0;
    s->tenant_count = 0;
    s->events = s->since_ms = 0;
    s->full = false;
}

static int gather_one(struct hm_parquet *s, uint64_t number, struct hm_slice data)
{
    struct hm_gateway_record rec;
    struct hm_batch_head head;
    struct item *it = &s->items[s->item_count];
    int aside = hm_set_aside_has(s->c, CONSUMER, number);
    if (aside < 0)
        return aside;
    *it = (struct item){.number = number, .at = s->gathered.len, .len = data.len, .tenant = -1};
    if (aside)
        it->len = 0; /* nothing to set aside again */
    else if (hm_gateway_record_parse(data, &rec) == 0 &&
             hm_batch_head(rec.batch, &head, NULL) == 0) {
        it->tenant = tenant_index(s, rec.tenant);
        if (it->tenant < 0) {
            s->full = true; /* the reader is sought back here after this write */
            return 0;
        }
        hm_buf_put(&s->gathered, data.p, data.len);
        if (s->gathered.error)
            return s->gathered.error;
        s->events += head.count;
    }
    s->item_count++;
    s->next = number + 1;
    return 0;
}

static bool enough(const struct hm_parquet *s)
{
    return s->full || s->events >= HM_STORE_BATCH_ROWS || s->gathered.len >= HM_STORE_BATCH_BYTES ||
           s->item_count == ITEMS_MAX;
}

static int gather(struct hm_parquet *s, uint64_t limit, uint64_t now_ms)
{
    while (!enough(s) && s->next < limit) {
        uint64_t number;
        struct hm_slice data;
        int r = hm_log_reader_next(s->reader, &number, &data);
        if (r == -EBADMSG) {
            hm_err("store: the gateway journal is damaged at record %" PRIu64, s->next);
            continue;
        }
        if (r <= 0)
            return r;
        if (s->item_count == 0)
            s->since_ms = now_ms;
        r = gather_one(s, number, data);
        if (r)
            return r;
    }
    return 0;
}

/* ---- writing ---- */
static int rows_next(void *ctx, struct hm_gateway_record *ret_r, uint64_t *ret_number)
{
    struct hm_parquet *s = ctx;
    while (s->read_at < s->item_count) {
        const struct item *it = &s->items[s->read_at++];
        if (it->tenant != s->tenant_now)
            continue;
        hm_crash_working(CONSUMER, it->number);
        *ret_number = it->number;
        int r = hm_gateway_record_parse(hm_slice(s->gathered.data + it->at, it->len), ret_r);
        return r ? r : 1;
    }
    return 0;
}

static void name_file(const struct hm_parquet *s, int tenant, struct hm_segment *seg)
{
    struct hm_gateway_record rec = {0};
    struct tm tm;
    for (size_t i = 0; i < s->item_count; i++)
        if (s->items[i].tenant == tenant) {
            seg->first_record = s->items[i].number;
            (void)!hm_gateway_record_parse(
                hm_slice(s->gathered.data + s->items[i].at, s->items[i].len), &rec);
            break;
        }
    time_t t = (time_t)(rec.received_ns / 1000000000);
    gmtime_r(&t, &tm);
    snprintf(seg->file, sizeof seg->file, "%04d-%02d-%02d/%020" PRIu64 ".parquet",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, seg->first_record);
    snprintf(seg->tenant, sizeof seg->tenant, "%s", s->tenants[tenant]);
    seg->next_record = s->next;
}

static int copy_tenant(struct hm_parquet *s, int tenant, struct hm_segment *seg,
                       struct hm_error *err)
{
    s->tenant_now = tenant;
    s->read_at = 0;
    s->rows.count = s->rows.bad_count = 0;
    s->rows.error = 0;
    int r = hm_duck_run(&s->db, s->copy_sql, err);
    hm_crash_working(NULL, 0);
    if (r)
        return s->rows.error ? s->rows.error : r;
    seg->rows = s->rows.count;
    seg->from_ns = s->rows.from_ns;
    seg->to_ns = s->rows.to_ns;
    r = hm_parquet_publish(s->dir_fd, seg);
    return r ? hm_fail(err, r, "%s/%s: %s", seg->tenant, seg->file, strerror(-r)) : 0;
}

static int record_bad(struct hm_parquet *s)
{
    int r = 0;
    for (uint64_t i = 0; !r && i < s->rows.bad_count && i < HM_ROWS_BAD_MAX; i++)
        r = hm_set_aside(s->c, CONSUMER, s->rows.bad[i], "malformed batch");
    if (s->rows.bad_count)
        hm_err("store: %" PRIu64 " malformed batches set aside", s->rows.bad_count);
    return r;
}

static int record_malformed(struct hm_parquet *s)
{
    int r = 0;
    for (size_t i = 0; !r && i < s->item_count; i++)
        if (s->items[i].tenant < 0 && s->items[i].len > 0)
            r = hm_set_aside(s->c, CONSUMER, s->items[i].number, "malformed record");
    return r;
}

/* Files first, inside the transaction that will name them: only the commit makes them exist. The
 * transaction begins late, so that the other writers wait for milliseconds. */
static int write_all(struct hm_parquet *s, struct hm_segment *segs, struct hm_error *err)
{
    uint64_t bad[HM_ROWS_BAD_MAX], bad_count = 0;
    int r = 0;
    for (int t = 0; !r && t < s->tenant_count; t++) {
        name_file(s, t, &segs[t]);
        r = copy_tenant(s, t, &segs[t], err);
        for (uint64_t i = 0;
             i < s->rows.bad_count && i < HM_ROWS_BAD_MAX && bad_count < HM_ROWS_BAD_MAX; i++)
            bad[bad_count++] = s->rows.bad[i];
    }
    if (r)
        return r;
    memcpy(s->rows.bad, bad, sizeof bad);
    s->rows.bad_count = bad_count;
    return 0;
}

static int record_all(struct hm_parquet *s, const struct hm_segment *segs)
{
    int r = hm_control_begin(s->c);
    if (r)
        return r;
    for (int t = 0; !r && t < s->tenant_count; t++)
        if (segs[t].rows > 0)
            r = hm_segment_put(s->c, &segs[t]);
    if (!r)
        r = record_bad(s);
    if (!r)
        r = record_malformed(s);
    if (!r)
        r = hm_cursor_put(s->c, CONSUMER, s->next);
    return hm_control_end(s->c, r);
}

static int write_and_record(struct hm_parquet *s, struct hm_segment *segs, struct hm_error *err)
{
    int r = write_all(s, segs, err);
    if (r)
        return r;
    r = record_all(s, segs);
    return r ? hm_fail(err, r, "control database: %s", strerror(-r)) : 0;
}

static int flush_now(struct hm_parquet *s, struct hm_error *err)
{
    struct hm_segment *segs = calloc((size_t)s->tenant_count + 1, sizeof *segs);
    uint64_t begun = hm_clock_mono_ns();
    if (!segs)
        return -ENOMEM;
    int r = write_and_record(s, segs, err);
    free(segs);
    if (r)
        return r;
    hm_debug("store: %" PRIu64 " events of %d tenants, records below %" PRIu64 ", %" PRIu64 " ms",
             s->events, s->tenant_count, s->next, (hm_clock_mono_ns() - begun) / 1000000);
    bool seek = s->full;
    s->cursor = s->next;
    forget(s);
    return seek ? hm_log_reader_seek(s->reader, s->cursor) : 0;
}

static bool due(const struct hm_parquet *s, uint64_t now_ms, bool flush)
{
    uint64_t age = now_ms > s->since_ms ? now_ms - s->since_ms : 0;
    if (s->item_count == 0)
        return false;
    return flush || enough(s) || (age >= HM_STORE_BUSY_MS && s->events >= HM_STORE_BUSY_ROWS) ||
           age >= HM_STORE_QUIET_MS;
}

/* After a failure the gathered records are read again: nothing of them was recorded. */
static int start_over(struct hm_parquet *s)
{
    forget(s);
    s->next = s->cursor;
    int r = hm_log_reader_seek(s->reader, s->cursor);
    return r == -ENOENT ? 0 : r;
}

int hm_parquet_step(struct hm_parquet *s, uint64_t limit, uint64_t now_ms, bool flush,
                    struct hm_error *err)
{
    int r = gather(s, limit, now_ms);
    if (r)
        hm_fail(err, r, "reading the gateway journal: %s", strerror(-r));
    else if (!due(s, now_ms, flush))
        return 0;
    else
        r = flush_now(s, err);
    if (!r)
        return 1;
    if (start_over(s))
        hm_err("store: cannot go back to record %" PRIu64, s->cursor);
    return r;
}

/* ---- repair ---- */
static int gather_range(struct hm_parquet *s, const struct hm_segment *seg)
{
    forget(s);
    s->next = seg->first_record;
    int r = hm_log_reader_seek(s->reader, seg->first_record);
    while (!r && s->next < seg->next_record) {
        uint64_t number;
        struct hm_slice data;
        struct hm_gateway_record rec;
        r = hm_log_reader_next(s->reader, &number, &data);
        if (r <= 0 || number >= seg->next_record)
            return r < 0 ? r : -ENOENT;
        s->next = number + 1;
        if (s->item_count == ITEMS_MAX)
            return -E2BIG;
        if (hm_gateway_record_parse(data, &rec) == 0 &&
            hm_slice_eq(rec.tenant, hm_slice_str(seg->tenant)))
            r = gather_one(s, number, data);
        else
            r = 0;
    }
    return r;
}

static int rebuild(struct hm_parquet *s, struct hm_segment *seg, struct hm_error *err)
{
    uint64_t rows = seg->rows;
    int r = hm_parquet_put_aside(s->dir_fd, seg->tenant, seg->file);
    if (!r)
        r = gather_range(s, seg);
    if (!r)
        r = s->tenant_count == 1 ? copy_tenant(s, 0, seg, err) : -ENOENT;
    if (!r && seg->rows != rows)
        r = -ENOENT; /* the journal does not hold all of it any more */
    if (!r)
        r = hm_segment_put(s->c, seg);
    else if (r == -ENOENT)
        r = hm_segment_set_state(s->c, seg->tenant, seg->file, "lost");
    hm_warn("store: segment %s/%s is damaged, kept as .damaged: %s", seg->tenant, seg->file,
            r                   ? strerror(-r)
            : seg->rows == rows ? "made again from the journal"
                                : "lost");
    return r;
}

static int repair_one(struct hm_parquet *s, struct hm_segment *seg, struct hm_error *err)
{
    uint8_t sha256[32];
    uint64_t bytes;
    int r = hm_parquet_digest(s->dir_fd, seg->tenant, seg->file, sha256, &bytes);
    if (r && r != -ENOENT)
        return r;
    if (!r && bytes == seg->bytes && memcmp(sha256, seg->sha256, sizeof sha256) == 0)
        return hm_segment_set_state(s->c, seg->tenant, seg->file, "live");
    return rebuild(s, seg, err);
}

int hm_parquet_repair(struct hm_parquet *s, struct hm_error *err)
{
    struct hm_segment segs[16];
    int n = hm_segment_by_state(s->c, "suspect", segs, HM_ARRAY_LEN(segs)), r = 0;
    for (int i = 0; !r && i < n; i++)
        r = repair_one(s, &segs[i], err);
    if (n > 0 && start_over(s))
        hm_err("store: cannot go back to record %" PRIu64, s->cursor);
    return r ? r : n;
}

int hm_parquet_compact(struct hm_parquet *s, uint64_t now_ms, struct hm_error *err)
{
    hm_compact_sweep(&s->compact, now_ms);
    if (now_ms < s->compact_at_ms)
        return 0;
    int r = hm_compact_step(&s->compact, err);
    if (r < 0)
        hm_warn("store: compaction: %s", err->text[0] ? err->text : strerror(-r));
    if (r <= 0) /* a run of groups goes on at once, a failure waits like everything else */
        s->compact_at_ms = now_ms + HM_COMPACT_EVERY_MS;
    return r;
}

/* ---- opening ---- */
struct size_check {
    struct hm_parquet *s;
    char tenant[16][HM_TENANT_MAX], file[16][64];
    int n;
};

static int check_size(void *ctx, const char *tenant, const char *file, uint64_t bytes)
{
    struct size_check *k = ctx;
    char path[HM_TENANT_MAX + 80];
    snprintf(path, sizeof path, "%s/%s", tenant, file);
    hm_autoclose int fd = openat(k->s->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (len >= 0 && (uint64_t)len == bytes)
        return 0;
    snprintf(k->tenant[k->n], HM_TENANT_MAX, "%s", tenant);
    snprintf(k->file[k->n], 64, "%s", file);
    return ++k->n == 16; /* the rest at the next start */
}

static int check_sizes(struct hm_parquet *s)
{
    struct size_check k = {.s = s};
    int r = hm_segment_all(s->c, check_size, &k);
    for (int i = 0; r >= 0 && i < k.n; i++)
        r = hm_segment_set_state(s->c, k.tenant[i], k.file[i], "suspect");
    return r < 0 ? r : 0;
}

static int open_duck(struct hm_parquet *s, const struct hm_parquet_options *o, struct hm_error *err)
{
    const struct hm_duck *d;
    struct hm_duck_options opt = {o->folder, HM_STORE_MEMORY_MIB, 1};
    int r = hm_duck_load(&d, err);
    if (!r)
        r = hm_duck_open(d, &opt, &s->db, err);
    s->rows = (struct hm_rows){.next = rows_next, .ctx = s};
    if (!r)
        r = hm_columns_register(&s->db, "hm_rows", &s->rows, err);
    if (!r)
        r = hm_duck_lock(&s->db, &opt, err);
    if (strchr(o->folder, '\''))
        r = hm_fail(err, -EINVAL, "the state folder's name holds a quote");
    snprintf(s->copy_sql, sizeof s->copy_sql,
             "COPY (SELECT * FROM hm_rows()) TO '%s/" HM_STORE_ASIDE
             "' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)",
             o->folder);
    return r;
}

static int open_parts(struct hm_parquet *s, const struct hm_parquet_options *o,
                      struct hm_error *err)
{
    s->dir_fd = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return hm_fail(err, -errno, "%s: %s", o->folder, strerror(errno));
    int r = hm_control_open(o->control, &s->c, err);
    if (!r)
        r = hm_log_reader_open(o->journal, &s->reader, err);
    if (!r)
        r = hm_cursor_get(s->c, CONSUMER, &s->cursor);
    if (r)
        return r;
    int orphans = hm_parquet_remove_orphans(s->dir_fd, s->c);
    if (orphans > 0)
        hm_info("store: %d unrecorded files of a killed run deleted", orphans);
    r = orphans < 0 ? orphans : check_sizes(s);
    if (!r)
        r = open_duck(s, o, err);
    snprintf(s->folder, sizeof s->folder, "%s", o->folder);
    s->compact =
        (struct hm_compact){.db = &s->db, .c = s->c, .folder = s->folder, .dir_fd = s->dir_fd};
    return r ? r : start_over(s);
}

int hm_parquet_open(const struct hm_parquet_options *o, struct hm_parquet **ret_s,
                    struct hm_error *err)
{
    struct hm_parquet *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->dir_fd = -1;
    s->gathered = HM_BUF(HM_STORE_BATCH_BYTES + (8u << 20));
    s->items = calloc(ITEMS_MAX, sizeof *s->items);
    int r = s->items ? open_parts(s, o, err) : -ENOMEM;
    if (r) {
        hm_parquet_close(s);
        return r;
    }
    *ret_s = s;
    return 0;
}

void hm_parquet_close(struct hm_parquet *s)
{
    if (!s)
        return;
    hm_duck_close(&s->db);
    hm_log_reader_close(s->reader);
    hm_control_close(s->c);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    hm_buf_done(&s->gathered);
    free(s->items);
    free(s);
}
