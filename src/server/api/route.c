/* See route.h. The table, finding a row, and the one place where authentication, CSRF and
 * permission are checked. */
#include "server/api/route.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#define API "/api/v1"
const struct hm_route hm_routes[] = {
    {HM_POST, API "/session", HM_MAY_NOTHING, HM_POOL_HASH, hm_handle_sign_in},
    {HM_GET, API "/session", HM_MAY_SESSION, HM_POOL_FAST, hm_handle_session},
    {HM_DELETE, API "/session", HM_MAY_SESSION, HM_POOL_FAST, hm_handle_sign_out},
    {HM_POST, API "/session/password", HM_MAY_SESSION, HM_POOL_HASH, hm_handle_password},
    {HM_GET, API "/overview", HM_MAY_READ, HM_POOL_FAST, hm_handle_overview},
    {HM_GET, API "/stream", HM_MAY_READ, HM_POOL_FAST, hm_handle_stream},
    {HM_GET, API "/endpoints", HM_MAY_READ, HM_POOL_FAST, hm_handle_endpoints},
    {HM_GET, API "/endpoints/{id}", HM_MAY_READ, HM_POOL_FAST, hm_handle_endpoint},
    {HM_PATCH, API "/endpoints/{id}", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_endpoint_edit},
    {HM_POST, API "/endpoints/{id}/revoke", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_endpoint_revoke},
    {HM_GET, API "/events", HM_MAY_HUNT, HM_POOL_HUNT, hm_handle_events},
    {HM_GET, API "/events/stream", HM_MAY_READ, HM_POOL_FAST, hm_handle_event_stream},
    {HM_GET, API "/alerts", HM_MAY_READ, HM_POOL_FAST, hm_handle_alerts},
    {HM_GET, API "/alerts/{id}", HM_MAY_READ, HM_POOL_FAST, hm_handle_alert},
    {HM_PATCH, API "/alerts/{id}", HM_MAY_TRIAGE, HM_POOL_FAST, hm_handle_alert_edit},
    {HM_GET, API "/alerts/{id}/tree", HM_MAY_READ, HM_POOL_FAST, hm_handle_alert_tree},
    {HM_GET, API "/alerts/{id}/timeline", HM_MAY_READ, HM_POOL_FAST, hm_handle_alert_timeline},
    {HM_GET, API "/stories", HM_MAY_READ, HM_POOL_FAST, hm_handle_stories},
    {HM_GET, API "/stories/{id}", HM_MAY_READ, HM_POOL_FAST, hm_handle_story},
    {HM_GET, API "/exceptions", HM_MAY_READ, HM_POOL_FAST, hm_handle_exceptions},
    {HM_POST, API "/exceptions", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_exception_new},
    {HM_POST, API "/exceptions/preview", HM_MAY_TRIAGE, HM_POOL_FAST, hm_handle_exception_preview},
    {HM_DELETE, API "/exceptions/{id}", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_exception_end},
    {HM_GET, API "/orders", HM_MAY_READ, HM_POOL_FAST, hm_handle_orders},
    {HM_POST, API "/orders", HM_MAY_RESPOND, HM_POOL_FAST, hm_handle_order_new},
    {HM_GET, API "/orders/{id}", HM_MAY_READ, HM_POOL_FAST, hm_handle_order},
    {HM_POST, API "/drills", HM_MAY_RESPOND, HM_POOL_FAST, hm_handle_drill},
    {HM_GET, API "/enrollment-tokens", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_tokens},
    {HM_POST, API "/enrollment-tokens", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_token_new},
    {HM_DELETE, API "/enrollment-tokens/{id}", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_token_revoke},
    {HM_GET, API "/rules", HM_MAY_READ, HM_POOL_FAST, hm_handle_rules},
    {HM_GET, API "/content", HM_MAY_READ, HM_POOL_FAST, hm_handle_content},
    {HM_GET, API "/content/endpoints", HM_MAY_READ, HM_POOL_FAST, hm_handle_content_endpoints},
    {HM_GET, API "/content/version", HM_MAY_READ, HM_POOL_FAST, hm_handle_content_version},
    {HM_GET, API "/content/bundle", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_bundle},
    {HM_POST, API "/content/imports", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_import_new},
    {HM_GET, API "/content/imports/{id}", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_import},
    {HM_POST, API "/content/imports/{id}/data", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_import_data},
    {HM_POST, API "/content/imports/{id}/finish", HM_MAY_MANAGE, HM_POOL_FAST,
     hm_handle_import_finish},
    {HM_POST, API "/content/publish", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_publish},
    {HM_POST, API "/content/rollback", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_rollback},
    {HM_PATCH, API "/content/rings", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_rings},
    {HM_GET, API "/content/sources", HM_MAY_READ, HM_POOL_FAST, hm_handle_sources},
    {HM_POST, API "/content/sources", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_source_set},
    {HM_POST, API "/content/sources/pull", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_source_pull},
    {HM_POST, API "/content/sources/remove", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_source_remove},
    {HM_GET, API "/content/trust", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_trust},
    {HM_POST, API "/content/trust", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_trust_add},
    {HM_POST, API "/content/trust/remove", HM_MAY_MANAGE, HM_POOL_FAST, hm_handle_trust_remove},
    {HM_GET, API "/audit", HM_MAY_AUDIT, HM_POOL_FAST, hm_handle_audit},
};
const size_t hm_route_count = HM_ARRAY_LEN(hm_routes);

