/* Statements by name, bound by a format: the only way this program talks to SQLite. Every SQL text
 * is a row of statements.def; nothing is ever pasted into one. Internal to the control library. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <sqlite3.h>

/* States of alert_states.def that ask nothing of anybody any more. */
#define HM_CLOSED_STATES "('FALSE_POSITIVE', 'BENIGN', 'DUPLICATE', 'CLOSED')"

enum hm_sql_id {
#define S(id, sql) HM_SQL_##id,
#include "server/core/statements.def"
#undef S
    HM_SQL_COUNT
};

struct hm_control {
    sqlite3 *db;
    sqlite3_stmt *st[HM_SQL_COUNT]; /* prepared at first use */
    int depth;                      /* of nested transactions */
    bool cancelled;                 /* an inner one was rolled back */
};

/* Reset, bind and hand out a statement; step it with hm_sql_step(). One letter a parameter:
 *   t const char * (NULL: NULL)   s struct hm_slice as text   b struct hm_slice as blob
 *   I const uint8_t * of 16 bytes, H of 32 (NULL: NULL)       u uint64_t   z uint64_t, 0: NULL
 * Errors: NULL, details at debug. A statement that is being stepped may not be handed out again. */
sqlite3_stmt *hm_sql_bind(struct hm_control *c, enum hm_sql_id id, const char *format, ...);
/* 1 a row, 0 the end (statement reset), or a negative errno (statement reset). */
int hm_sql_step(sqlite3_stmt *st) HM_CHECK;
/* Bind and run to the end: number of changed rows or a negative errno. */
int hm_sql_run(struct hm_control *c, enum hm_sql_id id, const char *format, ...) HM_CHECK;
/* hm_sql_run, and -ENOENT when no row was changed. */
int hm_sql_change(struct hm_control *c, enum hm_sql_id id, const char *format, ...) HM_CHECK;
/* Step to the end: row() for each row. */
int hm_sql_rows(sqlite3_stmt *st, int (*row)(void *ctx, sqlite3_stmt *st), void *ctx) HM_CHECK;
/* First column of the first row; -ENOENT without one. */
int hm_sql_one(struct hm_control *c, uint64_t *ret, enum hm_sql_id id, const char *format,
               ...) HM_CHECK;

uint64_t hm_sql_u64(sqlite3_stmt *st, int column);
const char *hm_sql_text(sqlite3_stmt *st, int column);      /* never NULL */
const char *hm_sql_text_null(sqlite3_stmt *st, int column); /* NULL for NULL */
/* Copies a blob of exactly len bytes; zeros when it is not. Returns whether it was. */
bool hm_sql_blob(sqlite3_stmt *st, int column, void *ret, size_t len);
int hm_sql_errno(int sqlite_code);

/* ---- migrate.c ---- */
int hm_control_version(sqlite3 *db); /* 0 an empty database, -1 unreadable */
/* Bring the schema to this program's version, step by step, each in a transaction of its own: a
 * kill leaves an old or the new version. empty: a new database, inside the caller's transaction.
 * Errors:  -EPROTO made by a newer program; -EIO, -EBUSY the database failed.
 * Threads: several programs may try at once: the others wait and find it done. */
int hm_control_migrate(sqlite3 *db, bool empty, struct hm_error *err) HM_CHECK;
