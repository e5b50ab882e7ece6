/* Test support: a DuckDB in memory with one folder, rows by JSON, and which rows a condition takes.
 */
#pragma once
#include "detect/sql/sql.h"
#include "server/core/duck.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static inline void check(int r, const struct hm_error *err)
{
    if (r)
        fail_msg("%d: %s", r, err->text);
}

static inline void run(struct hm_duck_db *db, const char *sql)
{
    struct hm_error err = {0};
    check(hm_duck_run(db, sql, &err), &err);
}

static inline void open_db(struct hm_duck_db *db, char dir[64])
{
    const struct hm_duck *d;
    struct hm_error err = {0};
    snprintf(dir, 64, "/tmp/hinomi-sql-XXXXXX");
    assert_non_null(mkdtemp(dir));
    check(hm_duck_load(&d, &err), &err);
    struct hm_duck_options o = {.folder = dir, .memory_mib = 2048, .threads = 2};
    check(hm_duck_open(d, &o, db, &err), &err);
    check(hm_duck_lock(db, &o, &err), &err);
}

static inline void json_text(FILE *f, const char *s, size_t n)
{
    fputc('"', f);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)s[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

/* Numbers of the rows that the condition selects, as a bit each. */
static inline void select_rows(struct hm_duck_db *db, const struct hm_sql *q, const char *path,
                               uint8_t *bits)
{
    const struct hm_duck *d = db->d;
    struct hm_buf sql = HM_BUF(8 << 20);
    duckdb_prepared_statement st;
    duckdb_result result;
    hm_buf_printf(&sql, "SELECT i FROM e WHERE %s", (char *)q->text.data);
    hm_buf_put_u8(&sql, 0);
    if (d->prepare(db->con, (char *)sql.data, &st) == DuckDBError)
        fail_msg("%s: %s\n%.2000s", path, d->prepare_error(st), (char *)sql.data);
    for (size_t i = 0; i < q->count; i++) {
        const struct hm_sql_parameter *p = &q->parameters[i];
        duckdb_state s =
            p->type == HM_SQL_TEXT
                ? d->bind_varchar_length(st, i + 1, (const char *)p->bytes.p, p->bytes.len)
            : p->type == HM_SQL_BLOB    ? d->bind_blob(st, i + 1, p->bytes.p, p->bytes.len)
            : p->type == HM_SQL_INTEGER ? d->bind_int64(st, i + 1, p->integer)
                                        : d->bind_double(st, i + 1, p->real);
        assert_int_equal(s, DuckDBSuccess);
    }
    if (d->execute_prepared(st, &result) == DuckDBError)
        fail_msg("%s: %s\n%.2000s", path, d->result_error(&result), (char *)sql.data);
    duckdb_data_chunk chunk;
    while ((chunk = d->fetch_chunk(result))) {
        const int64_t *i = d->vector_get_data(d->data_chunk_get_vector(chunk, 0));
        for (size_t k = 0; k < d->data_chunk_get_size(chunk); k++)
            bits[i[k] / 8] |= (uint8_t)(1 << (i[k] % 8));
        d->destroy_data_chunk(&chunk);
    }
    d->destroy_result(&result);
    d->destroy_prepare(&st);
    hm_buf_done(&sql);
}

/* What a text column can hold without the store's escapes. */
static inline bool is_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t c = (uint8_t)s[i];
        size_t k = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
        if (c == 0 || (c >= 0x80 && c < 0xc2) || c > 0xf4 || i + k > n)
            return false;
        for (size_t j = 1; j < k; j++)
            if (((uint8_t)s[i + j] & 0xc0) != 0x80)
                return false;
        i += k;
    }
    return true;
}
