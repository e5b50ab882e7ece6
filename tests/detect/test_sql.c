/* The matcher's meaning and the SQL of a rule agree, event by event: on the corpus's records, on
 * records made near every rule's own values, and on our own events as the store keeps them. */
#include "detect/folder.h"
#include "detect/record/record.h"
#include "detect/sigma/collection.h"
#include "detect/walk.h"
#include "duck_rows.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- rows: what a view said of each field, kept ------------------------------------------------
 */
struct cell {
    uint32_t field;
    enum hm_datum_kind kind; /* NULL, TEXT, NUMBER */
    int64_t number;
    bool real;
    char *text;
    size_t len;
};
struct row {
    size_t count;
    struct cell *cells;
};
struct world {
    struct hm_names *names;
    struct hm_sigma_collection *c;
    struct hm_arena *arena;
    size_t row_count, row_cap;
    struct row *rows;
    struct hm_duck_db db;
    char dir[64];
    uint8_t *walked;
    size_t refused, compared, hits;
};

static void problem(void *ctx, const struct hm_rule_problem *p)
{
}

static int add_file(void *ctx, const char *path, struct hm_slice text)
{
    return hm_sigma_collection_add(ctx, path, text, problem, NULL);
}

static bool load(struct world *w, const char *folder)
{
    hm_autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        print_message("SKIPPED: %s is not there\n", folder);
        return false;
    }
    w->names = hm_names_new();
    w->arena = hm_arena_new(1u << 30);
    struct hm_sigma_options o = {.names = w->names};
    assert_int_equal(hm_sigma_collection_new(&o, &w->c), 0);
    assert_int_equal(hm_folder_each(dir, add_file, w->c), 0);
    assert_int_equal(hm_sigma_collection_finish(w->c, problem, NULL), 0);
    return true;
}

static struct row *new_row(struct world *w, size_t cells)
{
    if (w->row_count == w->row_cap) {
        w->row_cap = w->row_cap ? w->row_cap * 2 : 1024;
        w->rows = reallocarray(w->rows, w->row_cap, sizeof *w->rows);
        assert_non_null(w->rows);
    }
    struct row *r = &w->rows[w->row_count++];
    *r = (struct row){0, hm_arena_alloc(w->arena, (cells + 1) * sizeof *r->cells)};
    assert_non_null(r->cells);
    return r;
}

static void put_cell(struct world *w, struct row *r, uint32_t field, const struct hm_datum *d)
{
    struct cell *c = &r->cells[r->count++];
    *c = (struct cell){field, d->kind, d->number, d->real, NULL, d->text.len};
    c->text = hm_arena_strndup(w->arena, d->text.len ? (const void *)d->text.p : "", d->text.len);
    assert_non_null(c->text);
}

/* A row read back as a view: both sides see exactly what was kept. */
struct row_view {
    struct hm_view view;
    const struct row *row;
    struct hm_datum *data; /* by field */
};

static void row_get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                    struct hm_datum *ret)
{
    *ret = ((const struct row_view *)v)->data[field];
}

static bool row_texts(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx)
{
    const struct row *r = ((const struct row_view *)v)->row;
    for (size_t i = 0; i < r->count; i++)
        if (r->cells[i].kind == HM_DATUM_TEXT &&
            each(ctx, hm_slice(r->cells[i].text, r->cells[i].len)))
            return true;
    return false;
}

/* What the matcher's meaning says of every rule and row, a bit each: bits[rule][row]. */
static void walk_all(struct world *w)
{
    size_t rules = hm_sigma_rule_count(w->c), stride = w->row_count / 8 + 1;
    struct hm_datum *data = calloc(hm_names_count(w->names), sizeof *data);
    w->walked = calloc(rules, stride);
    assert_non_null(data);
    assert_non_null(w->walked);
    for (size_t i = 0; i < w->row_count; i++) {
        struct row_view v = {{.get = row_get, .each_text = row_texts}, &w->rows[i], data};
        for (size_t k = 0; k < w->rows[i].count; k++) {
            const struct cell *c = &w->rows[i].cells[k];
            data[c->field] = (struct hm_datum){.kind = c->kind,
                                               .text = hm_slice(c->text, c->len),
                                               .number = c->number,
                                               .real = c->real};
        }
        for (size_t k = 0; k < rules; k++)
            if (hm_walk(hm_sigma_rule_at(w->c, k)->condition, &v.view))
                w->walked[k * stride + i / 8] |= (uint8_t)(1 << (i % 8));
        for (size_t k = 0; k < w->rows[i].count; k++)
            data[w->rows[i].cells[k].field] = (struct hm_datum){0};
    }
    free(data);
}

