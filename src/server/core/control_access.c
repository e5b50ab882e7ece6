/* Who may come in: users, sessions, API tokens, enrolment tokens. Secrets are shown once and kept
 * as hashes: argon2id for what people choose, SHA-256 for 192 or more random bits. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/crypto.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define SECRET_BYTES    32
#define TOKEN_BYTES     24
#define IDLE_MS         (60 * 60 * 1000ull)
#define USED_EVERY_MS   (60 * 1000ull) /* a session's last use is written that often at most */
#define TOKEN_USES_MAX  100000
#define TOKEN_TTL_MIN_S 60
#define TOKEN_TTL_MAX_S (30 * 24 * 3600)

static void to_hex(const uint8_t *p, size_t len, char *ret)
{
    sodium_bin2hex(ret, len * 2 + 1, p, len);
}

static void hash_text(struct hm_slice s, uint8_t ret[HM_SHA256_BYTES])
{
    hm_sha256(s, ret);
}

int hm_password_hash(const char *password, char ret_hash[128])
{
    _Static_assert(crypto_pwhash_STRBYTES <= 128, "libsodium's string fits");
    if (sodium_init() < 0)
        return -EIO;
    if (crypto_pwhash_str(ret_hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return -ENOMEM;
    return 0;
}

bool hm_password_verify(const char *hash, const char *password)
{
    /* A hash of nothing anybody knows: an unknown user costs the same time as a wrong password. */
    static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    if (sodium_init() < 0)
        return false;
    bool ok = crypto_pwhash_str_verify(hash ? hash : nobody, password, strlen(password)) == 0;
    return hash && ok;
}

struct users {
    int (*each)(void *ctx, const struct hm_user_row *r);
    void *ctx;
};

static int user_row(void *ctx, sqlite3_stmt *st)
{
    struct users *u = ctx;
    struct hm_user_row r = {hm_sql_text(st, 0), hm_sql_text(st, 1), hm_sql_text(st, 2),
                            hm_sql_text(st, 3), hm_sql_text(st, 4), hm_sql_u64(st, 5) != 0};
    int e = u->each(u->ctx, &r);
    return e ? e : 1;
}

int hm_user_get(struct hm_control *c, const char *name,
                int (*each)(void *ctx, const struct hm_user_row *r), void *ctx)
{
    struct users u = {each, ctx};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_USER_GET, "t", name), user_row, &u);
    return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

static int set_password(struct hm_control *c, const char *tenant, const char *name,
                        const char *hash, const char *actor)
{
    int r = hm_sql_change(c, HM_SQL_USER_PASSWORD, "ttt", tenant, name, hash);
    if (r)
        return r;
    r = hm_sql_run(c, HM_SQL_USER_SESSIONS_END, "tt", tenant, name);
    return r < 0 ? r : hm_audit_add(c, tenant, actor, "user.password", name, "");
}

int hm_user_set_password(struct hm_control *c, const char *tenant, const char *name,
                         const char *hash, const char *actor)
{
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, set_password(c, tenant, name, hash, actor));
}

static int session_add(struct hm_control *c, const char *tenant, const char *user, uint64_t ttl_s,
                       const char *cookie, const char *csrf)
{
    uint8_t hash[HM_SHA256_BYTES];
    uint64_t now = hm_control_now_ms();
    hash_text(hm_slice_str(cookie), hash);
    int r = hm_sql_run(c, HM_SQL_SESSION_PURGE, "uu", now, now > IDLE_MS ? now - IDLE_MS : 0);
    if (r < 0)
        return r;
    r = hm_sql_run(c, HM_SQL_USER_LOGIN, "ttu", tenant, user, now);
    if (r < 0)
        return r;
    return hm_sql_change(c, HM_SQL_SESSION_ADD, "Htttuu", hash, tenant, user, csrf, now,
                         now + ttl_s * 1000);
}

