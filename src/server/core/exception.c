/* See exception.h. Conditions are the items of a Sigma search; the rest of a rule is put around
 * them. Rules may name fields as Sigma or as our JSON does: the evidence is JSON, so Sigma's names
 * are read as ours. */
#include "server/core/exception.h"
#include "base/buf.h"
#include "detect/match/match.h"
#include "detect/record/record.h"
#include "detect/sigma/collection.h"
#include "event/event.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const uint32_t every[1]; /* the one source: there is no routing here */

struct item { /* one exception; index = rule of the program */
    char tenant[HM_TENANT_MAX], group[HM_TENANT_MAX];
    char *rule_id, *title, *owner;
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    bool has_endpoint;
    uint64_t expires_ms;
};
struct mapped_view { /* first: the view that the program sees */
    struct hm_view view;
    const struct hm_view *inner;
    const uint32_t *real;
};
struct hm_exception_set {
    struct hm_names *names;
    struct hm_sigma_collection *rules;
    struct hm_program *program;
    struct hm_scratch *scratch;
    struct hm_record *record;
    uint32_t *real; /* id of a name → id of the name in JSON */
    struct item *items;
    size_t count, cap;
};

void hm_exception_set_free(struct hm_exception_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].rule_id);
        free(s->items[i].title);
        free(s->items[i].owner);
    }
    free(s->items);
    free(s->real);
    hm_record_free(s->record);
    hm_scratch_free(s->scratch);
    hm_program_free(s->program);
    hm_sigma_collection_free(s->rules);
    hm_names_free(s->names);
    free(s);
}

static int set_new(struct hm_exception_set **ret_s)
{
    struct hm_exception_set *s = calloc(1, sizeof *s);
    struct hm_sigma_options o = {.names = s ? (s->names = hm_names_new()) : NULL};
    if (!s || !s->names || hm_sigma_collection_new(&o, &s->rules)) {
        hm_exception_set_free(s);
        return -ENOMEM;
    }
    *ret_s = s;
    return 0;
}

/* ---- from conditions to a rule ---- */
static void keep_first(void *ctx, const struct hm_rule_problem *p)
{
    struct hm_error *err = ctx;
    if (!err->code)
        *err = p->error;
}

/* Each line of the conditions is moved in, so that none can leave the search. */
static void put_where(struct hm_buf *out, const char *where)
{
    for (const char *p = where; *p;) {
        size_t n = strcspn(p, "\n");
        hm_buf_puts(out, "    ");
        hm_buf_put(out, p, n);
        hm_buf_put_u8(out, '\n');
        p += n + (p[n] == '\n');
    }
}

static bool blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == 0;
}

/* Without conditions every event has a class: the rule id, group or endpoint decides alone. */
static int add_rule(struct hm_exception_set *s, const char *where, size_t number,
                    struct hm_error *err)
{
    struct hm_buf text = HM_BUF(4 * HM_EXCEPTION_WHERE_MAX);
    hm_buf_printf(&text, "title: exception\nid: %08zx-0000-4000-8000-000000000000\n", number);
    hm_buf_puts(&text, "logsource: {product: hinomi}\ndetection:\n  where:\n");
    put_where(&text, blank(where) ? "class|exists: true" : where);
    hm_buf_puts(&text, "  condition: where\n");
    int r = text.error;
    if (!r)
        r = hm_sigma_collection_add(s->rules, "conditions", hm_buf_slice(&text), keep_first, err);
    hm_buf_done(&text);
    if (!r && err->code) {
        err->line = err->line > 5 ? err->line - 5 : 1; /* places are those of the conditions */
        err->column = err->column > 4 ? err->column - 4 : 1;
        r = err->code;
    }
    return r;
}

static int room(struct hm_exception_set *s)
{
    if (s->count < s->cap)
        return 0;
    size_t cap = s->cap ? s->cap * 2 : 16;
    struct item *p = reallocarray(s->items, cap, sizeof *p);
    if (!p)
        return -ENOMEM;
    s->items = p;
    s->cap = cap;
    return 0;
}

