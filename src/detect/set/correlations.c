/* A rule set's correlations: copied from the collection, written to and read from its bytes. */
#include "base/cursor.h"
#include "detect/limits.h"
#include "detect/set/set.h"
#include "detect/sigma/collection.h"
#include <errno.h>
#include <math.h>

static void *copy(struct hm_arena *a, const void *from, size_t bytes)
{
    void *to = hm_arena_alloc(a, bytes + 1);
    if (to && bytes)
        memcpy(to, from, bytes);
    return to;
}

static struct hm_ast *copy_ast(struct hm_arena *a, const struct hm_ast *from)
{
    struct hm_ast *n = hm_arena_alloc(a, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct hm_ast){.kind = from->kind, .place = from->place, .count = from->count};
    n->test.field = from->test.field;
    n->kids = hm_arena_alloc(a, (n->count + 1) * sizeof *n->kids);
    for (size_t i = 0; n->kids && i < n->count; i++)
        if (!(n->kids[i] = copy_ast(a, from->kids[i])))
            return NULL;
    return n->kids ? n : NULL;
}

static int copy_refs(struct hm_arena *a, const struct hm_correlation *from,
                     struct hm_correlation *to)
{
    to->refs = copy(a, from->refs, from->ref_count * sizeof *to->refs);
    for (size_t i = 0; to->refs && i < to->ref_count; i++) {
        struct hm_correlation_ref *r = &to->refs[i];
        r->group = copy(a, r->group, from->group_count * sizeof *r->group);
        r->value_fields = copy(a, r->value_fields, from->value_field_count * sizeof *r->group);
        if (!r->group || !r->value_fields)
            return -ENOMEM;
    }
    return to->refs ? 0 : -ENOMEM;
}

static int copy_one(struct hm_arena *a, const struct hm_sigma_correlation *from,
                    struct hm_set_correlation *to)
{
    struct hm_correlation *c = &to->correlation;
    *c = from->correlation;
    to->silent = from->silent;
    c->group_names = hm_arena_alloc(a, (c->group_count + 1) * sizeof *c->group_names);
    for (size_t i = 0; c->group_names && i < c->group_count; i++) {
        const char *name = from->correlation.group_names[i];
        if (!(c->group_names[i] = hm_arena_strndup(a, name, strlen(name))))
            return -ENOMEM;
    }
    if (c->condition && !(c->condition = copy_ast(a, c->condition)))
        return -ENOMEM;
    int r = c->group_names ? copy_refs(a, &from->correlation, c) : -ENOMEM;
    return r ? r : hm_set_copy_info(a, &from->info, &to->rule);
}

/* What the runtime is given; made from the parts, so it is not written. */
int hm_set_finish_correlations(struct hm_ruleset *rs)
{
    rs->items = hm_arena_alloc(rs->arena, (rs->correlation_count + 1) * sizeof *rs->items);
    if (!rs->items)
        return -ENOMEM;
    for (size_t i = 0; i < rs->correlation_count; i++) {
        struct hm_set_correlation *c = &rs->correlations[i];
        rs->items[i] = (struct hm_correlate_item){c->rule.id, c->rule.version, &c->correlation};
    }
    return 0;
}

int hm_set_copy_correlations(struct hm_ruleset *rs, const struct hm_sigma_collection *c)
{
    size_t n = hm_sigma_correlation_count(c);
    rs->correlations = hm_arena_alloc(rs->arena, (n + 1) * sizeof *rs->correlations);
    int r = rs->correlations ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++)
        r = copy_one(rs->arena, hm_sigma_correlation_at(c, i), &rs->correlations[i]);
    rs->correlation_count = n;
    return r;
}

size_t hm_ruleset_correlation_count(const struct hm_ruleset *rs)
{
    return rs->correlation_count;
}

const struct hm_rule *hm_ruleset_correlation(const struct hm_ruleset *rs, size_t i,
                                             bool *ret_silent)
{
    *ret_silent = rs->correlations[i].silent;
    return &rs->correlations[i].rule;
}

