/* Owns the reading of a rule's metadata: id, titles, level, ATT&CK tags, reasons. */
#include "detect/sigma/rule.h"
#include <ctype.h>
#include <errno.h>

static const struct {
    const char *level;
    uint8_t severity;
} levels[] = {{"informational", 1}, {"low", 2}, {"medium", 3}, {"high", 4}, {"critical", 5}};

static int required(struct hm_sigma *s, const struct hm_yaml *doc, const char *key,
                    const char **ret)
{
    const char *text = hm_yaml_str(doc, key, "");
    if (!*text)
        return hm_fail_at(s->err, -EINVAL, doc->line, doc->column, "\"%s\" is missing", key);
    *ret = hm_arena_strndup(s->arena, text, strlen(text));
    return *ret ? 0 : -ENOMEM;
}

static const char *keep(struct hm_sigma *s, const char *text)
{
    const char *copy = hm_arena_strndup(s->arena, text, strlen(text));
    return copy ? copy : "";
}

/* attack.t1059.004 → "T1059.004" among techniques; attack.execution → among tactics. */
static int tags(struct hm_sigma *s, const struct hm_yaml *doc, struct hm_rule *r)
{
    const struct hm_yaml *list = hm_yaml_get(doc, "tags");
    struct hm_buf techniques = HM_BUF(4096), tactics = HM_BUF(4096);
    for (size_t i = 0; list && list->kind == HM_YAML_LIST && i < list->count; i++) {
        const char *t = list->items[i]->kind == HM_YAML_SCALAR ? list->items[i]->text : "";
        if (strncmp(t, "attack.", 7) != 0)
            continue;
        t += 7;
        bool technique = t[0] == 't' && isdigit((unsigned char)t[1]);
        struct hm_buf *b = technique ? &techniques : &tactics;
        if (b->len)
            hm_buf_put_u8(b, ',');
        hm_buf_put_u8(b, technique ? 'T' : (uint8_t)t[0]);
        hm_buf_puts(b, *t ? t + 1 : "");
    }
    r->techniques = hm_arena_strndup(s->arena, techniques.data, techniques.len);
    r->tactics = hm_arena_strndup(s->arena, tactics.data, tactics.len);
    int e = techniques.error ? techniques.error : tactics.error;
    hm_buf_done(&techniques);
    hm_buf_done(&tactics);
    return e ? e : r->techniques && r->tactics ? 0 : -ENOMEM;
}

static int level(struct hm_sigma *s, const struct hm_yaml *doc, struct hm_rule *r)
{
    const char *text = hm_yaml_str(doc, "level", "medium");
    for (size_t i = 0; i < HM_ARRAY_LEN(levels); i++) {
        if (strcmp(text, levels[i].level) == 0) {
            r->severity = levels[i].severity;
            return 0;
        }
    }
    return hm_fail_at(s->err, -EINVAL, doc->line, doc->column,
                      "level \"%.40s\" is not one of Sigma's", text);
}

/* Rules that we did not write have no words of their own: what they are called is the reason. */
static void words(struct hm_sigma *s, const struct hm_yaml *doc, struct hm_rule *r)
{
    const struct hm_yaml *own = hm_yaml_get(doc, "hinomi");
    const char *about = hm_yaml_str(doc, "description", r->title);
    r->title_ja = keep(s, hm_yaml_str(own, "title_ja", r->title));
    r->reason = keep(s, hm_yaml_str(own, "reason", about));
    r->reason_ja = keep(s, hm_yaml_str(own, "reason_ja", r->reason));
    r->advice = keep(s, hm_yaml_str(own, "advice", ""));
    r->advice_ja = keep(s, hm_yaml_str(own, "advice_ja", r->advice));
    r->scan_memory = strcmp(hm_yaml_str(own, "scan", ""), "memory") == 0;
}

int hm_sigma_rule(struct hm_sigma *s, const struct hm_yaml *doc, const char *path, uint64_t version,
                  struct hm_sigma_rule *ret_r)
{
    struct hm_sigma_rule r = {.info = {.version = version}};
    if (doc->kind != HM_YAML_MAP)
        return hm_fail_at(s->err, -EINVAL, doc->line, doc->column, "a rule has to be a map");
    if (hm_yaml_get(doc, "correlation"))
        return hm_fail_at(s->err, -EINVAL, doc->line, doc->column,
                          "correlations are not supported by this version");
    const struct hm_yaml *detection = hm_yaml_get(doc, "detection"),
                         *source = hm_yaml_get(doc, "logsource");
    int e = required(s, doc, "id", &r.info.id);
    if (!e)
        e = required(s, doc, "title", &r.info.title);
    if (!e &&
        (!detection || detection->kind != HM_YAML_MAP || !source || source->kind != HM_YAML_MAP))
        e = hm_fail_at(s->err, -EINVAL, doc->line, doc->column,
                       "detection and logsource have to be maps");
    if (!e)
        e = level(s, doc, &r.info);
    if (!e)
        e = tags(s, doc, &r.info);
    if (e)
        return e;
    words(s, doc, &r.info);
    r.info.path = keep(s, path);
    r.live =
        hm_logsource_route(hm_yaml_str(source, "product", ""), hm_yaml_str(source, "category", ""),
                           hm_yaml_str(source, "service", ""), &r.route) &&
        r.route.view == HM_VIEW_EVENT; /* this matcher knows no other view */
    /* A rule for another log source may use fields that we do not have: it sleeps, uncompiled. */
    e = r.live ? hm_sigma_condition(s, detection, &r.condition) : 0;
    if (!e)
        *ret_r = r;
    return e;
}