/* --- records of the corpus ---------------------------------------------------------------------
 */
static void keep_record(struct world *w, struct hm_record *rec, struct hm_slice line)
{
    struct hm_error err = {0};
    char buf[HM_DATUM_BUF];
    check(hm_record_parse(rec, line, &err), &err);
    const struct hm_view *v = hm_record_view(rec);
    size_t n = hm_names_count(w->names);
    struct row *r = new_row(w, n);
    for (uint32_t f = 0; f < n; f++) {
        struct hm_datum d = {0};
        v->get(v, f, buf, &d);
        if (d.kind == HM_DATUM_IP)
            d.kind = HM_DATUM_TEXT;
        if (d.kind != HM_DATUM_ABSENT && d.kind != HM_DATUM_LIST)
            put_cell(w, r, f, &d);
    }
}

static void read_records(struct world *w, const char *command, size_t every)
{
    struct hm_record *rec = hm_record_new(w->names);
    char *line = NULL;
    size_t cap = 0, at = 0;
    ssize_t n;
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(rec);
    while ((n = getline(&line, &cap, f)) > 0) {
        char *from = line, *key = strstr(line, "\"event\": {");
        char *end = strstr(line, "}, \"peer_fired\"");
        n -= line[n - 1] == '\n';
        if (key) {
            from = key + strlen("\"event\": ");
            n = end ? end + 1 - from : line + n - 1 - from;
        }
        if (at++ % every == 0)
            keep_record(w, rec, hm_slice(from, (size_t)n));
    }
    assert_int_equal(pclose(f), 0);
    assert_true(at > 0);
    free(line);
    hm_record_free(rec);
}

/* --- records near each rule's values ------------------------------------------------------------
 */
/* One text that the pattern should like, bent by `how`; 0 = as it is. */
static size_t near_value(const struct hm_pattern *p, unsigned how, char *out, size_t room)
{
    static const char *const around[] = {"", "x", "\xc3\xa9", "\n", "K", "\xe2\x84\xaa"};
    size_t n = 0, len = p->text.len < room / 4 ? p->text.len : room / 4;
    if (p->kind == HM_PATTERN_REGEX || p->kind == HM_PATTERN_CIDR)
        return (size_t)snprintf(out, room, "%s",
                                p->kind == HM_PATTERN_CIDR ? how % 2 ? "10.1.2.3" : "192.168.300.1"
                                                           : "powershell -enc AAAA");
    const char *edge = around[how % HM_ARRAY_LEN(around)];
    if (p->kind == HM_PATTERN_SUFFIX || p->kind == HM_PATTERN_CONTAINS || how > 6)
        n += (size_t)snprintf(out, room, "%s", edge);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = p->text.p[i];
        if (p->kind == HM_PATTERN_GLOB && c == 0x01)
            n += (size_t)snprintf(out + n, room - n, "%s", edge);
        else if (p->kind == HM_PATTERN_GLOB && c == 0x02)
            n += (size_t)snprintf(out + n, room - n, "%s", how % 2 ? "\xc3\xa9" : "q");
        else
            out[n++] = (char)(how % 3 == 1 && c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    if (how == 5 && n)
        n--;
    if (p->kind == HM_PATTERN_PREFIX || p->kind == HM_PATTERN_CONTAINS || how > 6)
        n += (size_t)snprintf(out + n, room - n, "%s", edge);
    return n;
}

/* Fill a row so that the tree tends to be true; how bends and chooses. */
static void fill(struct world *w, struct row *r, const struct hm_ast *a, unsigned how, bool want)
{
    if (a->kind == HM_AST_NOT) {
        fill(w, r, a->kids[0], how, how % 5 == 4 ? want : !want);
        return;
    }
    if (a->kind == HM_AST_OR && a->count) {
        fill(w, r, a->kids[how % a->count], how, want);
        return;
    }
    for (size_t i = 0; i < a->count; i++)
        fill(w, r, a->kids[i], how, want);
    const struct hm_ast_test *t = &a->test;
    if (a->kind != HM_AST_TEST || !want || r->count >= 60)
        return;
    char text[4096];
    size_t n = 0;
    uint32_t field = t->field == HM_NAME_NONE ? 0 : t->field;
    if (t->op == HM_AST_ANY_OF && t->count)
        n = near_value(&t->patterns[how % t->count], how / 2, text, sizeof text);
    else if (t->op == HM_AST_FIELDREF)
        n = (size_t)snprintf(text, sizeof text, "same");
    else
        n = (size_t)snprintf(text, sizeof text, "%lld", (long long)t->number.i + (how % 3) - 1);
    if (!is_utf8(text, n))
        return;
    struct hm_datum d = {.kind = HM_DATUM_TEXT, .text = hm_slice(text, n)};
    if (how % 7 == 6)
        d.kind = HM_DATUM_NULL;
    put_cell(w, r, field, &d);
    if (t->op == HM_AST_FIELDREF)
        put_cell(w, r, t->other, &d);
}

static void dedupe(struct row *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t k = 0;
        while (k < kept && r->cells[k].field != r->cells[i].field)
            k++;
        if (k == kept)
            r->cells[kept++] = r->cells[i];
    }
    r->count = kept;
}

