/* Sign in, sign out, change the password. Passwords are hashed here on purpose slowly: these routes
 * have a pool of their own (route.c), bounded, so that nobody can use it to stop the rest. */
#include "server/api/route.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define SESSION_S (12u * 3600)

struct account {
    bool found, must_change;
    char tenant[HM_TENANT_MAX], name[65], hash[128], role[32], language[8];
};

static int take_user(void *ctx, const struct hm_user_row *r)
{
    struct account *a = ctx;

    a->found = true;
    a->must_change = r->must_change;
    snprintf(a->tenant, sizeof a->tenant, "%s", r->tenant);
    snprintf(a->name, sizeof a->name, "%s", r->name);
    snprintf(a->hash, sizeof a->hash, "%s", r->hash);
    snprintf(a->role, sizeof a->role, "%s", r->role);
    snprintf(a->language, sizeof a->language, "%s", r->language);
    return 0;
}

/* The account's own; else what the browser asks for; else what the server was set to. */
static const char *language_of(const struct hm_worker *w, const struct hm_call *c)
{
    if (c->who.language[0])
        return c->who.language;
    if (c->lang_said || !w->shared->language[0])
        return c->lang == HM_LANG_JA ? "ja" : "en";
    return w->shared->language;
}

static void write_session(struct hm_worker *w, struct hm_call *c)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{HM_MAY_READ, "read"},       {HM_MAY_HUNT, "hunt"},     {HM_MAY_TRIAGE, "triage"},
                 {HM_MAY_RESPOND, "respond"}, {HM_MAY_MANAGE, "manage"}, {HM_MAY_AUDIT, "audit"}};
    const struct hm_who *who = &c->who;
    struct hm_jw j = hm_call_json(c, 200);

    hm_jw_obj(&j, NULL);
    hm_jw_str(&j, "user", who->user);
    hm_jw_str(&j, "csrf", who->csrf);
    hm_jw_bool(&j, "must_change_password", who->must_change);
    hm_jw_str(&j, "language", language_of(w, c));
    hm_jw_str(&j, "role", who->role);
    hm_jw_arr(&j, "permissions");
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++)
        if (who->may & names[i].bit)
            hm_jw_str(&j, NULL, names[i].name);
    hm_jw_end_arr(&j);
    hm_jw_time_ms(&j, "expires", who->expires_ms);
    hm_jw_end_obj(&j);
}

static int set_cookie(struct hm_worker *w, struct hm_call *c, const char *tenant, const char *user)
{
    char cookie[65], csrf[65], header[256];
    int r = hm_session_create(w->control, tenant, user, SESSION_S, cookie, csrf);

    if (r)
        return r;
    snprintf(header, sizeof header,
             "__Host-hinomi=%s; Path=/; Max-Age=%u; Secure; HttpOnly; SameSite=Strict", cookie,
             SESSION_S);
    c->set_cookie = hm_call_copy(c, header);
    c->cookie = hm_call_copy(c, cookie);
    return c->set_cookie && c->cookie ? 0 : -ENOMEM;
}

static bool limited(struct hm_worker *w, struct hm_call *c, const char *user)
{
    c->retry_after_s = hm_limiter_try(w->shared->limiter, user, c->address, hm_control_now_ms());
    if (c->retry_after_s)
        hm_call_problem(c, HM_P_RATE, NULL, NULL);
    return c->retry_after_s != 0;
}

static int note(struct hm_worker *w, const struct hm_call *c, const struct account *a,
                const char *user, const char *action)
{
    char detail[128];

    snprintf(detail, sizeof detail, "from %s", c->address);
    return hm_audit_add(w->control, a->found ? a->tenant : "default", user, action, user, detail);
}

static int take_session(void *ctx, const struct hm_session_row *r)
{
    struct hm_who *who = ctx;

    snprintf(who->csrf, sizeof who->csrf, "%s", r->csrf);
    who->expires_ms = r->expires_ms;
    return 0;
}

/* The route table's roles decide what the new session may; the row is read back for that. */
static const struct hm_route *session_route(void)
{
    for (size_t i = 0; i < hm_route_count; i++)
        if (hm_routes[i].handle == hm_handle_session)
            return &hm_routes[i];
    return NULL;
}