static const struct {
    const char *role;
    unsigned may;
} roles[] = {
    {"admin", HM_MAY_SESSION | HM_MAY_READ | HM_MAY_HUNT | HM_MAY_TRIAGE | HM_MAY_RESPOND |
                  HM_MAY_MANAGE | HM_MAY_AUDIT},
    {"viewer", HM_MAY_SESSION | HM_MAY_READ},
    {"auditor", HM_MAY_SESSION | HM_MAY_AUDIT},
};

/* ---- finding ----------------------------------------------------------------------------------*/

static bool match(const char *pattern, const char *path, uint8_t id[HM_ID_BYTES])
{
    const char *brace = strstr(pattern, "{id}");
    size_t before = brace ? (size_t)(brace - pattern) : strlen(pattern);
    char hex[33];

    if (!brace)
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0 || strlen(path + before) < 32)
        return false;
    memcpy(hex, path + before, 32);
    hex[32] = 0;
    return hm_args_hex(hex, id, HM_ID_BYTES) && strcmp(brace + 4, path + before + 32) == 0;
}

static const char *method_name(unsigned m)
{
    return m == HM_GET ? "GET" : m == HM_POST ? "POST" : m == HM_PATCH ? "PATCH" : "DELETE";
}

bool hm_route_find(struct hm_call *c)
{
    char allow[64] = "";
    size_t n = 0;

    for (size_t i = 0; i < hm_route_count; i++) {
        if (!match(hm_routes[i].pattern, c->path, c->id))
            continue;
        c->route = &hm_routes[i];
        if (c->method == hm_routes[i].method)
            return true;
        n += (size_t)snprintf(allow + n, sizeof allow - n, "%s%s", n ? ", " : "",
                              method_name(hm_routes[i].method));
    }
    if (n) {
        c->allow = hm_call_copy(c, allow);
        hm_call_problem(c, HM_P_METHOD, NULL, NULL);
    } else {
        hm_call_problem(c, HM_P_NOT_FOUND, NULL, NULL);
    }
    c->route = NULL;
    return false;
}

/* ---- who --------------------------------------------------------------------------------------*/

static void set_role(struct hm_who *who, const char *role)
{
    snprintf(who->role, sizeof who->role, "%s", role);
    for (size_t i = 0; i < HM_ARRAY_LEN(roles); i++)
        if (strcmp(roles[i].role, role) == 0)
            who->may = roles[i].may;
}

static int take_session(void *ctx, const struct hm_session_row *r)
{
    struct hm_who *who = ctx;

    snprintf(who->tenant, sizeof who->tenant, "%s", r->tenant);
    snprintf(who->user, sizeof who->user, "%s", r->user);
    snprintf(who->csrf, sizeof who->csrf, "%s", r->csrf);
    snprintf(who->language, sizeof who->language, "%s", r->language);
    set_role(who, r->role);
    who->must_change = r->must_change;
    who->expires_ms = r->expires_ms;
    who->by_cookie = who->signed_in = true;
    return 0;
}

/* A bearer token goes before a cookie: whoever sends one means it. */
static int identify(struct hm_worker *w, struct hm_call *c)
{
    struct hm_who *who = &c->who;
    int r;

    if (c->bearer) {
        r = hm_api_token_check(w->control, c->bearer, who->tenant, who->user);
        if (r == 0) {
            who->signed_in = true;
            set_role(who,
                     "admin"); /* only `hinomi-server init` makes them, for root on this machine */
            who->expires_ms = hm_control_now_ms() + 365ull * 86400 * 1000;
        }
    } else if (c->cookie) {
        r = hm_session_get(w->control, c->cookie, take_session, who);
    } else {
        return 0;
    }
    return r == -ENOENT ? 0 : r;
}

static bool csrf_ok(const struct hm_call *c)
{
    size_t n = strlen(c->who.csrf);

    return c->csrf && n && strlen(c->csrf) == n && sodium_memcmp(c->csrf, c->who.csrf, n) == 0;
}

/* A browser names the page's origin on every change; ours has the host the request went to. */
static bool origin_ok(const struct hm_call *c)
{
    return !c->origin || (c->host && strncmp(c->origin, "https://", 8) == 0 &&
                          strcasecmp(c->origin + 8, c->host) == 0);
}

/* HM_P_COUNT: may go on. */
static enum hm_problem_id judge(const struct hm_call *c)
{
    bool changes = c->method != HM_GET;

    if (changes && !origin_ok(c))
        return HM_P_ORIGIN;
    if (c->route->need == HM_MAY_NOTHING)
        return HM_P_COUNT;
    if (!c->who.signed_in)
        return HM_P_UNAUTHENTICATED;
    if (changes && c->who.by_cookie && !csrf_ok(c))
        return HM_P_CSRF;
    if (c->who.must_change && c->route->need != HM_MAY_SESSION)
        return HM_P_MUST_CHANGE;
    return (c->route->need & c->who.may) == c->route->need ? HM_P_COUNT : HM_P_FORBIDDEN;
}

void hm_route_run(struct hm_worker *w, struct hm_call *c)
{
    int r = c->route->need ? identify(w, c) : 0;
    enum hm_problem_id no;

    if (r < 0)
        return hm_call_error(c, r);
    no = judge(c);
    if (no != HM_P_COUNT)
        return hm_call_problem(c, no, NULL, NULL);
    c->route->handle(w, c);
    if (c->out.error)
        hm_call_problem(c, HM_P_INTERNAL, NULL, NULL);
}
