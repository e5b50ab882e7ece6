/* Owns the deprecated aggregations: "condition: selection | count() by User > 5". Such a rule is
 * read as a correlation with the rule's id over a silent rule without the aggregation.
 *   count() → event_count, count(f) → value_count, sum/avg(f) → value_sum/value_avg,
 *   min/max(f) → the 0th/100th percentile, "near a and not b" → temporal. */
#include "detect/limits.h"
#include "detect/sigma/document.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct reader {
    struct hm_lang *l;
    const struct hm_condition *at;
    const char *p;
    char word[256];
};

static const struct {
    const char *name;
    enum hm_correlation_kind kind;
    double percentile;
} functions[] = {
    {"count", HM_CORRELATION_EVENT_COUNT, 0},      {"sum", HM_CORRELATION_VALUE_SUM, 0},
    {"avg", HM_CORRELATION_VALUE_AVG, 0},          {"min", HM_CORRELATION_VALUE_PERCENTILE, 0},
    {"max", HM_CORRELATION_VALUE_PERCENTILE, 100},
};
static const struct {
    const char *text;
    enum hm_bound_op op;
} operators[] = {{">=", HM_BOUND_GTE}, {"<=", HM_BOUND_LTE}, {"!=", HM_BOUND_NEQ},
                 {"==", HM_BOUND_EQ},  {">", HM_BOUND_GT},   {"<", HM_BOUND_LT},
                 {"=", HM_BOUND_EQ}};

static int bad(struct reader *r, const char *what)
{
    return hm_fail_at(r->l->err, -EINVAL, r->at->place.line,
                      r->at->place.column + (uint32_t)(r->p - r->at->text),
                      "condition: aggregation: %s near \"%.60s\"", what, r->p);
}

static void spaces(struct reader *r)
{
    r->p += strspn(r->p, " \t\r\n");
}

/* Next word into r->word; false when none begins here. */
static bool word(struct reader *r)
{
    spaces(r);
    size_t n = strcspn(r->p, " \t\r\n(),<>=!|");
    if (n == 0 || n >= sizeof r->word)
        return false;
    memcpy(r->word, r->p, n);
    r->word[n] = 0;
    r->p += n;
    return true;
}

static bool symbol(struct reader *r, const char *text)
{
    spaces(r);
    if (strncmp(r->p, text, strlen(text)) != 0)
        return false;
    r->p += strlen(text);
    return true;
}

static int push(struct reader *r, const char ***list, size_t *count)
{
    const char **more = hm_arena_alloc(r->l->arena, (*count + 1) * sizeof *more);
    const char *text = hm_arena_strndup(r->l->arena, r->word, strlen(r->word));
    if (!more || !text)
        return -ENOMEM;
    if (*count)
        memcpy(more, *list, *count * sizeof *more);
    more[(*count)++] = text;
    *list = more;
    return 0;
}

static int groups(struct reader *r, struct hm_correlation_text *c)
{
    const char *before = r->p;
    if (!word(r) || strcmp(r->word, "by") != 0) {
        r->p = before;
        return 0;
    }
    int e = 0;
    do {
        if (!word(r))
            return bad(r, "a field is missing");
        e = push(r, &c->group_names, &c->group_count);
    } while (!e && symbol(r, ","));
    return e;
}

static int bound(struct reader *r, struct hm_correlation_text *c)
{
    size_t i = 0;
    char *end;
    while (i < HM_ARRAY_LEN(operators) && !symbol(r, operators[i].text))
        i++;
    if (i == HM_ARRAY_LEN(operators))
        return bad(r, "a comparison is missing");
    spaces(r);
    double v = strtod(r->p, &end);
    if (end == r->p)
        return bad(r, "a number is missing");
    r->p = end;
    spaces(r);
    c->bounds[c->bound_count++] = (struct hm_bound){operators[i].op, v};
    return *r->p ? bad(r, "unexpected text") : 0;
}

static int function(struct reader *r, struct hm_correlation_text *c)
{
    size_t i = 0;
    while (i < HM_ARRAY_LEN(functions) && strcmp(r->word, functions[i].name) != 0)
        i++;
    if (i == HM_ARRAY_LEN(functions))
        return bad(r, "only count, min, max, avg, sum and near are defined,");
    c->kind = functions[i].kind;
    c->percentile = functions[i].percentile;
    if (!symbol(r, "("))
        return bad(r, "\"(\" is missing");
    bool field = word(r);
    int e = field ? push(r, &c->value_fields, &c->value_field_count) : 0;
    if (!e && !symbol(r, ")"))
        return bad(r, "\")\" is missing");
    if (!field && c->kind != HM_CORRELATION_EVENT_COUNT)
        return bad(r, "a field is missing");
    if (field && c->kind == HM_CORRELATION_EVENT_COUNT)
        c->kind = HM_CORRELATION_VALUE_COUNT;
    if (!e)
        e = groups(r, c);
    return e ? e : bound(r, c);
}

