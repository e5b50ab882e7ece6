/* See compact.h. Owns which files are merged; parquet_file.c makes them durable. */
#include "server/core/compact.h"
#include "base/buf.h"
#include "base/log.h"
#include "server/core/limits.h"
#include "server/core/parquet_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define SQL_MAX 65536

struct group {
    struct hm_segment s[HM_COMPACT_FILES];
    size_t n;
    uint64_t rows;
};

/* Consecutive live small files: a gap (a large, damaged or foreign file between) ends the run,
 * because the merged segment must be what the journal holds between its two ends. */
static int choose(void *ctx, const struct hm_segment *s, bool live)
{
    struct group *g = ctx;
    bool fits = live && s->rows < HM_COMPACT_SMALL_ROWS && g->n < HM_COMPACT_FILES &&
                g->rows + s->rows <= HM_STORE_BATCH_ROWS &&
                (g->n == 0 || s->next_record - g->s[0].first_record <= HM_COMPACT_RECORDS);
    if (fits) {
        g->rows += s->rows;
        g->s[g->n++] = *s;
        return 0;
    }
    if (g->n >= HM_COMPACT_LEAST)
        return 1; /* a good run ends here */
    g->n = 0;
    g->rows = 0;
    return 0;
}

static int copy(struct hm_compact *k, const struct group *g, struct hm_error *err)
{
    hm_auto(hm_buf_done) struct hm_buf sql = HM_BUF(SQL_MAX);
    hm_buf_puts(&sql, "COPY (SELECT * FROM read_parquet([");
    for (size_t i = 0; i < g->n; i++)
        hm_buf_printf(&sql, "%s'%s/%s/%s'", i ? "," : "", k->folder, g->s[i].tenant, g->s[i].file);
    hm_buf_printf(&sql,
                  "], union_by_name = true) ORDER BY \"endpoint\", \"time\") TO '%s/" HM_STORE_ASIDE
                  "' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)",
                  k->folder);
    hm_buf_put_u8(&sql, 0);
    return sql.error ? sql.error : hm_duck_run(k->db, (const char *)sql.data, err);
}

static int forget(struct hm_compact *k, const struct group *g, const struct hm_segment *merged)
{
    int r = hm_control_begin(k->c);
    if (r)
        return r;
    for (size_t i = 0; !r && i < g->n; i++)
        r = hm_segment_delete(k->c, g->s[i].tenant, g->s[i].file);
    if (!r)
        r = hm_segment_put(k->c, merged);
    return hm_control_end(k->c, r);
}

static void remember(struct hm_compact *k, const struct group *g)
{
    uint64_t now = hm_control_now_ms();
    for (size_t i = 0; i < g->n && k->old_count < HM_COMPACT_OLD_MAX; i++) {
        snprintf(k->old[k->old_count].path, sizeof k->old[0].path, "%s/%s", g->s[i].tenant,
                 g->s[i].file);
        k->old[k->old_count++].at_ms = now;
    }
}

static void describe(const struct group *g, struct hm_segment *m)
{
    const struct hm_segment *last = &g->s[g->n - 1];
    *m = (struct hm_segment){.first_record = g->s[0].first_record,
                             .next_record = last->next_record,
                             .rows = g->rows,
                             .from_ns = g->s[0].from_ns,
                             .to_ns = g->s[0].to_ns};
    for (size_t i = 1; i < g->n; i++) {
        m->from_ns = g->s[i].from_ns < m->from_ns ? g->s[i].from_ns : m->from_ns;
        m->to_ns = g->s[i].to_ns > m->to_ns ? g->s[i].to_ns : m->to_ns;
    }
    snprintf(m->tenant, sizeof m->tenant, "%s", g->s[0].tenant);
    snprintf(m->file, sizeof m->file, "%.10s/%020" PRIu64 "%016" PRIu64 ".parquet", g->s[0].file,
             m->first_record, m->next_record);
}

static int suspect(struct hm_compact *k, const struct group *g)
{
    int r = 0;
    for (size_t i = 0; !r && i < g->n; i++)
        r = hm_segment_set_state(k->c, g->s[i].tenant, g->s[i].file, "suspect");
    return r;
}

static int merge(struct hm_compact *k, const struct group *g, struct hm_error *err)
{
    struct hm_segment merged;
    int r = copy(k, g, err);
    if (r == -EIO && suspect(k, g))
        hm_err("store: files that cannot be read could not be marked");
    if (r)
        return r;
    describe(g, &merged);
    r = hm_parquet_publish(k->dir_fd, &merged);
    if (!r)
        r = forget(k, g, &merged);
    if (r)
        return hm_fail(err, r, "compaction: %s", strerror(-r));
    remember(k, g);
    hm_debug("store: %zu files of %s became %s, %" PRIu64 " rows, %" PRIu64 " bytes", g->n,
             merged.tenant, merged.file, merged.rows, merged.bytes);
    return 1;
}

int hm_compact_step(struct hm_compact *k, struct hm_error *err)
{
    char tenant[HM_TENANT_MAX], day[16];
    if (k->old_count + HM_COMPACT_FILES > HM_COMPACT_OLD_MAX)
        return 0; /* the sweep first */
    int r = hm_segment_crowded(k->c, HM_COMPACT_SMALL_ROWS, HM_COMPACT_LEAST, tenant, day);
    if (r <= 0)
        return r;
    struct group *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    r = hm_segment_of_day(k->c, tenant, day, choose, g);
    if (r >= 0)
        r = g->n >= HM_COMPACT_LEAST ? merge(k, g, err) : 0;
    free(g);
    return r;
}

void hm_compact_sweep(struct hm_compact *k, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->old_count; i++) {
        if (k->old[i].at_ms + HM_COMPACT_GRACE_MS > now_ms)
            k->old[kept++] = k->old[i];
        else if (unlinkat(k->dir_fd, k->old[i].path, 0) < 0 && errno != ENOENT)
            hm_warn("store: %s: %s", k->old[i].path, strerror(errno));
    }
    k->old_count = kept;
}
