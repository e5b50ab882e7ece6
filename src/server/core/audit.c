/* The audit trail: append-only rows, each hash over the one before and every column, the newest
 * hash kept apart, so that an edit, a removal in the middle and a cut-off end all show. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/buf.h"
#include "base/crypto.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define ROW_MAX 65536

struct row {
    uint64_t seq, time_ms;
    const char *text[5]; /* tenant, actor, action, target, detail */
};

static int chain(const uint8_t prev[HM_SHA256_BYTES], const struct row *r,
                 uint8_t ret[HM_SHA256_BYTES])
{
    struct hm_buf b = HM_BUF(ROW_MAX);
    hm_buf_put(&b, prev, HM_SHA256_BYTES);
    hm_buf_put_le64(&b, r->seq);
    hm_buf_put_le64(&b, r->time_ms);
    for (size_t i = 0; i < HM_ARRAY_LEN(r->text); i++) {
        hm_buf_put_le32(&b, (uint32_t)strlen(r->text[i]));
        hm_buf_puts(&b, r->text[i]);
    }
    int e = b.error;
    if (!e)
        hm_sha256(hm_buf_slice(&b), ret);
    hm_buf_done(&b);
    return e;
}

static void head_text(uint64_t seq, const uint8_t hash[HM_SHA256_BYTES], char ret[96])
{
    int n = snprintf(ret, 24, "%" PRIu64 ":", seq);
    for (int i = 0; i < HM_SHA256_BYTES; i++)
        n += snprintf(ret + n, 3, "%02x", hash[i]);
}

static int last(struct hm_control *c, uint64_t *ret_seq, uint8_t ret_hash[HM_SHA256_BYTES])
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_AUDIT_LAST, "");
    int r = hm_sql_step(st);
    if (r < 0)
        return r;
    *ret_seq = r ? hm_sql_u64(st, 0) : 0;
    memset(ret_hash, 0, HM_SHA256_BYTES);
    if (r) {
        hm_sql_blob(st, 1, ret_hash, HM_SHA256_BYTES);
        sqlite3_reset(st);
    }
    return 0;
}

static int add(struct hm_control *c, struct row *w)
{
    uint8_t prev[HM_SHA256_BYTES], hash[HM_SHA256_BYTES];
    char head[96];
    int r = last(c, &w->seq, prev);
    if (r)
        return r;
    w->seq++;
    r = chain(prev, w, hash);
    if (!r)
        r = hm_sql_change(c, HM_SQL_AUDIT_ADD, "uutttttH", w->seq, w->time_ms, w->text[0],
                          w->text[1], w->text[2], w->text[3], w->text[4], hash);
    if (r)
        return r;
    head_text(w->seq, hash, head);
    return hm_setting_put(c, "audit_head", head);
}

int hm_audit_add(struct hm_control *c, const char *tenant, const char *actor, const char *action,
                 const char *target, const char *detail)
{
    struct row w = {0, hm_control_now_ms(), {tenant, actor, action, target, detail}};
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, add(c, &w));
}

struct list {
    int (*each)(void *ctx, const struct hm_audit_row *r);
    void *ctx;
};

static int list_row(void *ctx, sqlite3_stmt *st)
{
    struct list *l = ctx;
    struct hm_audit_row r = {hm_sql_u64(st, 0),  hm_sql_u64(st, 1),  hm_sql_text(st, 2),
                             hm_sql_text(st, 3), hm_sql_text(st, 4), hm_sql_text(st, 5)};
    return l->each(l->ctx, &r);
}

int hm_audit_list(struct hm_control *c, const char *tenant, uint64_t before, uint32_t limit,
                  int (*each)(void *ctx, const struct hm_audit_row *r), void *ctx)
{
    struct list l = {each, ctx};
    uint64_t n = limit == 0 ? 200 : limit > 1000 ? 1000 : limit;
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_AUDIT_LIST, "tuu", tenant, before, n), list_row, &l);
}

struct verify {
    uint64_t seq; /* of the row checked last */
    uint8_t hash[HM_SHA256_BYTES];
};

static int verify_row(void *ctx, sqlite3_stmt *st)
{
    struct verify *v = ctx;
    uint8_t stored[HM_SHA256_BYTES], hash[HM_SHA256_BYTES];
    struct row w = {hm_sql_u64(st, 0), hm_sql_u64(st, 1), {0}};
    for (int i = 0; i < 5; i++)
        w.text[i] = hm_sql_text(st, 2 + i);
    bool whole = hm_sql_blob(st, 7, stored, sizeof stored);
    int r = chain(v->hash, &w, hash);
    if (r)
        return r;
    if (!whole || w.seq != v->seq + 1 || memcmp(stored, hash, sizeof hash) != 0) {
        v->seq = w.seq;
        return -EBADMSG;
    }
    v->seq = w.seq;
    memcpy(v->hash, hash, sizeof hash);
    return 0;
}

static int verify(struct hm_control *c, struct verify *v)
{
    char head[96], want[96] = "";
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_AUDIT_ALL, ""), verify_row, v);
    if (r)
        return r;
    r = hm_setting_get(c, "audit_head", want, sizeof want);
    if (r && r != -ENOENT)
        return r;
    head_text(v->seq, v->hash, head);
    if (v->seq ? strcmp(head, want) == 0 : !want[0])
        return 0;
    v->seq++; /* rows were cut off at the end */
    return -EBADMSG;
}

int hm_audit_verify(struct hm_control *c, uint64_t *ret_seq)
{
    struct verify v = {0};
    int r = hm_control_begin(c); /* one snapshot */
    if (r)
        return r;
    r = verify(c, &v);
    hm_control_rollback(c);
    if (r == -EBADMSG)
        *ret_seq = v.seq;
    return r;
}