static void make_records(struct world *w, unsigned each)
{
    for (size_t i = 0; i < hm_sigma_rule_count(w->c); i++)
        for (unsigned how = 0; how < each; how++) {
            struct row *r = new_row(w, 64);
            fill(w, r, hm_sigma_rule_at(w->c, i)->condition, how + (unsigned)i, true);
            dedupe(r);
        }
}

/* --- DuckDB ------------------------------------------------------------------------------------
 */
/* Columns: f<id> text, n<id> number, p<id> "there, and null", and all texts. */
static void write_rows(struct world *w, const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < w->row_count; i++) {
        fprintf(f, "{\"i\":%zu", i);
        for (size_t k = 0; k < w->rows[i].count; k++) {
            const struct cell *c = &w->rows[i].cells[k];
            if (c->kind == HM_DATUM_NULL) {
                fprintf(f, ",\"p%u\":true", c->field);
                continue;
            }
            fprintf(f, ",\"f%u\":", c->field);
            json_text(f, c->text, c->len);
            if (c->kind == HM_DATUM_NUMBER && !c->real)
                fprintf(f, ",\"n%u\":%lld", c->field, (long long)c->number);
        }
        fputs(",\"texts\":[", f);
        for (size_t k = 0, n = 0; k < w->rows[i].count; k++) {
            const struct cell *c = &w->rows[i].cells[k];
            if (c->kind != HM_DATUM_TEXT)
                continue;
            fputs(n++ ? "," : "", f);
            json_text(f, c->text, c->len);
        }
        fputs("]}\n", f);
    }
    fclose(f);
}

static void load_rows(struct world *w)
{
    char path[128];
    struct hm_buf sql = HM_BUF(1 << 20);
    snprintf(path, sizeof path, "%s/rows.ndjson", w->dir);
    write_rows(w, path);
    hm_buf_puts(&sql, "CREATE TABLE e AS SELECT * FROM read_json('");
    hm_buf_printf(&sql,
                  "%s', format = 'newline_delimited', columns = {i: 'BIGINT', texts: 'VARCHAR[]'",
                  path);
    for (size_t f = 0; f < hm_names_count(w->names); f++)
        hm_buf_printf(&sql, ", f%zu: 'VARCHAR', n%zu: 'BIGINT', p%zu: 'BOOLEAN'", f, f, f);
    hm_buf_puts(&sql, "})");
    hm_buf_put_u8(&sql, 0);
    run(&w->db, (char *)sql.data);
    hm_buf_done(&sql);
    unlink(path);
}