struct hm_correlate_set hm_ruleset_correlations(const struct hm_ruleset *rs)
{
    return (struct hm_correlate_set){
        .rules = rs->count, .count = rs->correlation_count, .items = rs->items, .names = rs->names};
}

/* --- writing --------------------------------------------------------------------------------- */
static void put_text(struct hm_buf *out, const char *s)
{
    size_t n = strlen(s);
    hm_buf_put_varint(out, n);
    hm_buf_put(out, s, n);
}

static void put_double(struct hm_buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    hm_buf_put_le64(out, bits);
}

static void put_ast(struct hm_buf *out, const struct hm_ast *n)
{
    hm_buf_put_u8(out, (uint8_t)n->kind);
    hm_buf_put_varint(out, n->kind == HM_AST_TEST ? n->test.field : n->count);
    for (size_t i = 0; i < n->count; i++)
        put_ast(out, n->kids[i]);
}

static void put_refs(struct hm_buf *out, const struct hm_correlation *c)
{
    for (size_t i = 0; i < c->ref_count; i++) {
        const struct hm_correlation_ref *r = &c->refs[i];
        hm_buf_put_varint(out, r->rule);
        hm_buf_put_u8(out, r->is_correlation);
        for (size_t k = 0; k < c->group_count; k++)
            hm_buf_put_varint(out, r->group[k]);
        for (size_t k = 0; k < c->value_field_count; k++)
            hm_buf_put_varint(out, r->value_fields[k]);
    }
}

void hm_set_put_correlations(const struct hm_ruleset *rs, struct hm_buf *out)
{
    hm_buf_put_varint(out, rs->correlation_count);
    for (size_t i = 0; i < rs->correlation_count; i++) {
        const struct hm_correlation *c = &rs->correlations[i].correlation;
        hm_set_put_info(out, &rs->correlations[i].rule);
        hm_buf_put_u8(out, (uint8_t)(rs->correlations[i].silent | c->generate << 1 |
                                     (c->condition != NULL) << 2));
        hm_buf_put_u8(out, (uint8_t)c->kind);
        hm_buf_put_le64(out, c->timespan_ms);
        put_double(out, c->percentile);
        hm_buf_put_varint(out, c->group_count);
        for (size_t k = 0; k < c->group_count; k++)
            put_text(out, c->group_names[k]);
        hm_buf_put_varint(out, c->value_field_count);
        hm_buf_put_varint(out, c->ref_count);
        put_refs(out, c);
        hm_buf_put_varint(out, c->bound_count);
        for (size_t k = 0; k < c->bound_count; k++) {
            hm_buf_put_u8(out, (uint8_t)c->bounds[k].op);
            put_double(out, c->bounds[k].value);
        }
        if (c->condition)
            put_ast(out, c->condition);
    }
}

/* --- reading: nothing is believed ----------------------------------------------------------------
 */
static size_t get_count(struct hm_cursor *in, size_t max)
{
    uint64_t n = hm_cursor_varint(in);
    if (n > max || n > hm_cursor_left(in))
        hm_cursor_fail(in);
    return in->error ? 0 : (size_t)n;
}