/* A silent rule with one condition of the original's searches. */
static int part(struct reader *r, const struct hm_document *d, size_t index, const char *text,
                size_t len, struct hm_document *ret, struct hm_correlation_text *c)
{
    char id[320];
    struct hm_document p = *d;
    struct hm_condition *cond = hm_arena_alloc(r->l->arena, sizeof *cond);
    snprintf(id, sizeof id, "%.300s#%zu", d->info.id, index);
    p.info.id = hm_arena_strndup(r->l->arena, id, strlen(id));
    p.name = "";
    p.owner = d->info.id;
    if (!cond || !p.info.id)
        return -ENOMEM;
    int e = hm_body_copy(r->l, &d->body, &p.body); /* pipelines change each on its own */
    if (e)
        return e;
    p.body.conditions = cond;
    p.body.condition_count = 1;
    *cond = (struct hm_condition){r->at->place, hm_arena_strndup(r->l->arena, text, len)};
    if (!cond->text)
        return -ENOMEM;
    c->rules[c->rule_count++] = (struct hm_reference){p.info.id, r->at->place};
    *ret = p;
    return 0;
}

/* "near a and b and not c": each term is a rule of its own. */
static int near(struct reader *r, const struct hm_document *d, struct hm_document *ret,
                size_t *count, struct hm_correlation_text *c)
{
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "%s", c->rules[0].name);
    bool negative = false;
    int e = 0;
    c->kind = HM_CORRELATION_TEMPORAL;
    do {
        bool absent = false;
        if (!word(r))
            return bad(r, "a search is missing");
        if (strcmp(r->word, "not") == 0) {
            absent = negative = true;
            if (!word(r))
                return bad(r, "a search is missing");
        }
        if (*count + 1 >= HM_AGGREGATION_DOCUMENTS)
            return bad(r, "too many terms");
        e = part(r, d, *count + 1, r->word, strlen(r->word), &ret[*count], c);
        if (e)
            return e;
        n += (size_t)snprintf(text + n, sizeof text - n, " and %s%s", absent ? "not " : "",
                              ret[*count].info.id);
        (*count)++;
        if (n >= sizeof text)
            return bad(r, "too long");
    } while (word(r) && strcmp(r->word, "and") == 0);
    spaces(r);
    if (*r->p)
        return bad(r, "only \"and\" and \"not\" are defined after near,");
    if (!negative) {
        c->bounds[c->bound_count++] = (struct hm_bound){HM_BOUND_GTE, (double)c->rule_count};
        return 0;
    }
    c->extended = true;
    c->condition.place = r->at->place;
    c->condition.text = hm_arena_strndup(r->l->arena, text, n);
    return c->condition.text ? 0 : -ENOMEM;
}

int hm_aggregation_split(struct hm_lang *l, const struct hm_document *d,
                         struct hm_document ret[HM_AGGREGATION_DOCUMENTS], size_t *ret_count)
{
    const struct hm_condition *cond = NULL;
    const char *bar = NULL;
    for (size_t i = 0; i < d->body.condition_count && !bar; i++) {
        cond = &d->body.conditions[i];
        bar = strchr(cond->text, '|');
    }
    *ret_count = 0;
    if (!bar)
        return 0;
    struct reader r = {.l = l, .at = cond, .p = bar + 1};
    struct hm_document whole = *d;
    struct hm_correlation_text c = {0};
    size_t count = 0;
    c.rules = hm_arena_alloc(l->arena, HM_AGGREGATION_DOCUMENTS * sizeof *c.rules);
    if (!c.rules)
        return -ENOMEM;
    if (d->body.condition_count > 1)
        return bad(&r, "impossible in a list of conditions,");
    if (!*d->body.timeframe)
        return bad(&r, "needs a timeframe,");
    int e = hm_timespan_read(l, d->body.timeframe, d->place, &c.timespan_ms);
    if (!e)
        e = part(&r, d, 1, cond->text, (size_t)(bar - cond->text), &ret[count++], &c);
    if (!e && !word(&r))
        return bad(&r, "a function is missing");
    if (!e)
        e = strcmp(r.word, "near") == 0 ? near(&r, d, ret, &count, &c) : function(&r, &c);
    if (e)
        return e;
    whole.kind = HM_DOCUMENT_CORRELATION;
    whole.corr = c;
    ret[count++] = whole;
    *ret_count = count;
    return 0;
}