static bool record_field(void *ctx, const char *name, struct hm_arena *a, struct hm_sql_value *v)
{
    struct world *w = ctx;
    char text[64];
    uint32_t id = hm_names_find(w->names, hm_slice_str(name));
    snprintf(text, sizeof text, "f%u", id);
    v->text = hm_arena_strndup(a, text, strlen(text));
    snprintf(text, sizeof text, "n%u", id);
    v->number = hm_arena_strndup(a, text, strlen(text));
    snprintf(text, sizeof text, "(f%u IS NOT NULL OR p%u IS NOT NULL)", id, id);
    v->present = hm_arena_strndup(a, text, strlen(text));
    return true;
}

static const char *record_keywords(void *ctx, struct hm_arena *a)
{
    return "texts";
}

static void tell(const struct world *w, const struct hm_sigma_entry *e, size_t row, bool sql,
                 const struct hm_sql *q)
{
    struct hm_buf out = HM_BUF(1 << 20);
    hm_ast_print(e->condition, w->names, &out);
    hm_buf_put_u8(&out, 0);
    print_message("%s: SQL says %d on row %zu\n %.1500s\n %.1500s\n", e->info.path, sql, row,
                  (char *)out.data, (char *)q->text.data);
    for (size_t i = 0; i < w->rows[row].count; i++)
        print_message("   %s = (%d) %.300s\n", hm_names_text(w->names, w->rows[row].cells[i].field),
                      w->rows[row].cells[i].kind, w->rows[row].cells[i].text);
    hm_buf_done(&out);
}

static size_t compare_rule(struct world *w, size_t rule, const struct hm_sql_schema *schema)
{
    const struct hm_sigma_entry *e = hm_sigma_rule_at(w->c, rule);
    const uint8_t *walked = w->walked + rule * (w->row_count / 8 + 1);
    struct hm_sql q;
    struct hm_error err = {0};
    size_t differ = 0;
    int r = hm_sql_compile(e->condition, w->names, schema, &q, &err);
    if (r == -ENOTSUP) {
        assert_true(err.line > 0 && err.text[0]);
        w->refused++;
        return 0;
    }
    check(r, &err);
    uint8_t *bits = calloc(1, w->row_count / 8 + 1);
    assert_non_null(bits);
    select_rows(&w->db, &q, e->info.path, bits);
    for (size_t i = 0; i < w->row_count; i++) {
        bool sql = bits[i / 8] >> (i % 8) & 1, walk = walked[i / 8] >> (i % 8) & 1;
        w->hits += walk;
        if (sql != walk && differ++ == 0)
            tell(w, e, i, sql, &q);
    }
    w->compared++;
    free(bits);
    hm_sql_done(&q);
    return differ;
}

static void close_world(struct world *w)
{
    if (w->db.d)
        hm_duck_close(&w->db);
    if (w->dir[0])
        rmdir(w->dir);
    hm_sigma_collection_free(w->c);
    hm_names_free(w->names);
    hm_arena_free(w->arena);
    free(w->rows);
    free(w->walked);
}

static void records_of_the_corpus(void **state)
{
    struct world w = {0};
    struct hm_sql_schema schema = {record_field, record_keywords, false, &w};
    size_t differ = 0, from_corpus;
    if (!load(&w, HM_CORPUS_DIR "/sigma"))
        skip();
    read_records(&w, "cat " HM_CORPUS_DIR "/sigma-regression/linux.ndjson", 1);
    read_records(&w, "cat " HM_CORPUS_DIR "/sigma-regression/windows.ndjson", 1);
    read_records(&w, "zstdcat " HM_CORPUS_DIR "/windows-events/otrf.ndjson.zst", 20);
    from_corpus = w.row_count;
    make_records(&w, 2);
    walk_all(&w);
    open_db(&w.db, w.dir);
    load_rows(&w);
    for (size_t i = 0; i < hm_sigma_rule_count(w.c); i++)
        differ += compare_rule(&w, i, &schema);
    print_message("%zu records of the corpus and %zu made near rules: %zu rules agree, %zu hits, "
                  "%zu rules refused\n",
                  from_corpus, w.row_count - from_corpus, w.compared, w.hits, w.refused);
    assert_int_equal(differ, 0);
    assert_int_equal(w.compared + w.refused, 3755);
    assert_true(w.refused < 40 && w.hits > 3000);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
