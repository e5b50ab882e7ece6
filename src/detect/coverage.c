/* See coverage.h. Owns the question whether a condition can become true; what readings have is told
 * by the tables of view/. */
#include "detect/coverage.h"
#include "detect/view/auditd.h"
#include "detect/view/given.h"
#include "detect/view/logs.h"

/* One way to read one kind of event. */
struct place {
    const struct hm_bindings *b;
    enum hm_view_kind view;
    const struct hm_audit_event *audit; /* AUDITD */
    uint64_t action;
    enum hm_audit_record record;
    const char *came_type, *came_names; /* record CAME */
    uint32_t forced;                    /* a field that is taken as free, or HM_NAME_NONE */
};
struct truth {
    bool yes, no; /* can become true, can become false */
};

/* ---- what a field can be at a place ---------------------------------------------------------- */

enum can_be { ABSENT, FREE, CONSTANT };

static bool word_of(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

/* i-th value of a field that has only some; NULL: no more. */
static const char *call_value(const struct place *p, size_t i)
{
    struct hm_datum list;
    if (p->action == HM_ACTION_SYSCALL_CALL)
        return hm_audit_sensed(i);
    if (!hm_audit_same(hm_slice_str(p->audit->call), &list))
        return i == 0 ? p->audit->call : NULL;
    return i < list.count ? (const char *)list.items[i].text.p : NULL;
}

static bool key_possible(uint64_t action)
{
    return action == HM_ACTION_PROCESS_EXEC || action == HM_ACTION_NETWORK_CONNECT ||
           action == HM_ACTION_SYSCALL_CALL;
}

static enum can_be column(const struct place *p, const struct hm_binding *b,
                          enum hm_column_source *ret_source, const char **ret_text)
{
    enum hm_field f;
    enum hm_column c = (enum hm_column)b->field;
    *ret_source = hm_audit_column(p->record, c, &f, ret_text);
    switch (*ret_source) {
    case HM_COLUMN_NONE:
        return ABSENT;
    case HM_COLUMN_ROW:
        return hm_given(p->action, f) ? FREE : ABSENT;
    case HM_COLUMN_KEYS:
        return key_possible(p->action) ? CONSTANT : ABSENT;
    case HM_COLUMN_ONE:
    case HM_COLUMN_CALLS:
    case HM_COLUMN_TYPES:
        return CONSTANT;
    case HM_COLUMN_ANY:
        break;
    }
    if (p->came_names)
        return word_of(p->came_names, hm_audit_columns[c]) ? FREE : ABSENT;
    if (p->record == HM_RECORD_ATTEMPT && c == HM_COLUMN_ARG && b->index > 3)
        return ABSENT;
    return FREE;
}

static const char *constant(const struct place *p, enum hm_column_source s, const char *text,
                            size_t i)
{
    switch (s) {
    case HM_COLUMN_CALLS:
        return call_value(p, i);
    case HM_COLUMN_KEYS:
        return hm_audit_key(i);
    case HM_COLUMN_TYPES:
        return i == 0 ? p->came_type : NULL;
    default:
        return i == 0 ? text : NULL;
    }
}

static enum can_be of_binding(const struct place *p, const struct hm_binding *b,
                              enum hm_column_source *ret_source, const char **ret_text)
{
    *ret_source = HM_COLUMN_ONE;
    switch ((enum hm_form)b->form) {
    case HM_FORM_NONE:
        return ABSENT;
    case HM_FORM_FIELD:
    case HM_FORM_HASHES:
    case HM_FORM_INITIATED:
    case HM_FORM_LOGON:
    case HM_FORM_LINES:
        return hm_given(p->action, (enum hm_field)b->field) ? FREE : ABSENT;
    case HM_FORM_CLASS:
        *ret_text = hm_class_name(p->action / 100);
        return CONSTANT;
    case HM_FORM_ACTION:
        *ret_text = hm_action_name(p->action);
        return CONSTANT;
    case HM_FORM_KEY:
        return FREE;
    case HM_FORM_COLUMN:
        break;
    }
    return column(p, b, ret_source, ret_text);
}

static enum can_be can_be(const struct place *p, uint32_t id, enum hm_column_source *ret_source,
                          const char **ret_text)
{
    if (id == p->forced)
        return FREE;
    if (id >= p->b->count)
        return ABSENT;
    return of_binding(p, &p->b->of[p->view][id], ret_source, ret_text);
}

/* ---- what a condition can become --------------------------------------------------------------
 */

static bool any_pattern(const struct hm_ast_test *t, const char *value)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct hm_pattern *p = &t->patterns[i];
        bool never =
            p->kind == HM_PATTERN_NULL || p->kind == HM_PATTERN_EMPTY || p->kind == HM_PATTERN_CIDR;
        if (!never && hm_pattern_match(p, hm_slice_str(value)))
            return true;
    }
    return false;
}

