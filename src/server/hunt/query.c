/* See query.h. */
#include "server/hunt/query.h"
#include "server/core/columns.h"
#include "server/core/text_store.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define SQL_MAX (8u << 20)

/* Columns that q looks into, with everything a person would type. */
static const enum hm_field text_fields[] = {
    HM_F_PROCESS_IMAGE,       HM_F_PROCESS_COMMAND_LINE,
    HM_F_PROCESS_NAME,        HM_F_PROCESS_CWD,
    HM_F_PARENT_IMAGE,        HM_F_USER_NAME,
    HM_F_HOST_NAME,           HM_F_FILE_PATH,
    HM_F_FILE_SOURCE_PATH,    HM_F_DST_DOMAIN,
    HM_F_DNS_QUERY_NAME,      HM_F_DNS_ANSWERS,
    HM_F_PROCESS_INTERPRETER, HM_F_CONTAINER_ID,
    HM_F_SERVICE_NAME,        HM_F_MODULE_PATH,
    HM_F_SCRIPT_TEXT,         HM_F_REGISTRY_KEY,
    HM_F_RULE_TITLE,          HM_F_RULE_TITLE_JA,
    HM_F_TARGET_IMAGE,        HM_F_FOREIGN_TEXT,
    HM_F_AGENT_DETAIL,
};
static const enum hm_field ip_fields[] = {HM_F_SRC_IP, HM_F_DST_IP, HM_F_PROCESS_STDIO_IP};

/* ---- file names ---- */
static bool digits(struct hm_slice s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (!isdigit(s.p[i]))
            return false;
    return true;
}

static bool file_ok(struct hm_slice s)
{
    static const char end[] = ".parquet";
    const size_t day = 11, tail = sizeof end - 1;
    return s.len > day + tail && s.len < 64 && s.p[4] == '-' && s.p[7] == '-' && s.p[10] == '/' &&
           digits(s, 0, 4) && digits(s, 5, 7) && digits(s, 8, 10) && digits(s, day, s.len - tail) &&
           memcmp(s.p + s.len - tail, end, tail) == 0;
}

int hm_hunt_files_parse(struct hm_slice list, struct hm_hunt_files *ret)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < list.len; i++)
        n += list.p[i] == '\n';
    struct hm_slice *names = calloc(n + 1, sizeof *names);
    if (!names)
        return -ENOMEM;
    for (n = 0; at < list.len; n++) {
        const uint8_t *nl = memchr(list.p + at, '\n', list.len - at);
        size_t len = nl ? (size_t)(nl - list.p) - at : list.len - at;
        names[n] = hm_slice(list.p + at, len);
        if (!file_ok(names[n])) {
            free(names);
            return -EBADMSG;
        }
        at += len + 1;
    }
    *ret = (struct hm_hunt_files){names, n};
    return 0;
}

/* ---- text ---- */
static int ip_of(struct hm_slice q, uint8_t ret[16])
{
    char text[64];
    if (q.len == 0 || q.len >= sizeof text)
        return 0;
    memcpy(text, q.p, q.len);
    text[q.len] = 0;
    if (inet_pton(AF_INET, text, ret) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ret) == 1 ? 16 : 0;
}

static void put_q(const struct hm_msg_hunt_spec *m, struct hm_buf *b)
{
    uint8_t ip[16];
    hm_buf_puts(b, " AND (");
    for (size_t i = 0; i < HM_ARRAY_LEN(text_fields); i++)
        hm_buf_printf(b, "%scontains(lower(\"%s\"), lower($q))", i ? " OR " : "",
                      hm_column_name((int)text_fields[i]));
    for (size_t i = 0; ip_of(m->q, ip) && i < HM_ARRAY_LEN(ip_fields); i++)
        hm_buf_printf(b, " OR \"%s\" = $ip", hm_column_name((int)ip_fields[i]));
    hm_buf_puts(b, ")");
}

