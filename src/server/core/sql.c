/* Binding and stepping; see sql.h. Owns no statement's text. */
#include "server/core/sql.h"
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>

static const char *const texts[HM_SQL_COUNT] = {
#define S(id, sql) [HM_SQL_##id] = sql,
#include "server/core/statements.def"
#undef S
};

int hm_sql_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): the analyzer does not follow va_list pointers
 */
static int bind_one(sqlite3_stmt *st, int i, char kind, va_list *ap)
{
    struct hm_slice s;
    switch (kind) {
    case 't':
        return sqlite3_bind_text(st, i, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
    case 's':
        s = va_arg(*ap, struct hm_slice);
        return sqlite3_bind_text(st, i, s.len ? (const char *)s.p : "", (int)s.len,
                                 SQLITE_TRANSIENT);
    case 'b':
        s = va_arg(*ap, struct hm_slice);
        return s.len ? sqlite3_bind_blob(st, i, s.p, (int)s.len, SQLITE_TRANSIENT)
                     : sqlite3_bind_zeroblob(st, i, 0);
    case 'I':
        return sqlite3_bind_blob(st, i, va_arg(*ap, const uint8_t *), 16, SQLITE_TRANSIENT);
    case 'H':
        return sqlite3_bind_blob(st, i, va_arg(*ap, const uint8_t *), 32, SQLITE_TRANSIENT);
    case 'u':
        return sqlite3_bind_int64(st, i, (sqlite3_int64)va_arg(*ap, uint64_t));
    default: { /* z */
        uint64_t v = va_arg(*ap, uint64_t);
        return v ? sqlite3_bind_int64(st, i, (sqlite3_int64)v) : sqlite3_bind_null(st, i);
    }
    }
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

static sqlite3_stmt *bind_all(struct hm_control *c, enum hm_sql_id id, const char *format,
                              va_list *ap)
{
    if (!c->st[id] && sqlite3_prepare_v3(c->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                         &c->st[id], NULL) != SQLITE_OK) {
        hm_debug("control: statement %d: %s", (int)id, sqlite3_errmsg(c->db));
        return NULL;
    }
    sqlite3_stmt *st = c->st[id];
    if (sqlite3_stmt_busy(st)) {
        hm_debug("control: statement %d is in use", (int)id);
        return NULL;
    }
    sqlite3_reset(st);
    for (int i = 0; format[i]; i++)
        if (bind_one(st, i + 1, format[i], ap) != SQLITE_OK)
            return NULL;
    return st;
}

sqlite3_stmt *hm_sql_bind(struct hm_control *c, enum hm_sql_id id, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *st = bind_all(c, id, format, &ap);
    va_end(ap);
    return st;
}

int hm_sql_step(sqlite3_stmt *st)
{
    if (!st)
        return -EIO;
    int code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        hm_debug("control: %s", sqlite3_errmsg(sqlite3_db_handle(st)));
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return hm_sql_errno(code);
}

static int run(struct hm_control *c, sqlite3_stmt *st)
{
    int r;
    do
        r = hm_sql_step(st);
    while (r == 1);
    return r ? r : sqlite3_changes(c->db);
}

int hm_sql_run(struct hm_control *c, enum hm_sql_id id, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *st = bind_all(c, id, format, &ap);
    va_end(ap);
    return run(c, st);
}

int hm_sql_change(struct hm_control *c, enum hm_sql_id id, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *st = bind_all(c, id, format, &ap);
    va_end(ap);
    int r = run(c, st);
    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int hm_sql_rows(sqlite3_stmt *st, int (*row)(void *ctx, sqlite3_stmt *st), void *ctx)
{
    int r;
    while ((r = hm_sql_step(st)) == 1) {
        r = row(ctx, st);
        if (r) {
            sqlite3_reset(st);
            return r;
        }
    }
    return r;
}

int hm_sql_one(struct hm_control *c, uint64_t *ret, enum hm_sql_id id, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *st = bind_all(c, id, format, &ap);
    va_end(ap);
    int r = hm_sql_step(st);
    if (r == 0)
        return -ENOENT;
    if (r < 0)
        return r;
    *ret = hm_sql_u64(st, 0);
    sqlite3_reset(st);
    return 0;
}

uint64_t hm_sql_u64(sqlite3_stmt *st, int column)
{
    return (uint64_t)sqlite3_column_int64(st, column);
}

const char *hm_sql_text_null(sqlite3_stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st, column);
}

const char *hm_sql_text(sqlite3_stmt *st, int column)
{
    const char *s = hm_sql_text_null(st, column);
    return s ? s : "";
}

bool hm_sql_blob(sqlite3_stmt *st, int column, void *ret, size_t len)
{
    const void *p = sqlite3_column_blob(st, column);
    bool ok = p && (size_t)sqlite3_column_bytes(st, column) == len;
    if (ok)
        memcpy(ret, p, len);
    else
        memset(ret, 0, len);
    return ok;
}