static struct truth on_absent(const struct hm_ast_test *t)
{
    bool hit = false;
    for (size_t i = 0; t->op == HM_AST_ANY_OF && i < t->count; i++)
        hit |= t->patterns[i].kind == HM_PATTERN_NULL || t->patterns[i].kind == HM_PATTERN_EMPTY;
    return (struct truth){hit, !hit};
}

static struct truth test(const struct place *p, const struct hm_ast_test *t)
{
    enum hm_column_source source;
    const char *text = NULL, *value;
    struct truth r = {false, false};
    if (t->field == HM_NAME_NONE)
        return (struct truth){true, true};
    enum can_be c = can_be(p, t->field, &source, &text);
    if (c == ABSENT)
        return on_absent(t);
    if (c == FREE || t->op != HM_AST_ANY_OF)
        return (struct truth){true, true};
    for (size_t i = 0; (value = constant(p, source, text, i)); i++) {
        bool hit = any_pattern(t, value);
        r.yes |= hit;
        r.no |= !hit;
    }
    return r;
}

/* Depth is bounded when the tree is made (HM_CONDITION_MAX_DEPTH). */
static struct truth can_become(const struct place *p, const struct hm_ast *a)
{
    if (a->kind == HM_AST_TEST)
        return test(p, &a->test);
    if (a->kind == HM_AST_NOT) {
        struct truth k = can_become(p, a->kids[0]);
        return (struct truth){k.no, k.yes};
    }
    bool and = a->kind == HM_AST_AND;
    struct truth r = {and, !and};
    for (size_t i = 0; i < a->count; i++) {
        struct truth k = can_become(p, a->kids[i]);
        r.yes = and? r.yes && k.yes : r.yes || k.yes;
        r.no = and? r.no || k.no : r.no && k.no;
    }
    return r;
}

/* ---- every reading that a route means ---------------------------------------------------------
 */

typedef bool place_fn(void *ctx, const struct place *p); /* true: stop */

static bool each_came(struct place *p, place_fn *fn, void *ctx)
{
    for (size_t i = 0; (p->came_type = hm_audit_came(i, &p->came_names)); i++)
        if (fn(ctx, p))
            return true;
    p->came_names = NULL;
    return false;
}

static bool each_record(struct place *p, place_fn *fn, void *ctx)
{
    for (size_t i = 0; i < hm_audit_event_count; i++) {
        p->audit = &hm_audit_events[i];
        for (size_t k = 0; p->audit->action == p->action && k < p->audit->count; k++) {
            p->record = (enum hm_audit_record)p->audit->records[k];
            bool stop = p->record == HM_RECORD_CAME ? each_came(p, fn, ctx) : fn(ctx, p);
            if (stop)
                return true;
        }
    }
    return false;
}

static bool meant(const struct hm_route *r, uint64_t action)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->actions[i] || r->actions[i] == action)
            return true;
    return false;
}

static bool each_place(const struct hm_route *r, const struct hm_bindings *b, uint32_t forced,
                       place_fn *fn, void *ctx)
{
    uint64_t action;
    for (size_t i = 0; (action = hm_given_action(i)); i++) {
        struct place p = {.b = b, .view = r->view, .action = action, .forced = forced};
        if (!meant(r, action))
            continue;
        if (r->view == HM_VIEW_AUDITD ? each_record(&p, fn, ctx) : fn(ctx, &p))
            return true;
    }
    return false;
}

/* ---- the answer -------------------------------------------------------------------------------
 */

static bool is_true(void *ctx, const struct place *p)
{
    return can_become(p, ctx).yes;
}

static bool always(void *ctx, const struct place *p)
{
    return true;
}

static bool has(void *ctx, const struct place *p)
{
    enum hm_column_source source;
    const char *text = NULL;
    return can_be(p, *(const uint32_t *)ctx, &source, &text) != ABSENT;
}

