/* Opening, making and migrating the control database; transactions; settings. Owns the connection
 * and its pragmas; knows no table but settings and tenants. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000

uint64_t hm_control_now_ms(void)
{
    return hm_clock_wall_ns() / 1000000;
}

static int pragmas(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    /* The -wal and -shm files stay when the last connection closes: api may not create files in
     * core's folder, and must find them. */
    int persist = 1;
    sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
    return sqlite3_exec(db,
                        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                        "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864;",
                        NULL, NULL, NULL);
}

static int open_db(const char *path, int flags, struct hm_control **ret_c, struct hm_error *err)
{
    struct hm_control *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    int code = sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = pragmas(c->db);
    if (code != SQLITE_OK) {
        int e = hm_sql_errno(code), r = e ? e : -EIO;
        hm_fail(err, r, "%s: %s", path, sqlite3_errmsg(c->db));
        hm_control_close(c);
        return r;
    }
    *ret_c = c;
    return 0;
}

int hm_control_open(const char *path, struct hm_control **ret_c, struct hm_error *err)
{
    if (access(path, F_OK) != 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    struct hm_control *c;
    int r = open_db(path, SQLITE_OPEN_READWRITE, &c, err);
    if (r)
        return r;
    r = hm_control_migrate(c->db, false, err);
    if (r) {
        hm_control_close(c);
        return r;
    }
    *ret_c = c;
    return 0;
}

void hm_control_close(struct hm_control *c)
{
    if (!c)
        return;
    for (int i = 0; i < HM_SQL_COUNT; i++)
        sqlite3_finalize(c->st[i]);
    sqlite3_close(c->db);
    free(c);
}

static int begin(struct hm_control *c, enum hm_sql_id how)
{
    if (c->depth > 0) {
        c->depth++;
        return 0;
    }
    int r = hm_sql_run(c, how, "");
    if (r < 0)
        return r;
    c->depth = 1;
    c->cancelled = false;
    return 0;
}

int hm_control_begin(struct hm_control *c)
{
    return begin(c, HM_SQL_BEGIN);
}

int hm_control_snapshot_begin(struct hm_control *c)
{
    return begin(c, HM_SQL_BEGIN_READ);
}

int hm_control_commit(struct hm_control *c)
{
    if (c->depth > 1) {
        c->depth--;
        return 0;
    }
    if (c->cancelled) {
        hm_control_rollback(c);
        return -ECANCELED;
    }
    int r = hm_sql_run(c, HM_SQL_COMMIT, "");
    if (r < 0) {
        hm_control_rollback(c);
        return r;
    }
    c->depth = 0;
    return 0;
}

void hm_control_rollback(struct hm_control *c)
{
    c->cancelled = true;
    if (c->depth > 1) {
        c->depth--;
        return;
    }
    if (!sqlite3_get_autocommit(c->db) && hm_sql_run(c, HM_SQL_ROLLBACK, "") < 0)
        hm_debug("control: rollback failed: %s", sqlite3_errmsg(c->db));
    c->depth = 0;
}

int hm_control_end(struct hm_control *c, int result)
{
    if (result < 0) {
        hm_control_rollback(c);
        return result;
    }
    int r = hm_control_commit(c);
    return r < 0 ? r : result;
}

int hm_setting_get(struct hm_control *c, const char *key, char *buf, size_t len)
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_SETTING_GET, "t", key);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    int n = snprintf(buf, len, "%s", hm_sql_text(st, 0));
    sqlite3_reset(st);
    return n >= 0 && (size_t)n < len ? 0 : -E2BIG;
}

int hm_setting_put(struct hm_control *c, const char *key, const char *value)
{
    return hm_sql_change(c, HM_SQL_SETTING_PUT, "tt", key, value);
}

/* 16 letters and digits that are not mistaken for one another: 80 bits. */
static int one_time_password(char ret[32])
{
    static const char letters[33] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32: no bias */
    uint8_t r[16];
    int e = hm_random(r, sizeof r);
    if (e)
        return e;
    char *p = ret;
    for (int i = 0; i < 16; i++) {
        if (i && i % 4 == 0)
            *p++ = '-';
        *p++ = letters[r[i] % 32];
    }
    *p = 0;
    return 0;
}

static int first_rows(struct hm_control *c, struct hm_control_first *f, const char *hash)
{
    uint64_t now = hm_control_now_ms();
    int r = hm_sql_change(c, HM_SQL_TENANT_ADD, "ttu", f->tenant, f->tenant, now);
    if (!r)
        r = hm_sql_change(c, HM_SQL_USER_ADD, "ttttuu", f->tenant, f->user, hash, "admin",
                          (uint64_t)1, now);
    if (!r)
        r = hm_api_token_create(c, f->tenant, "local", f->api_token);
    return r ? r : hm_audit_add(c, f->tenant, "init", "server.init", f->user, "");
}

static int fill(struct hm_control *c, struct hm_control_first *f, struct hm_error *err)
{
    char hash[128];
    snprintf(f->tenant, sizeof f->tenant, "default");
    snprintf(f->user, sizeof f->user, "admin");
    int r = one_time_password(f->password);
    if (!r)
        r = hm_password_hash(f->password, hash);
    if (r)
        return hm_fail(err, r, "cannot make the first password");
    r = hm_control_migrate(c->db, true, err);
    if (r)
        return r;
    r = first_rows(c, f, hash);
    return r ? hm_fail(err, r, "first rows: %s", sqlite3_errmsg(c->db)) : 0;
}

int hm_control_init(const char *path, struct hm_control_first *ret_first, struct hm_error *err)
{
    struct hm_control *c;
    struct hm_control_first f = {0};
    int r = open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &c, err);
    if (r)
        return r;
    if (hm_control_version(c->db) != 0) {
        hm_control_close(c);
        return hm_fail(err, -EEXIST, "%s is already there", path);
    }
    r = hm_control_begin(c);
    if (!r)
        r = hm_control_end(c, fill(c, &f, err));
    hm_control_close(c);
    if (!r && chmod(path, 0660) != 0)
        r = hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (!r)
        *ret_first = f;
    return r;
}