static void put_page(const struct hm_msg_hunt_spec *m, struct hm_buf *b)
{
    char op = m->oldest_first ? '>' : '<';
    hm_buf_printf(b,
                  " AND \"time\" %c= $pt AND (\"time\" %c $pt OR \"epoch\" %c $pe OR "
                  "(\"epoch\" = $pe AND \"seq\" %c $ps))",
                  op, op, op, op);
}

static void put_where(const struct hm_msg_hunt_spec *m, struct hm_buf *b)
{
    hm_buf_puts(b, " WHERE \"tenant\" = $tenant");
    if (m->from_ns)
        hm_buf_puts(b, " AND \"time\" >= $from");
    if (m->to_ns)
        hm_buf_puts(b, " AND \"time\" < $to");
    if (m->endpoint.len)
        hm_buf_puts(b, " AND \"endpoint\" = $endpoint");
    if (m->class)
        hm_buf_puts(b, " AND \"class\" = $class");
    if (m->action)
        hm_buf_puts(b, " AND \"action\" = $action");
    if (m->process_key && m->exact_process)
        hm_buf_puts(b, " AND \"process_key\" = $key");
    else if (m->process_key)
        hm_buf_puts(
            b, " AND (\"process_key\" = $key OR \"parent_key\" = $key OR \"target_key\" = $key)");
    if (m->q.len)
        put_q(m, b);
    if (m->paged)
        put_page(m, b);
}

static void put_from(const struct hm_hunt_files *f, const char *columns, struct hm_buf *b)
{
    hm_buf_puts(b, " FROM (");
    if (f->count) {
        hm_buf_printf(b, "SELECT %s FROM read_parquet([", columns);
        for (size_t i = 0; i < f->count; i++)
            hm_buf_printf(b, "%s'/proc/self/fd/%d/%.*s'", i ? "," : "", HM_HUNT_FD_STORE,
                          (int)f->names[i].len, (const char *)f->names[i].p);
        hm_buf_puts(b, "], union_by_name = true) UNION ALL ");
    }
    hm_buf_printf(b, "SELECT %s FROM hm_tail())", columns);
}

/* ---- values ---- */
struct binder {
    const struct hm_duck *d;
    duckdb_prepared_statement st;
    bool failed;
};

static idx_t place(struct binder *b, const char *name)
{
    idx_t at = 0;
    if (b->d->bind_parameter_index(b->st, &at, name) == DuckDBError)
        b->failed = true;
    return at;
}

static void bind_u64(struct binder *b, const char *name, uint64_t v)
{
    b->failed |= b->d->bind_uint64(b->st, place(b, name), v) == DuckDBError;
}

static void bind_text(struct binder *b, const char *name, struct hm_slice s)
{
    b->failed |=
        b->d->bind_varchar_length(b->st, place(b, name), (const char *)s.p, s.len) == DuckDBError;
}

static void bind_blob(struct binder *b, const char *name, struct hm_slice s)
{
    b->failed |= b->d->bind_blob(b->st, place(b, name), s.p, s.len) == DuckDBError;
}

static void bind_where(struct binder *b, const struct hm_msg_hunt_spec *m)
{
    struct hm_buf q = HM_BUF(64 * 1024);
    uint8_t ip[16];
    int ip_len = ip_of(m->q, ip);
    bind_text(b, "tenant", m->tenant);
    if (m->from_ns)
        bind_u64(b, "from", m->from_ns);
    if (m->to_ns)
        bind_u64(b, "to", m->to_ns);
    if (m->endpoint.len)
        bind_blob(b, "endpoint", m->endpoint);
    if (m->class)
        bind_u64(b, "class", m->class);
    if (m->action)
        bind_u64(b, "action", m->action);
    if (m->process_key)
        bind_u64(b, "key", m->process_key);
    if (m->q.len) { /* bytes that are no UTF-8 are stored as escapes: looked for as such */
        hm_text_store(m->q, &q);
        bind_text(b, "q", hm_buf_slice(&q));
        hm_buf_done(&q);
    }
    if (ip_len)
        bind_blob(b, "ip", hm_slice(ip, (size_t)ip_len));
    if (m->paged) {
        bind_u64(b, "pt", m->page_time);
        bind_u64(b, "pe", m->page_epoch);
        bind_u64(b, "ps", m->page_seq);
    }
}

