/* The table function of columns.h: one pass per batch: decode, check, scatter into column vectors.
 * Knows DuckDB's chunks; refuses to know who asks. */
#include "server/core/columns.h"
#include "journal/journal.h"
#include "server/core/text_store.h"
#include <errno.h>

#define RAW_MAX  (1u << 20)
#define TEXT_MAX ((size_t)4 * HM_EVENT_MAX_BYTES)

/* ---- the table function's state ---- */
struct scan { /* one execution */
    const struct hm_duck *d;
    struct hm_rows *rows;
    int column_of[HM_COLUMN_COUNT]; /* position in the chunk, -1: not asked for */
    struct hm_buf raw, text, unknown;
    uint64_t room; /* rows of a chunk */
    /* the chunk being filled */
    duckdb_vector vector[HM_COLUMN_COUNT];
    void *data[HM_COLUMN_COUNT];
    uint64_t *validity[HM_COLUMN_COUNT];
    uint64_t row;
    /* the record being read */
    struct hm_gateway_record record;
    uint64_t number;
    struct hm_batch_head head;
    bool begun;
    bool held; /* parsed, did not fit any more: comes first in the next chunk */
    /* a batch with more rows than a chunk: canonical events of raw, handed out one by one */
    struct hm_slice *slices;
    uint64_t slice_count, slice_next;
};

static void scan_free(void *p)
{
    struct scan *s = p;
    hm_buf_done(&s->raw);
    hm_buf_done(&s->text);
    hm_buf_done(&s->unknown);
    free(s->slices);
    free(s);
}

/* ---- filling ---- */
static void mark(struct scan *s, int at)
{
    s->validity[at][s->row / 64] |= UINT64_C(1) << (s->row % 64);
}

static void put_u64(struct scan *s, int column, uint64_t v)
{
    int at = s->column_of[column];
    if (at < 0)
        return;
    ((uint64_t *)s->data[at])[s->row] = v;
    mark(s, at);
}

static void put_bytes(struct scan *s, int column, struct hm_slice b)
{
    int at = s->column_of[column];
    if (at < 0)
        return;
    if (hm_column_type(column) == DUCKDB_TYPE_VARCHAR && !hm_text_storable(b)) {
        hm_buf_clear(&s->text);
        hm_text_store(b, &s->text);
        b = hm_buf_slice(&s->text);
    }
    s->d->vector_assign_string_element_len(s->vector[at], s->row, b.len ? (const char *)b.p : "",
                                           b.len);
    mark(s, at);
}

static void put_unknown(struct scan *s, const struct hm_event *e)
{
    if (!e->unknown_count)
        return;
    hm_buf_clear(&s->unknown);
    for (uint32_t i = 0; i < e->unknown_count; i++)
        hm_buf_put(&s->unknown, e->unknown[i].raw.p, e->unknown[i].raw.len);
    put_bytes(s, HM_COLUMN_UNKNOWN, hm_buf_slice(&s->unknown));
}

static void put_envelope(struct scan *s)
{
    put_bytes(s, HM_F_TENANT, s->record.tenant);
    put_bytes(s, HM_F_ENDPOINT, hm_slice(s->record.endpoint, 16));
    put_u64(s, HM_F_EPOCH, s->head.epoch);
    put_u64(s, HM_F_BOOT, s->head.boot);
    put_u64(s, HM_F_RECEIVED_NS, s->record.received_ns);
    put_bytes(s, HM_F_HOST_NAME, s->record.host_name);
    put_u64(s, HM_F_BATCH, s->head.number);
}

static void count_row(struct hm_rows *r, uint64_t time_ns)
{
    if (r->count == 0 || time_ns < r->from_ns)
        r->from_ns = time_ns;
    if (r->count == 0 || time_ns > r->to_ns)
        r->to_ns = time_ns;
    r->count++;
}

static int put_event(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct scan *s = ctx;
    for (size_t w = 0; w < HM_PRESENT_WORDS; w++)
        for (uint64_t bits = e->present[w]; bits; bits &= bits - 1) {
            int f = (int)(w * 64) + __builtin_ctzll(bits);
            if (hm_column_type(f) == DUCKDB_TYPE_UBIGINT)
                put_u64(s, f, e->v[f].u64);
            else
                put_bytes(s, f, e->v[f].bytes);
        }
    put_unknown(s, e);
    put_envelope(s); /* after the event: an endpoint cannot state its own envelope */
    count_row(s->rows, hm_event_u64(e, HM_F_WALL_NS));
    s->row++;
    return 0;
}

static int keep_slice(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct scan *s = ctx;
    if (s->slice_count == s->head.count)
        return -EBADMSG;
    s->slices[s->slice_count++] = canonical;
    return 0;
}

static void bad(struct scan *s, uint64_t number)
{
    if (s->rows->bad_count < HM_ROWS_BAD_MAX)
        s->rows->bad[s->rows->bad_count] = number;
    s->rows->bad_count++;
}

static int drain_slices(struct scan *s)
{
    struct hm_event e;
    while (s->slice_next < s->slice_count && s->row < s->room) {
        int r = hm_event_decode(s->slices[s->slice_next], &e);
        if (r)
            return r;
        (void)put_event(s, &e, s->slices[s->slice_next++]);
    }
    return 0;
}