static int add(struct hm_exception_set *s, const struct hm_exception_row *x, struct hm_error *err)
{
    int r = s->count < HM_EXCEPTIONS_MAX ? room(s) : hm_fail(err, -E2BIG, "too many exceptions");
    if (!r)
        r = add_rule(s, x->where, s->count, err);
    if (r)
        return r;
    struct item *i = &s->items[s->count++];
    *i = (struct item){.rule_id = strdup(x->rule_id),
                       .title = strdup(x->title),
                       .owner = strdup(x->owner),
                       .has_endpoint = x->endpoint,
                       .expires_ms = x->expires_ms};
    snprintf(i->tenant, sizeof i->tenant, "%s", x->tenant);
    snprintf(i->group, sizeof i->group, "%s", x->group);
    memcpy(i->id, x->id, HM_ID_BYTES);
    if (x->endpoint)
        memcpy(i->endpoint, x->endpoint, HM_ID_BYTES);
    return i->rule_id && i->title && i->owner ? 0 : -ENOMEM;
}

/* ---- from rules to a program ---- */
static int map_names(struct hm_exception_set *s)
{
    size_t named = hm_names_count(s->names);
    s->real = calloc(named + 1, sizeof *s->real);
    if (!s->real)
        return -ENOMEM;
    for (uint32_t id = 0; id < named; id++) {
        struct hm_slice name = hm_slice_str(hm_names_text(s->names, id));
        int f = hm_field_by_name(name) >= 0 ? -1 : hm_field_by_sigma(name);
        s->real[id] = f < 0 ? id : hm_names_intern(s->names, hm_slice_str(hm_fields[f].name));
        if (s->real[id] == HM_NAME_NONE)
            return -ENOMEM;
    }
    return 0;
}

static int compile(struct hm_exception_set *s, struct hm_error *err)
{
    struct hm_program_rule *rules = calloc(s->count + 1, sizeof *rules);
    int r = rules ? hm_sigma_collection_finish(s->rules, keep_first, err) : -ENOMEM;
    if (!r && hm_sigma_rule_count(s->rules) != s->count)
        r = err->code ? err->code : -EINVAL;
    for (size_t i = 0; !r && i < s->count; i++)
        rules[i] = (struct hm_program_rule){hm_sigma_rule_at(s->rules, i)->condition, 1, every};
    if (!r)
        r = map_names(s);
    if (!r)
        r = hm_program_compile(rules, s->count, 1, s->names, &s->program, err);
    free(rules);
    if (!r &&
        (!(s->scratch = hm_scratch_new(s->program, 0)) || !(s->record = hm_record_new(s->names))))
        r = -ENOMEM;
    return r;
}

struct loading {
    struct hm_exception_set *s;
    void (*problem)(void *ctx, const char *title, const struct hm_error *why);
    void *ctx;
};

/* A version of the rule language that refuses an old exception must not refuse the others. */
static int load_row(void *ctx, const struct hm_exception_row *x)
{
    struct loading *l = ctx;
    struct hm_error err = {0};
    struct hm_exception_set *alone = NULL;
    struct hm_exception_new n = {.where = x->where,
                                 .rule_id = x->rule_id,
                                 .title = x->title,
                                 .owner = x->owner,
                                 .group = x->group};
    int r = hm_exception_set_one(&n, x->tenant, &alone, &err);
    hm_exception_set_free(alone);
    if (!r)
        r = add(l->s, x, &err);
    if (!r || r == -ENOMEM)
        return r;
    if (l->problem)
        l->problem(l->ctx, x->title, &err);
    return 0;
}

