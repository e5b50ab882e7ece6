/* Sources of detection content: where they are and how the last pull went. Their credentials go in
 * and never come out. */
#include "server/api/route.h"
#include "server/core/control_content.h"
#include <cjson/cJSON.h>
#include <errno.h>

#define EVERY_S_DEFAULT 3600

/* What the answer shows of a source's description. */
static void write_spec(struct hm_jw *j, const char *spec)
{
    static const char *const shown[] = {"url", "collection", "user", "sha256", "publish"};
    static const char *const flags[] = {"private", "may_shrink"};
    cJSON *o = cJSON_Parse(spec);

    for (size_t i = 0; i < HM_ARRAY_LEN(shown); i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, shown[i]);
        hm_jw_str(j, shown[i], cJSON_IsString(v) ? v->valuestring : "");
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(flags); i++)
        hm_jw_bool(j, flags[i], cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, flags[i])));
    hm_jw_bool(j, "credentials",
               cJSON_GetObjectItemCaseSensitive(o, "password") ||
                   cJSON_GetObjectItemCaseSensitive(o, "key"));
    cJSON_Delete(o);
}

static int write_source(void *ctx, const struct hm_content_source *s)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_str(j, "name", s->name);
    hm_jw_str(j, "kind", s->kind);
    write_spec(j, s->spec);
    hm_jw_u64(j, "every_s", s->every_s);
    hm_jw_u64(j, "items", s->items);
    hm_jw_u64(j, "failures", s->failures);
    hm_jw_str(j, "error", s->error);
    hm_jw_time_ms(j, "tried", s->tried_ms);
    hm_jw_time_ms(j, "good", s->good_ms);
    hm_jw_time_ms(j, "next", s->next_ms);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_sources(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);

    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    int e = hm_content_source_list(w->control, c->who.tenant, write_source, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (e)
        hm_call_error(c, e);
}

enum {
    NAME,
    KIND,
    URL,
    COLLECTION,
    EVERY,
    USER,
    PASSWORD,
    KEY,
    KEY_HEADER,
    SHA256,
    PUBLISH,
    PRIVATE,
    MAY_SHRINK,
    FIELDS
};
static const struct hm_param source_params[FIELDS] = {
    [NAME] = {"name", HM_ARG_TEXT, true, 1, HM_CONTENT_NAME_MAX},
    [KIND] = {"kind", HM_ARG_TEXT, true, 1, 10},
    [URL] = {"url", HM_ARG_TEXT, true, 1, 1000},
    [COLLECTION] = {"collection", HM_ARG_TEXT, false, 1, 100},
    [EVERY] = {"every_s", HM_ARG_UINT, false, 60, 30 * 86400},
    [USER] = {"user", HM_ARG_TEXT, false, 1, 200},
    [PASSWORD] = {"password", HM_ARG_SECRET, false, 1, 1000},
    [KEY] = {"key", HM_ARG_SECRET, false, 1, 2000},
    [KEY_HEADER] = {"key_header", HM_ARG_TEXT, false, 1, 100},
    [SHA256] = {"sha256", HM_ARG_TEXT, false, 64, 64},
    [PUBLISH] = {"publish", HM_ARG_TEXT, false, 1, 10},
    [PRIVATE] = {"private", HM_ARG_BOOL, false, 0, 0},
    [MAY_SHRINK] = {"may_shrink", HM_ARG_BOOL, false, 0, 0},
};

static bool one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static const char *wrong_field(const struct hm_arg *a)
{
    static const char *const kinds[] = {"http", "taxii", "folder"}, *const rings[] = {"canary",
                                                                                      "all"};
    bool folder = strcmp(a[KIND].text, "folder") == 0;
    bool web = strncmp(a[URL].text, "https://", 8) == 0 || strncmp(a[URL].text, "http://", 7) == 0;

    if (!one_of(a[KIND].text, kinds, HM_ARRAY_LEN(kinds)))
        return "kind";
    if (a[PUBLISH].present && !one_of(a[PUBLISH].text, rings, HM_ARRAY_LEN(rings)))
        return "publish";
    if (folder == web)
        return "url";
    /* It becomes a part of a path. */
    bool id = a[COLLECTION].present &&
              strspn(a[COLLECTION].text, "0123456789abcdefABCDEF-") == strlen(a[COLLECTION].text);
    if (strcmp(a[KIND].text, "taxii") == 0 ? !id : a[COLLECTION].present)
        return "collection";
    return NULL;
}

static char *spec_of(const struct hm_arg *a)
{
    static const int texts[] = {URL, COLLECTION, USER, PASSWORD, KEY, KEY_HEADER, SHA256, PUBLISH};
    static const int flags[] = {PRIVATE, MAY_SHRINK};
    cJSON *o = cJSON_CreateObject();

    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++)
        if (a[texts[i]].present)
            cJSON_AddStringToObject(o, source_params[texts[i]].name, a[texts[i]].text);
    for (size_t i = 0; i < HM_ARRAY_LEN(flags); i++)
        if (a[flags[i]].present && a[flags[i]].flag)
            cJSON_AddBoolToObject(o, source_params[flags[i]].name, true);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

static void done(struct hm_call *c, int e)
{
    if (e)
        return e == -EINVAL ? hm_call_problem(c, HM_P_INVALID, "name", NULL) : hm_call_error(c, e);
    c->poke = "content";
    hm_call_empty(c, 202);
}

void hm_handle_source_set(struct hm_worker *w, struct hm_call *c)
{
    struct hm_arg a[FIELDS];

    if (!hm_call_body(c, source_params, FIELDS, a))
        return;
    const char *wrong = wrong_field(a);
    if (wrong)
        return hm_call_problem(c, HM_P_INVALID, wrong, NULL);
    hm_autofree char *spec = spec_of(a);
    done(c, spec ? hm_content_source_put(w->control, c->who.tenant, a[NAME].text, a[KIND].text,
                                         spec, a[EVERY].present ? a[EVERY].u64 : EVERY_S_DEFAULT,
                                         c->who.user)
                 : -ENOMEM);
}

static bool take_name(struct hm_call *c, struct hm_arg *ret)
{
    static const struct hm_param params[] = {{"name", HM_ARG_TEXT, true, 1, HM_CONTENT_NAME_MAX}};

    return hm_call_body(c, params, HM_ARRAY_LEN(params), ret);
}

void hm_handle_source_pull(struct hm_worker *w, struct hm_call *c)
{
    struct hm_arg a;

    if (take_name(c, &a))
        done(c, hm_content_source_now(w->control, c->who.tenant, a.text, c->who.user));
}

void hm_handle_source_remove(struct hm_worker *w, struct hm_call *c)
{
    struct hm_arg a;

    if (take_name(c, &a))
        done(c, hm_content_source_delete(w->control, c->who.tenant, a.text, c->who.user));
}