int hm_session_create(struct hm_control *c, const char *tenant, const char *user, uint64_t ttl_s,
                      char ret_cookie[65], char ret_csrf[65])
{
    uint8_t secret[2][SECRET_BYTES];
    char cookie[65], csrf[65];
    int r = hm_random(secret, sizeof secret);
    if (r)
        return r;
    to_hex(secret[0], SECRET_BYTES, cookie);
    to_hex(secret[1], SECRET_BYTES, csrf);
    r = hm_control_begin(c);
    if (!r)
        r = hm_control_end(c, session_add(c, tenant, user, ttl_s, cookie, csrf));
    if (r)
        return r;
    memcpy(ret_cookie, cookie, sizeof cookie);
    memcpy(ret_csrf, csrf, sizeof csrf);
    return 0;
}

struct sessions {
    int (*each)(void *ctx, const struct hm_session_row *r);
    void *ctx;
    uint64_t used_ms;
};

static int session_row(void *ctx, sqlite3_stmt *st)
{
    struct sessions *s = ctx;
    struct hm_session_row r = {hm_sql_text(st, 0), hm_sql_text(st, 1), hm_sql_text(st, 2),
                               hm_sql_text(st, 3), hm_sql_text(st, 4), hm_sql_u64(st, 5) != 0,
                               hm_sql_u64(st, 6)};
    s->used_ms = hm_sql_u64(st, 7);
    int e = s->each(s->ctx, &r);
    return e ? e : 1;
}

int hm_session_get(struct hm_control *c, const char *cookie,
                   int (*each)(void *ctx, const struct hm_session_row *r), void *ctx)
{
    struct sessions s = {each, ctx, 0};
    uint8_t hash[HM_SHA256_BYTES];
    uint64_t now = hm_control_now_ms();
    hash_text(hm_slice_str(cookie), hash);
    int r = hm_sql_rows(
        hm_sql_bind(c, HM_SQL_SESSION_GET, "Huu", hash, now, now > IDLE_MS ? now - IDLE_MS : 0),
        session_row, &s);
    if (r != 1)
        return r ? r : -ENOENT;
    if (now > s.used_ms + USED_EVERY_MS)
        r = hm_sql_run(c, HM_SQL_SESSION_USED, "Hu", hash, now);
    return r < 0 ? r : 0;
}

int hm_session_delete(struct hm_control *c, const char *cookie)
{
    uint8_t hash[HM_SHA256_BYTES];
    hash_text(hm_slice_str(cookie), hash);
    return hm_sql_change(c, HM_SQL_SESSION_DELETE, "H", hash);
}

/* "hm" + kind + "_" + 48 hex digits, and its hash. */
static int token_make(char kind, char ret_token[64], uint8_t ret_hash[HM_SHA256_BYTES])
{
    uint8_t secret[TOKEN_BYTES];
    int r = hm_random(secret, sizeof secret);
    if (r)
        return r;
    int n = snprintf(ret_token, 64, "hm%c_", kind);
    to_hex(secret, sizeof secret, ret_token + n);
    hash_text(hm_slice_str(ret_token), ret_hash);
    return 0;
}

int hm_api_token_create(struct hm_control *c, const char *tenant, const char *name,
                        char ret_token[64])
{
    uint8_t hash[HM_SHA256_BYTES];
    int r = token_make('a', ret_token, hash);
    return r ? r
             : hm_sql_change(c, HM_SQL_API_TOKEN_ADD, "Htttu", hash, tenant, name, "admin",
                             hm_control_now_ms());
}

int hm_api_token_check(struct hm_control *c, const char *token, char ret_tenant[HM_TENANT_MAX],
                       char ret_name[64])
{
    uint8_t hash[HM_SHA256_BYTES];
    hash_text(hm_slice_str(token), hash);
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_API_TOKEN_GET, "Hu", hash, hm_control_now_ms());
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    snprintf(ret_tenant, HM_TENANT_MAX, "%s", hm_sql_text(st, 0));
    snprintf(ret_name, 64, "%s", hm_sql_text(st, 1));
    sqlite3_reset(st);
    return 0;
}