static double get_double(struct hm_cursor *in)
{
    uint64_t bits = hm_cursor_le64(in);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint32_t *get_ids(struct hm_cursor *in, struct hm_arena *a, size_t n, size_t names)
{
    uint32_t *ids = hm_arena_alloc(a, (n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = hm_cursor_varint(in);
        if (!ids || v >= names)
            hm_cursor_fail(in);
        else
            ids[i] = (uint32_t)v;
    }
    return ids;
}

static struct hm_ast *get_ast(struct hm_cursor *in, struct hm_arena *a, size_t refs, unsigned depth)
{
    struct hm_ast *n = hm_arena_alloc(a, sizeof *n);
    uint8_t kind = hm_cursor_u8(in);
    uint64_t v = hm_cursor_varint(in);
    bool test = kind == HM_AST_TEST;
    if (!n || kind > HM_AST_TEST || depth > HM_CONDITION_MAX_DEPTH ||
        (test ? v >= refs : v > hm_cursor_left(in)) || (kind == HM_AST_NOT && v != 1)) {
        hm_cursor_fail(in);
        return NULL;
    }
    n->kind = (enum hm_ast_kind)kind;
    n->test.field = test ? (uint32_t)v : 0;
    n->count = test ? 0 : (size_t)v;
    n->kids = hm_arena_alloc(a, (n->count + 1) * sizeof *n->kids);
    for (size_t i = 0; n->kids && i < n->count && !in->error; i++)
        n->kids[i] = get_ast(in, a, refs, depth + 1);
    if (!n->kids)
        hm_cursor_fail(in);
    return n;
}

static void get_refs(struct hm_ruleset *rs, struct hm_cursor *in, struct hm_correlation *c)
{
    size_t names = hm_names_count(rs->names);
    c->refs = hm_arena_alloc(rs->arena, (c->ref_count + 1) * sizeof *c->refs);
    if (!c->refs)
        hm_cursor_fail(in);
    for (size_t i = 0; i < c->ref_count && !in->error; i++) {
        struct hm_correlation_ref *r = &c->refs[i];
        uint64_t rule = hm_cursor_varint(in);
        r->is_correlation = hm_cursor_u8(in) == 1;
        if (rule >= (r->is_correlation ? rs->correlation_count : rs->count))
            hm_cursor_fail(in);
        r->rule = (uint32_t)rule;
        r->group = get_ids(in, rs->arena, c->group_count, names);
        r->value_fields = get_ids(in, rs->arena, c->value_field_count, names);
    }
}

static void get_groups(struct hm_ruleset *rs, struct hm_cursor *in, struct hm_correlation *c)
{
    c->group_count = get_count(in, HM_REFERENCES_MAX);
    c->group_names = hm_arena_alloc(rs->arena, (c->group_count + 1) * sizeof *c->group_names);
    if (!c->group_names)
        hm_cursor_fail(in);
    for (size_t k = 0; k < c->group_count && !in->error; k++) {
        struct hm_slice s = hm_cursor_take(in, get_count(in, SIZE_MAX));
        c->group_names[k] = hm_arena_strndup(rs->arena, s.len ? (const void *)s.p : "", s.len);
        if (!c->group_names[k] || (s.len && memchr(s.p, 0, s.len)))
            hm_cursor_fail(in);
    }
}

static void get_one(struct hm_ruleset *rs, struct hm_cursor *in, struct hm_set_correlation *to)
{
    struct hm_correlation *c = &to->correlation;
    hm_set_get_info(in, rs->arena, &to->rule);
    uint8_t flags = hm_cursor_u8(in), kind = hm_cursor_u8(in);
    if (kind > HM_CORRELATION_VALUE_PERCENTILE)
        hm_cursor_fail(in);
    c->kind = (enum hm_correlation_kind)kind;
    to->silent = flags & 1;
    c->generate = flags >> 1 & 1;
    c->timespan_ms = hm_cursor_le64(in);
    c->percentile = get_double(in);
    get_groups(rs, in, c);
    c->value_field_count = get_count(in, HM_REFERENCES_MAX);
    c->ref_count = get_count(in, HM_REFERENCES_MAX);
    get_refs(rs, in, c);
    c->bound_count = get_count(in, HM_CORRELATION_BOUNDS_MAX);
    for (size_t k = 0; k < c->bound_count && !in->error; k++) {
        uint8_t op = hm_cursor_u8(in);
        if (op > HM_BOUND_NEQ)
            hm_cursor_fail(in);
        c->bounds[k].op = (enum hm_bound_op)op;
        c->bounds[k].value = get_double(in);
    }
    if (flags >> 2 & 1)
        c->condition = get_ast(in, rs->arena, c->ref_count, 0);
}

int hm_set_get_correlations(struct hm_ruleset *rs, struct hm_cursor *in)
{
    rs->correlation_count = get_count(in, HM_RULES_MAX);
    rs->correlations =
        hm_arena_alloc(rs->arena, (rs->correlation_count + 1) * sizeof *rs->correlations);
    if (!rs->correlations)
        return -ENOMEM;
    for (size_t i = 0; i < rs->correlation_count && !in->error; i++)
        get_one(rs, in, &rs->correlations[i]);
    return in->error;
}