void hm_handle_sign_in(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"user", HM_ARG_TEXT, true, 1, 64},
                                             {"password", HM_ARG_SECRET, true, 1, 1024}};
    struct hm_arg args[HM_ARRAY_LEN(params)];
    struct account a = {0};
    int r;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), args) || limited(w, c, args[0].text))
        return;
    r = hm_user_get(w->control, args[0].text, take_user, &a);
    if (r && r != -ENOENT)
        return hm_call_error(c, r);
    /* an unknown user costs as much time as a known one */
    if (!hm_password_verify(a.found ? a.hash : NULL, args[1].text)) {
        r = note(w, c, &a, args[0].text, "session.refused");
        return r ? hm_call_error(c, r) : hm_call_problem(c, HM_P_WRONG_PASSWORD, NULL, NULL);
    }
    hm_limiter_good(w->shared->limiter, args[0].text, c->address);
    r = note(w, c, &a, a.name, "session.sign_in");
    if (!r)
        r = set_cookie(w, c, a.tenant, a.name);
    if (r)
        return hm_call_error(c, r);
    c->bearer = NULL;
    c->method = HM_GET;
    c->route = session_route();
    hm_route_run(w, c); /* answers as GET /session would */
}

void hm_handle_session(struct hm_worker *w, struct hm_call *c)
{
    write_session(w, c);
}

void hm_handle_sign_out(struct hm_worker *w, struct hm_call *c)
{
    int r = 0;

    if (c->who.by_cookie) {
        r = hm_session_delete(w->control, c->cookie);
        if (r == 0)
            r = hm_audit_add(w->control, c->who.tenant, c->who.user, "session.sign_out",
                             c->who.user, "");
        c->end_streams_of = hm_call_copy(c, c->who.user);
    }
    if (r && r != -ENOENT)
        return hm_call_error(c, r);
    c->set_cookie = "__Host-hinomi=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
    hm_call_empty(c, 204);
}

static bool contains(const char *text, const char *word)
{
    return *word && strcasestr(text, word);
}

/* NULL: good enough. */
static const struct hm_text *judge_password(const char *user, const char *old, const char *new)
{
    static const struct hm_text same = {"the same as before", "以前と同じです"},
                                name = {"contains the user name", "ユーザー名を含んでいます"},
                                poor = {"too few different characters", "文字の種類が少なすぎます"};
    bool seen[256] = {false};
    int kinds = 0;

    for (const char *p = new; *p; p++)
        if (!seen[(uint8_t)*p])
            seen[(uint8_t)*p] = true, kinds++;
    return strcmp(old, new) == 0 ? &same : contains(new, user) ? &name : kinds < 5 ? &poor : NULL;
}

void hm_handle_password(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"old", HM_ARG_SECRET, true, 1, 1024},
                                             {"new", HM_ARG_SECRET, true, 12, 1024}};
    struct hm_arg args[HM_ARRAY_LEN(params)];
    const struct hm_text *why;
    struct account a = {0};
    char hash[128];
    int r;

    if (!c->who.by_cookie)
        return hm_call_problem(c, HM_P_FORBIDDEN, NULL, NULL);
    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), args))
        return;
    if ((why = judge_password(c->who.user, args[0].text, args[1].text)))
        return hm_call_problem(c, HM_P_INVALID, "new", why);
    if (limited(w, c, c->who.user))
        return;
    r = hm_user_get(w->control, c->who.user, take_user, &a);
    if (r)
        return hm_call_error(c, r);
    if (!hm_password_verify(a.hash, args[0].text)) {
        r = note(w, c, &a, a.name, "session.password_refused");
        return r ? hm_call_error(c, r) : hm_call_problem(c, HM_P_OLD_PASSWORD, "old", NULL);
    }
    hm_limiter_good(w->shared->limiter, c->who.user, c->address);
    r = hm_password_hash(args[1].text, hash);
    if (!r)
        r = hm_user_set_password(w->control, a.tenant, a.name, hash, a.name);
    if (!r)
        r = set_cookie(w, c, a.tenant, a.name);
    if (!r)
        r = hm_session_get(w->control, c->cookie, take_session, &c->who);
    if (r)
        return hm_call_error(c, r);
    c->end_streams_of = hm_call_copy(c, a.name);
    hm_call_empty(c, 204);
}