int hm_enroll_token_create(struct hm_control *c, const char *tenant, const char *group,
                           uint64_t uses, uint64_t ttl_s, const char *actor,
                           uint8_t ret_id[HM_ID_BYTES], char ret_token[64])
{
    uint8_t hash[HM_SHA256_BYTES], id[HM_ID_BYTES];
    char hex[HM_ID_BYTES * 2 + 1];
    uint64_t now = hm_control_now_ms();
    if (uses < 1 || uses > TOKEN_USES_MAX || ttl_s < TOKEN_TTL_MIN_S || ttl_s > TOKEN_TTL_MAX_S ||
        !group[0] || strlen(group) >= HM_TENANT_MAX)
        return -EINVAL;
    int r = hm_random(id, sizeof id);
    if (!r)
        r = token_make('e', ret_token, hash);
    if (!r)
        r = hm_control_begin(c);
    if (r)
        return r;
    to_hex(id, sizeof id, hex);
    r = hm_sql_change(c, HM_SQL_ENROLL_TOKEN_ADD, "tIHtuuut", tenant, id, hash, group, uses, now,
                      now + ttl_s * 1000, actor);
    if (!r)
        r = hm_audit_add(c, tenant, actor, "token.create", hex, group);
    r = hm_control_end(c, r);
    if (!r)
        memcpy(ret_id, id, sizeof id);
    return r;
}

struct tokens {
    int (*each)(void *ctx, const struct hm_enroll_token_row *r);
    void *ctx;
};

static int token_row(void *ctx, sqlite3_stmt *st)
{
    struct tokens *t = ctx;
    struct hm_enroll_token_row r = {.group = hm_sql_text(st, 1),
                                    .actor = hm_sql_text(st, 2),
                                    .uses = hm_sql_u64(st, 3),
                                    .used = hm_sql_u64(st, 4),
                                    .created_ms = hm_sql_u64(st, 5),
                                    .expires_ms = hm_sql_u64(st, 6),
                                    .revoked = hm_sql_u64(st, 7) != 0};
    hm_sql_blob(st, 0, r.id, sizeof r.id);
    return t->each(t->ctx, &r);
}

int hm_enroll_token_list(struct hm_control *c, const char *tenant,
                         int (*each)(void *ctx, const struct hm_enroll_token_row *r), void *ctx)
{
    struct tokens t = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ENROLL_TOKEN_LIST, "t", tenant), token_row, &t);
}

int hm_enroll_token_revoke(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                           const char *actor)
{
    char hex[HM_ID_BYTES * 2 + 1];
    to_hex(id, HM_ID_BYTES, hex);
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_ENROLL_TOKEN_REVOKE, "tIu", tenant, id, hm_control_now_ms());
    if (!r)
        r = hm_audit_add(c, tenant, actor, "token.revoke", hex, "");
    return hm_control_end(c, r);
}

int hm_enroll_token_take(struct hm_control *c, struct hm_slice token, uint64_t now_ms,
                         struct hm_enroll_grant *ret)
{
    uint8_t hash[HM_SHA256_BYTES];
    struct hm_enroll_grant g = {0};
    hash_text(token, hash);
    /* One UPDATE decides and counts: two endpoints cannot share the last use. */
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_ENROLL_TOKEN_TAKE, "Hu", hash, now_ms);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -EACCES;
    snprintf(g.tenant, sizeof g.tenant, "%s", hm_sql_text(st, 0));
    snprintf(g.group, sizeof g.group, "%s", hm_sql_text(st, 1));
    hm_sql_blob(st, 2, g.token, sizeof g.token);
    r = hm_sql_step(st); /* to the end: the change is committed there */
    if (r < 0)
        return r;
    *ret = g;
    return 0;
}

int hm_enroll_token_give_back(struct hm_control *c, const struct hm_enroll_grant *g)
{
    return hm_sql_change(c, HM_SQL_ENROLL_TOKEN_GIVE_BACK, "tI", g->tenant, g->token);
}
