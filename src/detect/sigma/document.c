/* Owns a document's head: id, titles, level, ATT&CK tags, log source, reasons and advice. */
#include "detect/sigma/document.h"
#include "base/buf.h"
#include "base/map.h"
#include "detect/limits.h"
#include "detect/sigma/imported.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct {
    const char *level;
    uint8_t severity;
} levels[] = {{"informational", 1}, {"low", 2}, {"medium", 3}, {"high", 4}, {"critical", 5}};

static const char *const statuses[] = {"",           "stable",     "test", "experimental",
                                       "deprecated", "unsupported"};

static int copy(struct hm_lang *l, const char *text, const char **ret)
{
    *ret = hm_arena_strndup(l->arena, text, strlen(text));
    return *ret ? 0 : -ENOMEM;
}

static int fail(struct hm_lang *l, const struct hm_yaml *y, const char *what, const char *name)
{
    return hm_fail_at(l->err, -EINVAL, y->line, y->column, what, name);
}

/* attack.t1059.004 → "T1059.004" among techniques; attack.defense_evasion → "defense-evasion" among
 * tactics: both spellings are in use, one name is kept. */
static int tags(struct hm_lang *l, const struct hm_yaml *doc, struct hm_rule *r)
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
        for (const char *p = *t ? t + 1 : ""; *p; p++)
            hm_buf_put_u8(b, *p == '_' ? '-' : (uint8_t)*p);
    }
    r->techniques = hm_arena_strndup(l->arena, techniques.data, techniques.len);
    r->tactics = hm_arena_strndup(l->arena, tactics.data, tactics.len);
    int e = techniques.error ? techniques.error : tactics.error;
    hm_buf_done(&techniques);
    hm_buf_done(&tactics);
    return e ? e : r->techniques && r->tactics ? 0 : -ENOMEM;
}

static int level(struct hm_lang *l, const struct hm_yaml *doc, struct hm_rule *r)
{
    const char *text = hm_yaml_str(doc, "level", "medium");
    for (size_t i = 0; i < HM_ARRAY_LEN(levels); i++) {
        if (strcmp(text, levels[i].level) == 0) {
            r->severity = levels[i].severity;
            return 0;
        }
    }
    return fail(l, hm_yaml_get(doc, "level"), "level \"%.40s\" is not one of Sigma's", text);
}

/* What the rule says for people; of a rule that is not ours, words are made (imported.h). */
static int words(struct hm_lang *l, const struct hm_yaml *doc, struct hm_rule *r)
{
    const struct hm_yaml *own = hm_yaml_get(doc, "hinomi");
    const struct {
        const char *key, **ret;
    } texts[] = {{"title_ja", &r->title_ja},
                 {"reason", &r->reason},
                 {"reason_ja", &r->reason_ja},
                 {"advice", &r->advice},
                 {"advice_ja", &r->advice_ja}};
    int e = 0;
    for (size_t i = 0; !e && i < HM_ARRAY_LEN(texts); i++)
        e = copy(l, hm_yaml_str(own, texts[i].key, ""), texts[i].ret);
    return e ? e : hm_imported_words(l->arena, doc, r);
}

/* What a match makes the agent do beyond the alert. */
static int wishes(struct hm_lang *l, const struct hm_yaml *doc, struct hm_rule *r)
{
    const struct hm_yaml *own = hm_yaml_get(doc, "hinomi");
    const char *scan = hm_yaml_str(own, "scan", "");
    r->scan_memory = strcmp(scan, "memory") == 0;
    return !*scan || r->scan_memory
               ? 0
               : fail(l, hm_yaml_get(own, "scan"), "scan \"%.40s\" is not \"memory\"", scan);
}

/* The id is optional in the specification, but hits, exceptions and references need one. */
static int identify(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const char *id = hm_yaml_str(doc, "id", "");
    char made[300];
    if (*id)
        return copy(l, id, &d->info.id);
    if (*d->name)
        snprintf(made, sizeof made, "name:%.256s", d->name);
    else
        snprintf(
            made, sizeof made, "hash:%016llx",
            (unsigned long long)hm_hash64(d->info.title, strlen(d->info.title), d->info.version));
    return copy(l, made, &d->info.id);
}

static int status(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const char *text = hm_yaml_str(doc, "status", "");
    for (size_t i = 0; i < HM_ARRAY_LEN(statuses); i++)
        if (strcmp(text, statuses[i]) == 0)
            return copy(l, text, &d->status);
    return fail(l, hm_yaml_get(doc, "status"), "status \"%.40s\" is not one of Sigma's", text);
}

static int source(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const struct hm_yaml *y = hm_yaml_get(doc, "logsource");
    if (!y || y->kind != HM_YAML_MAP)
        return fail(l, y ? y : doc, "%s has to be a map", "logsource");
    int e = copy(l, hm_yaml_str(y, "product", ""), &d->source.product);
    if (!e)
        e = copy(l, hm_yaml_str(y, "category", ""), &d->source.category);
    if (!e)
        e = copy(l, hm_yaml_str(y, "service", ""), &d->source.service);
    if (!e)
        e = copy(l, hm_yaml_str(y, "definition", ""), &d->source.definition);
    if (!e && !*d->source.product && !*d->source.category && !*d->source.service)
        return fail(l, y, "%s needs a product, a category or a service", "logsource");
    return e;
}