/* More rows than a chunk holds: keep where each event lies and go on from there. */
static int begin_large(struct scan *s)
{
    free(s->slices);
    s->slice_count = s->slice_next = 0;
    s->slices = calloc(s->head.count, sizeof *s->slices);
    if (!s->slices)
        return -ENOMEM;
    int r = hm_batch_each(s->record.batch, &s->raw, keep_slice, s);
    if (r < 0)
        s->slice_count = 0;
    return r < 0 ? r : drain_slices(s);
}

static int next_record(struct scan *s)
{
    int r = s->rows->next(s->rows->ctx, &s->record, &s->number);
    if (r <= 0)
        return r;
    return hm_batch_head(s->record.batch, &s->head, NULL) ? -EBADMSG : 1;
}

/* 1 go on, 0 the chunk is full or the end, or a negative errno. */
static int fill_step(struct scan *s)
{
    int r = 1;
    if (s->slice_next < s->slice_count) {
        r = drain_slices(s);
        return r ? r : s->row < s->room;
    }
    if (!s->held)
        r = next_record(s);
    if (r <= 0)
        return r;
    s->held = s->head.count > s->room - s->row;
    if (s->held && s->row > 0)
        return 0;
    s->held = false;
    r = s->head.count > s->room ? begin_large(s)
                                : hm_batch_each(s->record.batch, &s->raw, put_event, s);
    return r < 0 ? r : s->row < s->room;
}

static int fill(struct scan *s)
{
    for (;;) {
        int r = fill_step(s);
        if (r == 0)
            return 0;
        if (r == -EBADMSG)
            bad(s, s->number);
        else if (r < 0)
            return r;
    }
}

static void begin_chunk(struct scan *s, duckdb_data_chunk chunk)
{
    size_t words = (s->room + 63) / 64;
    s->row = 0;
    for (int c = 0; c < HM_COLUMN_COUNT; c++) {
        int at = s->column_of[c];
        if (at < 0)
            continue;
        s->vector[at] = s->d->data_chunk_get_vector(chunk, (idx_t)at);
        s->data[at] = s->d->vector_get_data(s->vector[at]);
        s->d->vector_ensure_validity_writable(s->vector[at]);
        s->validity[at] = s->d->vector_get_validity(s->vector[at]);
        memset(s->validity[at], 0, words * sizeof(uint64_t)); /* absent until put */
    }
}

/* ---- DuckDB's callbacks ---- */
static void on_bind(duckdb_bind_info info)
{
    const struct hm_duck *d = hm_duck_loaded();
    for (int c = 0; c < HM_COLUMN_COUNT; c++) {
        duckdb_logical_type t = d->create_logical_type(hm_column_type(c));
        d->bind_add_result_column(info, hm_column_name(c), t);
        d->destroy_logical_type(&t);
    }
}

static void on_init(duckdb_init_info info)
{
    const struct hm_duck *d = hm_duck_loaded();
    struct scan *s = calloc(1, sizeof *s);
    if (!s)
        return; /* on_rows reports it */
    s->d = d;
    s->rows = d->init_get_extra_info(info);
    s->room = d->vector_size();
    s->raw = HM_BUF(RAW_MAX);
    s->text = HM_BUF(TEXT_MAX);
    s->unknown = HM_BUF(HM_EVENT_MAX_BYTES);
    for (int c = 0; c < HM_COLUMN_COUNT; c++)
        s->column_of[c] = -1;
    idx_t n = d->init_get_column_count(info);
    for (idx_t i = 0; i < n; i++) {
        idx_t c = d->init_get_column_index(info, i);
        if (c < HM_COLUMN_COUNT) /* others are row ids nobody reads */
            s->column_of[c] = (int)i;
    }
    d->init_set_max_threads(info, 1);
    d->init_set_init_data(info, s, scan_free);
}

static int begin_source(struct scan *s)
{
    if (s->begun)
        return 0;
    s->begun = true;
    s->rows->count = s->rows->bad_count = 0;
    s->rows->error = 0;
    return s->rows->begin ? s->rows->begin(s->rows->ctx) : 0;
}

static void on_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
    const struct hm_duck *d = hm_duck_loaded();
    struct scan *s = d->function_get_init_data(info);
    int r = -ENOMEM;
    if (s) {
        begin_chunk(s, chunk);
        r = begin_source(s);
        if (!r)
            r = fill(s);
        if (!r && (s->text.error || s->unknown.error))
            r = s->text.error ? s->text.error : s->unknown.error;
    }
    if (r < 0) {
        if (s)
            s->rows->error = r;
        d->function_set_error(info, strerror(-r));
        return;
    }
    d->data_chunk_set_size(chunk, s->row);
}

int hm_columns_register(struct hm_duck_db *db, const char *name, struct hm_rows *source,
                        struct hm_error *err)
{
    const struct hm_duck *d = db->d;
    duckdb_table_function f = d->create_table_function();
    d->table_function_set_name(f, name);
    d->table_function_set_extra_info(f, source, NULL);
    d->table_function_set_bind(f, on_bind);
    d->table_function_set_init(f, on_init);
    d->table_function_set_function(f, on_rows);
    d->table_function_supports_projection_pushdown(f, true);
    duckdb_state st = d->register_table_function(db->con, f);
    d->destroy_table_function(&f);
    return st == DuckDBError ? hm_fail(err, -EIO, "DuckDB: cannot register %s", name) : 0;
}
