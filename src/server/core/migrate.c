/* Owns the versions of the control database: the steps from an empty one to this program's, and the
 * walk over those that a database still lacks. Refuses to know what the tables are for. */
#include "server/core/sql.h"
#include <errno.h>
#include <stdio.h>

static const char *const steps[] = {
#include "server/core/schema_0001.h"
    ,
#include "server/core/schema_0002.h"
    ,
#include "server/core/schema_0003.h"
    ,
#include "server/core/schema_0004.h"
    ,
#include "server/core/schema_0005.h"
    ,
};
#define VERSION ((int)HM_ARRAY_LEN(steps))

int hm_control_version(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    int v = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return v;
}

static int run(sqlite3 *db, const char *sql, int version, struct hm_error *err)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return 0;
    int e = hm_sql_errno(code), r = e ? e : -EIO;
    return hm_fail(err, r, "schema, step %d: %s", version, sqlite3_errmsg(db));
}

static int one_step(sqlite3 *db, int version, struct hm_error *err)
{
    char set[64];
    snprintf(set, sizeof set, "PRAGMA user_version = %d", version);
    int r = run(db, steps[version - 1], version, err);
    return r ? r : run(db, set, version, err);
}

/* Another program may have done it while this one waited for the lock: look again inside. */
static int locked_step(sqlite3 *db, int version, struct hm_error *err)
{
    int r = run(db, "BEGIN IMMEDIATE", version, err);
    if (r)
        return r;
    if (hm_control_version(db) < version)
        r = one_step(db, version, err);
    if (!r)
        r = run(db, "COMMIT", version, err);
    if (r)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int hm_control_migrate(sqlite3 *db, bool empty, struct hm_error *err)
{
    int v = hm_control_version(db), r = 0;
    if (v > VERSION || v < 0 || (v == 0 && !empty))
        return hm_fail(err, -EPROTO, "schema version %d, this program knows 1 to %d", v, VERSION);
    while (!r && v < VERSION) {
        v++;
        r = empty ? one_step(db, v, err) : locked_step(db, v, err);
    }
    return r;
}