/* Prepare, bind, run. edge: NULL for the first statement. */
static int run(struct hm_duck_db *db, const struct hm_msg_hunt_spec *m, struct hm_buf *sql,
               const uint64_t *edge, duckdb_result *ret_result, struct hm_error *err)
{
    struct binder b = {.d = db->d};
    int r = 0;
    hm_buf_put_u8(sql, 0);
    if (sql->error)
        return hm_fail(err, sql->error, "too many files");
    if (b.d->prepare(db->con, (const char *)sql->data, &b.st) == DuckDBError) {
        const char *why = b.d->prepare_error(b.st);
        r = hm_fail(err, -EIO, "%s", why ? why : "prepare");
    }
    if (!r) {
        bind_where(&b, m);
        bind_u64(&b, "limit", m->limit + 1); /* one more tells whether there are more */
        if (edge)
            bind_u64(&b, "edge", *edge);
        if (b.failed)
            r = hm_fail(err, -EIO, "bind");
    }
    if (!r && b.d->execute_prepared(b.st, ret_result) == DuckDBError) {
        const char *why = b.d->result_error(ret_result);
        r = hm_fail(err, -EIO, "%s", why ? why : "execute");
        b.d->destroy_result(ret_result);
    }
    b.d->destroy_prepare(&b.st);
    return r;
}

int hm_hunt_edge(struct hm_duck_db *db, const struct hm_msg_hunt_spec *m,
                 const struct hm_hunt_files *f, uint64_t *ret_edge, bool *ret_any,
                 struct hm_error *err)
{
    hm_auto(hm_buf_done) struct hm_buf sql = HM_BUF(SQL_MAX);
    duckdb_result result = {0};
    hm_buf_printf(&sql, "SELECT %s(\"time\") FROM (SELECT \"time\"",
                  m->oldest_first ? "max" : "min");
    put_from(f, "*", &sql);
    put_where(m, &sql);
    hm_buf_printf(&sql, " ORDER BY \"time\" %s LIMIT $limit)", m->oldest_first ? "ASC" : "DESC");
    int r = run(db, m, &sql, NULL, &result, err);
    if (r)
        return r;
    duckdb_data_chunk chunk = db->d->fetch_chunk(result);
    *ret_any = false;
    if (chunk && db->d->data_chunk_get_size(chunk) == 1) {
        duckdb_vector v = db->d->data_chunk_get_vector(chunk, 0);
        uint64_t *valid = db->d->vector_get_validity(v);
        *ret_any = !valid || (valid[0] & 1);
        if (*ret_any)
            *ret_edge = *(uint64_t *)db->d->vector_get_data(v);
    }
    if (chunk)
        db->d->destroy_data_chunk(&chunk);
    db->d->destroy_result(&result);
    return 0;
}

int hm_hunt_rows(struct hm_duck_db *db, const struct hm_msg_hunt_spec *m,
                 const struct hm_hunt_files *f, uint64_t edge, duckdb_result *ret_result,
                 struct hm_error *err)
{
    hm_auto(hm_buf_done) struct hm_buf sql = HM_BUF(SQL_MAX), columns = HM_BUF(64 * 1024);
    const char *dir = m->oldest_first ? "ASC" : "DESC";
    hm_columns_list(&columns);
    hm_buf_put_u8(&columns, 0);
    hm_buf_printf(&sql, "SELECT %s", (const char *)columns.data);
    put_from(f, "*", &sql);
    put_where(m, &sql);
    hm_buf_printf(
        &sql, " AND \"time\" %s $edge ORDER BY \"time\" %s, \"epoch\" %s, \"seq\" %s LIMIT $limit",
        m->oldest_first ? "<=" : ">=", dir, dir, dir);
    return run(db, m, &sql, &edge, ret_result, err);
}
