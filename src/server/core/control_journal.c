/* Where each consumer of the gateway journal stands, what it set aside, and which Parquet files
 * exist. The cursor moves in the same transaction as what it stands for: that is "exactly once". */
#include "server/core/control_core.h"
#include "base/buf.h"
#include "server/core/sql.h"
#include <errno.h>
#include <stdio.h>

int hm_cursor_get(struct hm_control *c, const char *consumer, uint64_t *ret_next)
{
    int r = hm_sql_one(c, ret_next, HM_SQL_CURSOR_GET, "t", consumer);
    if (r == -ENOENT) {
        *ret_next = 0;
        return 0;
    }
    return r;
}

int hm_cursor_put(struct hm_control *c, const char *consumer, uint64_t next)
{
    return hm_sql_change(c, HM_SQL_CURSOR_PUT, "tu", consumer, next);
}

int hm_state_get(struct hm_control *c, const char *consumer, struct hm_buf *out)
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_STATE_GET, "t", consumer);
    int r = st ? hm_sql_step(st) : -EIO;
    if (r == 1) {
        hm_buf_put(out, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
        sqlite3_reset(st);
    }
    return r < 0 ? r : out->error;
}

int hm_state_put(struct hm_control *c, const char *consumer, struct hm_slice state)
{
    return hm_sql_change(c, HM_SQL_STATE_PUT, "tb", consumer, state);
}

int hm_crash_add(struct hm_control *c, const char *consumer, uint64_t record, uint64_t *ret_count)
{
    int r = hm_sql_change(c, HM_SQL_CRASH_ADD, "tu", consumer, record);
    return r ? r : hm_sql_one(c, ret_count, HM_SQL_CRASH_COUNT, "tu", consumer, record);
}

int hm_set_aside(struct hm_control *c, const char *consumer, uint64_t record, const char *reason)
{
    int r =
        hm_sql_run(c, HM_SQL_SET_ASIDE_ADD, "tuut", consumer, record, hm_control_now_ms(), reason);
    return r < 0 ? r : 0;
}

static int exists(int r)
{
    return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int hm_set_aside_has(struct hm_control *c, const char *consumer, uint64_t record)
{
    uint64_t one;
    return exists(hm_sql_one(c, &one, HM_SQL_SET_ASIDE_HAS, "tu", consumer, record));
}

int hm_minute_add(struct hm_control *c, const char *tenant, uint64_t minute, uint64_t events)
{
    return hm_sql_change(c, HM_SQL_MINUTE_ADD, "tuu", tenant, minute, events);
}

int hm_segment_put(struct hm_control *c, const struct hm_segment *s)
{
    return hm_sql_change(c, HM_SQL_SEGMENT_PUT, "ttuuuuHuuu", s->tenant, s->file, s->first_record,
                         s->next_record, s->rows, s->bytes, s->sha256, s->from_ns, s->to_ns,
                         hm_control_now_ms());
}

int hm_segment_has(struct hm_control *c, const char *tenant, const char *file)
{
    uint64_t one;
    return exists(hm_sql_one(c, &one, HM_SQL_SEGMENT_HAS, "tt", tenant, file));
}

int hm_segment_delete(struct hm_control *c, const char *tenant, const char *file)
{
    return hm_sql_change(c, HM_SQL_SEGMENT_DELETE, "tt", tenant, file);
}

int hm_segment_set_state(struct hm_control *c, const char *tenant, const char *file,
                         const char *state)
{
    return hm_sql_change(c, HM_SQL_SEGMENT_STATE, "ttt", tenant, file, state);
}

int hm_segment_suspect(struct hm_control *c, const char *tenant, const char *file)
{
    return hm_sql_change(c, HM_SQL_SEGMENT_SUSPECT, "tt", tenant, file);
}

struct segments {
    struct hm_segment *s;
    size_t n, max;
};

static int segment_row(void *ctx, sqlite3_stmt *st)
{
    struct segments *l = ctx;
    if (l->n == l->max)
        return 1;
    struct hm_segment *s = &l->s[l->n++];
    *s = (struct hm_segment){.first_record = hm_sql_u64(st, 2),
                             .next_record = hm_sql_u64(st, 3),
                             .rows = hm_sql_u64(st, 4),
                             .bytes = hm_sql_u64(st, 5)};
    snprintf(s->tenant, sizeof s->tenant, "%s", hm_sql_text(st, 0));
    snprintf(s->file, sizeof s->file, "%s", hm_sql_text(st, 1));
    s->from_ns = hm_sql_u64(st, 7);
    s->to_ns = hm_sql_u64(st, 8);
    hm_sql_blob(st, 6, s->sha256, sizeof s->sha256);
    return 0;
}

int hm_segment_by_state(struct hm_control *c, const char *state, struct hm_segment *ret, size_t max)
{
    struct segments l = {ret, 0, max};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_SEGMENT_BY_STATE, "t", state), segment_row, &l);
    return r < 0 ? r : (int)l.n;
}

struct files {
    int (*all)(void *ctx, const char *tenant, const char *file, uint64_t bytes);
    int (*live)(void *ctx, const char *file, uint64_t rows);
    void *ctx;
};

static int all_row(void *ctx, sqlite3_stmt *st)
{
    struct files *f = ctx;
    return f->all(f->ctx, hm_sql_text(st, 0), hm_sql_text(st, 1), hm_sql_u64(st, 2));
}

int hm_segment_all(struct hm_control *c,
                   int (*each)(void *ctx, const char *tenant, const char *file, uint64_t bytes),
                   void *ctx)
{
    struct files f = {.all = each, .ctx = ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_SEGMENT_ALL, ""), all_row, &f);
}

static int live_row(void *ctx, sqlite3_stmt *st)
{
    struct files *f = ctx;
    return f->live(f->ctx, hm_sql_text(st, 0), hm_sql_u64(st, 1));
}

int hm_segment_snapshot(struct hm_control *c, const char *tenant, uint64_t from_ns, uint64_t to_ns,
                        int (*each)(void *ctx, const char *file, uint64_t rows), void *ctx)
{
    struct files f = {.live = each, .ctx = ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_SEGMENT_LIVE, "tuu", tenant, from_ns, to_ns), live_row,
                       &f);
}

int hm_segment_crowded(struct hm_control *c, uint64_t rows, uint64_t least,
                       char ret_tenant[HM_TENANT_MAX], char ret_day[16])
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_SEGMENT_CROWDED, "uu", rows, least);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r;
    snprintf(ret_tenant, HM_TENANT_MAX, "%s", hm_sql_text(st, 0));
    snprintf(ret_day, 16, "%s", hm_sql_text(st, 1));
    sqlite3_reset(st);
    return 1;
}

struct day {
    int (*each)(void *ctx, const struct hm_segment *s, bool live);
    void *ctx;
};

static int day_row(void *ctx, sqlite3_stmt *st)
{
    struct day *d = ctx;
    struct hm_segment s;
    struct segments one = {&s, 0, 1};
    (void)segment_row(&one, st);
    return d->each(d->ctx, &s, strcmp(hm_sql_text(st, 9), "live") == 0);
}

int hm_segment_of_day(struct hm_control *c, const char *tenant, const char *day,
                      int (*each)(void *ctx, const struct hm_segment *s, bool live), void *ctx)
{
    struct day d = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_SEGMENT_OF_DAY, "tt", tenant, day), day_row, &d);
}