int hm_exception_set_load(struct hm_control *c, uint64_t now_ms,
                          void (*problem)(void *ctx, const char *title, const struct hm_error *why),
                          void *ctx, struct hm_exception_set **ret_s)
{
    struct hm_exception_set *s;
    struct hm_error err = {0};
    int r = set_new(&s);
    if (r)
        return r;
    struct loading l = {s, problem, ctx};
    r = hm_exception_active(c, now_ms, load_row, &l);
    if (!r)
        r = compile(s, &err);
    if (r)
        hm_exception_set_free(s);
    else
        *ret_s = s;
    return r;
}

int hm_exception_set_one(const struct hm_exception_new *x, const char *tenant,
                         struct hm_exception_set **ret_s, struct hm_error *err)
{
    struct hm_exception_row row = {.tenant = tenant,
                                   .title = x->title,
                                   .rule_id = x->rule_id,
                                   .group = x->group,
                                   .endpoint = x->endpoint,
                                   .where = x->where,
                                   .owner = x->owner,
                                   .expires_ms = UINT64_MAX};
    struct hm_exception_set *s;
    struct hm_error unasked = {0};
    err = err ? err : &unasked;
    int r = set_new(&s);
    if (r)
        return r;
    r = add(s, &row, err);
    if (!r)
        r = compile(s, err);
    if (r)
        hm_exception_set_free(s);
    else
        *ret_s = s;
    return r;
}

/* ---- an alert ---- */
static void mapped_get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                       struct hm_datum *ret_d)
{
    const struct mapped_view *m = (const struct mapped_view *)v;
    m->inner->get(m->inner, m->real[field], buf, ret_d);
}

static bool mapped_each(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                        void *ctx)
{
    const struct mapped_view *m = (const struct mapped_view *)v;
    return m->inner->each_text(m->inner, each, ctx);
}

static bool in_scope(const struct item *i, const struct hm_exception_case *a)
{
    return strcmp(i->tenant, a->tenant) == 0 && a->now_ms < i->expires_ms &&
           (!i->rule_id[0] || strcmp(i->rule_id, a->rule_id) == 0) &&
           (!i->group[0] || strcmp(i->group, a->group) == 0) &&
           (!i->has_endpoint || memcmp(i->endpoint, a->endpoint, HM_ID_BYTES) == 0);
}

static bool any_in_scope(const struct hm_exception_set *s, const struct hm_exception_case *a)
{
    for (size_t i = 0; i < s->count; i++)
        if (in_scope(&s->items[i], a))
            return true;
    return false;
}

static int judge(struct hm_exception_set *s, const struct hm_exception_case *a, const char *event,
                 struct hm_exception_found *ret)
{
    struct hm_error err;
    const uint32_t *hits;
    int r = hm_record_parse(s->record, hm_slice_str(event), &err);
    if (r)
        return r == -ENOMEM ? r : 0;
    const struct hm_view *inner = hm_record_view(s->record);
    struct mapped_view v = {*inner, inner, s->real};
    v.view.get = mapped_get;
    v.view.each_text = mapped_each;
    v.view.present = NULL;
    size_t n = hm_program_match(s->program, s->scratch, &v.view, every, 1, NULL, &hits);
    for (size_t i = 0; i < n; i++) {
        const struct item *x = &s->items[hits[i]];
        if (!in_scope(x, a))
            continue;
        *ret = (struct hm_exception_found){.title = x->title, .owner = x->owner};
        memcpy(ret->id, x->id, HM_ID_BYTES);
        return 1;
    }
    return 0;
}

int hm_exception_find(struct hm_exception_set *s, const struct hm_exception_case *a,
                      struct hm_exception_found *ret)
{
    if (!any_in_scope(s, a))
        return 0;
    cJSON *list = cJSON_Parse(a->evidence);
    const cJSON *first = cJSON_GetArrayItem(list, 0);
    char *event = first ? cJSON_PrintUnformatted(first) : NULL;
    int r = event ? judge(s, a, event, ret) : 0;
    cJSON_free(event);
    cJSON_Delete(list);
    return r;
}