struct search {
    const struct hm_route *route;
    const struct hm_bindings *b;
    const struct hm_ast *condition;
    struct hm_coverage *c;
    bool absent_only, deciding_only;
};

static void note(struct search *s, uint32_t id)
{
    struct hm_coverage *c = s->c;
    for (size_t i = 0; i < c->field_count; i++)
        if (c->fields[i] == id)
            return;
    if (c->field_count == HM_COVERAGE_FIELDS_MAX)
        return;
    if (s->absent_only && each_place(s->route, s->b, HM_NAME_NONE, has, &id))
        return;
    if (s->deciding_only && !each_place(s->route, s->b, id, is_true, (void *)s->condition))
        return;
    c->fields[c->field_count++] = id;
}

static void each_field(struct search *s, const struct hm_ast *a)
{
    if (a->kind == HM_AST_TEST && a->test.field != HM_NAME_NONE)
        note(s, a->test.field);
    for (size_t i = 0; a->kind != HM_AST_TEST && i < a->count; i++)
        each_field(s, a->kids[i]);
}

static size_t fields(struct search *s, bool absent_only, bool deciding_only)
{
    s->absent_only = absent_only;
    s->deciding_only = deciding_only;
    s->c->field_count = 0;
    each_field(s, s->condition);
    return s->c->field_count;
}

/* One field that alone decides is the best answer; then several that are missing together; then a
 * value that is never given. */
static enum hm_coverage_state why_not(struct search *s)
{
    if (fields(s, true, true) || fields(s, true, false))
        return HM_COVERAGE_FIELD;
    (void)fields(s, false, true);
    return HM_COVERAGE_VALUE;
}

void hm_coverage(const struct hm_sigma_entry *rule, const struct hm_names *names,
                 const struct hm_bindings *b, struct hm_coverage *ret_c)
{
    struct hm_route route;
    const struct hm_sigma_source *src = &rule->source;
    struct search s = {&route, b, rule->condition, ret_c, false, false};
    *ret_c = (struct hm_coverage){.state = HM_COVERAGE_LIVE};
    if (*src->product && strcmp(src->product, "linux") != 0) {
        ret_c->state = HM_COVERAGE_PRODUCT;
        return;
    }
    if (!hm_logsource_route(src->product, src->category, src->service, &route) ||
        !each_place(&route, b, HM_NAME_NONE, always, NULL)) {
        ret_c->state = HM_COVERAGE_SOURCE;
        return;
    }
    if (each_place(&route, b, HM_NAME_NONE, is_true, (void *)rule->condition))
        (void)fields(&s, true, false);
    else
        ret_c->state = why_not(&s);
}

const char *hm_coverage_state_name(enum hm_coverage_state s)
{
    static const char *const words[] = {"live", "product", "source", "field", "value"};
    return (size_t)s < HM_ARRAY_LEN(words) ? words[s] : "";
}

/* ---- rare calls -------------------------------------------------------------------------------
 */

static bool names_a_call(const struct hm_bindings *b, uint32_t id)
{
    const struct hm_binding *audit = &b->of[HM_VIEW_AUDITD][id], *event = &b->of[HM_VIEW_EVENT][id];
    return (audit->form == HM_FORM_COLUMN && audit->field == HM_COLUMN_CALL) ||
           (event->form == HM_FORM_FIELD && event->field == HM_F_SYSCALL_NAME);
}

static bool asks(const struct hm_ast_test *t, const char *call)
{
    struct hm_datum list;
    if (t->op != HM_AST_ANY_OF)
        return true;
    if (!hm_audit_same(hm_slice_str(call), &list))
        return any_pattern(t, call);
    for (size_t i = 0; i < list.count; i++)
        if (any_pattern(t, (const char *)list.items[i].text.p))
            return true;
    return false;
}

bool hm_wants_call(const struct hm_ast *condition, const struct hm_bindings *b, const char *call)
{
    const struct hm_ast_test *t = &condition->test;
    if (condition->kind == HM_AST_TEST)
        return t->field != HM_NAME_NONE && t->field < b->count && names_a_call(b, t->field) &&
               asks(t, call);
    for (size_t i = 0; i < condition->count; i++)
        if (hm_wants_call(condition->kids[i], b, call))
            return true;
    return false;
}

const char *hm_call_at(size_t i)
{
    return hm_audit_sensed(i);
}