static int fields(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const struct hm_yaml *y = hm_yaml_get(doc, "fields");
    size_t n = y && y->kind == HM_YAML_LIST ? y->count : 0;
    d->fields = hm_arena_alloc(l->arena, (n + 1) * sizeof *d->fields);
    int e = d->fields ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < n; i++)
        if (y->items[i]->kind == HM_YAML_SCALAR)
            e = copy(l, y->items[i]->text, &d->fields[d->field_count++]);
    return e;
}

int hm_references_read(struct hm_lang *l, const struct hm_yaml *y, struct hm_reference **ret,
                       size_t *ret_count)
{
    size_t n = y->kind == HM_YAML_LIST ? y->count : 1;
    struct hm_reference *refs = hm_arena_alloc(l->arena, (n + 1) * sizeof *refs);
    if (!refs)
        return -ENOMEM;
    if (n > HM_REFERENCES_MAX)
        return hm_fail_at(l->err, -E2BIG, y->line, y->column, "more than %d names",
                          HM_REFERENCES_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct hm_yaml *one = y->kind == HM_YAML_LIST ? y->items[i] : y;
        if (one->kind != HM_YAML_SCALAR || one->text_len == 0)
            return fail(l, one, "%s has to be text", "a name");
        refs[i].place = (struct hm_place){one->line, one->column};
        int e = copy(l, one->text, &refs[i].name);
        if (e)
            return e;
    }
    *ret = refs;
    *ret_count = n;
    return 0;
}

static int read_filter(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const struct hm_yaml *section = hm_yaml_get(doc, "filter");
    const struct hm_yaml *rules = hm_yaml_get(section, "rules");
    if (section->kind != HM_YAML_MAP)
        return fail(l, section, "%s has to be a map", "filter");
    if (!rules || (rules->kind == HM_YAML_LIST && rules->count == 0) || rules->kind == HM_YAML_MAP)
        return fail(l, section, "a filter names its %s", "rules");
    d->filter.any = rules->kind == HM_YAML_SCALAR && strcmp(rules->text, "any") == 0;
    int e = source(l, doc, d);
    if (!e && !d->filter.any)
        e = hm_references_read(l, rules, &d->filter.rules, &d->filter.rule_count);
    return e ? e : hm_body_read(l, section, &d->body);
}

static int read_rule(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    const struct hm_yaml *section = hm_yaml_get(doc, "detection");
    if (!section || section->kind != HM_YAML_MAP)
        return fail(l, section ? section : doc, "%s has to be a map", "detection");
    int e = source(l, doc, d);
    if (!e)
        e = fields(l, doc, d);
    return e ? e : hm_body_read(l, section, &d->body);
}

static int read_kind(struct hm_lang *l, const struct hm_yaml *doc, struct hm_document *d)
{
    if (hm_yaml_get(doc, "correlation")) {
        d->kind = HM_DOCUMENT_CORRELATION;
        return hm_correlation_read(l, doc, &d->corr);
    }
    if (hm_yaml_get(doc, "filter")) {
        d->kind = HM_DOCUMENT_FILTER;
        return read_filter(l, doc, d);
    }
    d->kind = HM_DOCUMENT_RULE;
    return read_rule(l, doc, d);
}

int hm_document_read(struct hm_lang *l, const struct hm_yaml *y, const char *path, uint64_t version,
                     struct hm_document *ret_d)
{
    struct hm_document d = {.place = {y->line, y->column}, .info = {.version = version}};
    d.source = (struct hm_sigma_source){"", "", "", ""};
    if (y->kind != HM_YAML_MAP)
        return fail(l, y, "%s has to be a map", "a rule");
    if (hm_yaml_get(y, "action"))
        return fail(l, hm_yaml_get(y, "action"), "%s documents are of a format before Sigma 1.0",
                    "\"action\"");
    int e = copy(l, hm_yaml_str(y, "title", ""), &d.info.title);
    if (!e && !*d.info.title)
        return fail(l, y, "\"%s\" is missing", "title");
    if (!e)
        e = copy(l, hm_yaml_str(y, "name", ""), &d.name);
    if (!e)
        e = copy(l, path, &d.info.path);
    if (!e)
        e = identify(l, y, &d);
    if (!e)
        e = status(l, y, &d);
    if (!e)
        e = level(l, y, &d.info);
    if (!e)
        e = tags(l, y, &d.info);
    if (!e)
        e = words(l, y, &d.info);
    if (!e)
        e = wishes(l, y, &d.info);
    if (!e)
        e = read_kind(l, y, &d);
    if (!e)
        *ret_d = d;
    return e;
}
