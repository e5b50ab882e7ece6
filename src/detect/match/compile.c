/* Owns the way from rules to a program: lower, choose triggers, write conditions, lay out the
 * index, put the sections together. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

static int build_init(struct hm_build *b, size_t rules, size_t sources)
{
    b->source_count = sources;
    b->rule_words = rules / 64 + 1;
    b->field_words = (hm_names_count(b->names) + 1) / 64 + 1;
    b->source_rules = calloc(sources * b->rule_words + 1, 8);
    b->source_fields = calloc(sources * b->field_words + 1, 8);
    b->arena = hm_arena_new(HM_BUILD_MAX_BYTES);
    b->field_of = hm_map_new(sizeof(uint32_t), HM_NAMES_MAX + 1);
    b->entry_of = hm_map_new(sizeof(uint32_t), HM_ENTRIES_MAX + 1);
    b->test_of = hm_map_new(sizeof(uint32_t), HM_TESTS_MAX + 1);
    b->lazy_of = hm_map_new(sizeof(uint32_t), HM_TESTS_MAX + 1);
    b->rules = calloc(rules + 1, sizeof *b->rules);
    for (int i = 0; i < HM_SECTION_COUNT; i++)
        b->section[i] = HM_BUF(HM_PROGRAM_MAX_BYTES);
    return b->arena && b->field_of && b->entry_of && b->test_of && b->lazy_of && b->rules &&
                   b->source_rules && b->source_fields
               ? 0
               : -ENOMEM;
}

static void build_done(struct hm_build *b)
{
    for (size_t i = 0; i < b->field_count; i++)
        free(b->fields[i].entries.ids);
    for (size_t i = 0; i < b->entry_count; i++)
        free(b->entries[i].tests.ids);
    for (size_t i = 0; i < b->test_count; i++) {
        free(b->tests[i].entries.ids);
        free(b->tests[i].triggers.ids);
    }
    for (size_t i = 0; i < b->rule_count; i++)
        free(b->rules[i].triggers.ids);
    for (int i = 0; i < HM_SECTION_COUNT; i++)
        hm_buf_done(&b->section[i]);
    free(b->fields);
    free(b->entries);
    free(b->tests);
    free(b->lazy);
    free(b->rules);
    free(b->source_rules);
    free(b->source_fields);
    hm_map_free(b->field_of);
    hm_map_free(b->entry_of);
    hm_map_free(b->test_of);
    hm_map_free(b->lazy_of);
    hm_arena_free(b->arena);
}

static int note_sources(struct hm_build *b, size_t rule)
{
    for (size_t i = 0; i < b->rule->source_count; i++) {
        uint32_t s = b->rule->sources[i];
        if (s >= b->source_count)
            return hm_fail(b->err, -EINVAL, "a source that is not counted");
        b->source_rules[s * b->rule_words + rule / 64] |= UINT64_C(1) << (rule % 64);
    }
    return 0;
}

static int lower_rules(struct hm_build *b, const struct hm_program_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hm_build_rule *r = &b->rules[b->rule_count++];
        b->rule = &rules[i];
        int e = note_sources(b, i);
        if (!e)
            e = hm_build_lower(b, rules[i].condition, &r->form);
        if (e)
            return e;
    }
    return 0;
}

static int trigger_rules(struct hm_build *b)
{
    hm_build_likely(b);
    for (uint32_t i = 0; i < b->rule_count; i++) {
        struct hm_build_rule *r = &b->rules[i];
        int e = hm_build_triggers(b, r);
        for (size_t k = 0; !e && k < r->triggers.count; k++) {
            struct hm_ids *to = &b->tests[r->triggers.ids[k]].triggers;
            if (to->count == 0 || to->ids[to->count - 1] != i)
                e = hm_ids_add(to, i);
        }
        if (!e)
            e = hm_build_code(b, r);
        if (e)
            return e;
    }
    return 0;
}

static struct hm_span put_ids(struct hm_build *b, const struct hm_ids *l)
{
    struct hm_buf *ids = &b->section[HM_SECTION_IDS];
    struct hm_span s = {(uint32_t)(ids->len / 4), (uint32_t)l->count};
    hm_buf_put(ids, l->ids, l->count * 4);
    return s;
}

static void put_tests(struct hm_build *b)
{
    for (size_t i = 0; i < b->test_count; i++) {
        const struct hm_build_test *t = &b->tests[i];
        struct hm_prog_test made = {.triggers = put_ids(b, &t->triggers), .lazy = t->lazy};
        hm_buf_put(&b->section[HM_SECTION_TESTS], &made, sizeof made);
    }
}

static void put_lazy(struct hm_build *b)
{
    struct hm_buf *text = &b->section[HM_SECTION_TEXT];
    for (size_t i = 0; i < b->lazy_count; i++) {
        struct hm_lazy l = b->lazy[i].lazy;
        l.text = (uint32_t)text->len;
        l.len = (uint32_t)b->lazy[i].text.len;
        hm_buf_put(text, b->lazy[i].text.p, b->lazy[i].text.len);
        hm_buf_put(&b->section[HM_SECTION_LAZY], &l, sizeof l);
    }
}

static int put_always(struct hm_build *b)
{
    struct hm_ids list = {0};
    int r = 0;
    for (size_t s = 0; !r && s < b->source_count; s++) {
        list.count = 0;
        for (uint32_t i = 0; !r && i < b->rule_count; i++) {
            const struct hm_build_rule *rule = &b->rules[i];
            if (!rule->never && rule->triggers.count == 0 &&
                b->source_rules[s * b->rule_words + i / 64] >> (i % 64) & 1)
                r = hm_ids_add(&list, i);
        }
        struct hm_span span = put_ids(b, &list);
        hm_buf_put(&b->section[HM_SECTION_ALWAYS], &span, sizeof span);
    }
    free(list.ids);
    return r;
}

static void put_rules(struct hm_build *b)
{
    for (size_t i = 0; i < b->rule_count; i++) {
        struct hm_prog_rule r = {.code = b->rules[i].code};
        hm_buf_put(&b->section[HM_SECTION_RULES], &r, sizeof r);
    }
}

static void put_sources(struct hm_build *b)
{
    size_t words = b->field_count / 64 + 1;
    hm_buf_put(&b->section[HM_SECTION_SOURCE_RULES], b->source_rules,
               b->source_count * b->rule_words * 8);
    for (size_t s = 0; s < b->source_count; s++)
        hm_buf_put(&b->section[HM_SECTION_SOURCE_FIELDS], b->source_fields + s * b->field_words,
                   words * 8);
}

static int put_field_of(struct hm_build *b)
{
    size_t names = hm_names_count(b->names);
    for (size_t i = 0; i < names; i++) {
        const uint32_t *at = hm_map_get(b->field_of, i);
        uint32_t field = at ? *at : HM_NO_INDEX;
        hm_buf_put(&b->section[HM_SECTION_FIELD_OF], &field, sizeof field);
    }
    return 0;
}

/* Expressions were compiled when they were read; the program compiles its own, as a loaded one
 * does, so that both ways are one. */
static int assemble(struct hm_build *b, struct hm_program **ret_p)
{
    struct hm_program_header h = {.magic = HM_PROGRAM_MAGIC, .version = HM_PROGRAM_VERSION};
    struct hm_buf out = HM_BUF(HM_PROGRAM_MAX_BYTES);
    static const uint8_t zeros[16];
    hm_buf_put(&out, &h, sizeof h);
    for (int i = 0; i < HM_SECTION_COUNT; i++) {
        hm_buf_put(&out, zeros, (16 - out.len % 16) % 16);
        h.sections[i].at = (uint32_t)out.len;
        h.sections[i].bytes = (uint32_t)b->section[i].len;
        hm_buf_put(&out, b->section[i].data, b->section[i].len);
        if (b->section[i].error)
            out.error = b->section[i].error;
        hm_buf_done(&b->section[i]);
    }
    hm_buf_put(&out, zeros, sizeof zeros); /* texts are read in words */
    int r = out.error;
    if (!r) {
        h.bytes = out.len;
        memcpy(out.data, &h, sizeof h);
        hm_program_reseal(out.data, out.len);
        r = hm_program_open(hm_buf_slice(&out), ret_p);
    }
    hm_buf_done(&out);
    return r;
}

static int compile(struct hm_build *b, const struct hm_program_rule *rules, size_t count,
                   size_t sources, struct hm_program **ret_p)
{
    int r = build_init(b, count, sources);
    if (!r)
        r = lower_rules(b, rules, count);
    if (!r)
        r = trigger_rules(b);
    if (!r)
        r = hm_build_index(b);
    if (!r) {
        put_tests(b);
        put_lazy(b);
        put_rules(b);
        put_sources(b);
        r = put_always(b);
    }
    if (!r)
        r = put_field_of(b);
    return r ? r : assemble(b, ret_p);
}

int hm_program_compile(const struct hm_program_rule *rules, size_t count, size_t source_count,
                       const struct hm_names *names, struct hm_program **ret_p,
                       struct hm_error *err)
{
    if (count > HM_RULES_MAX)
        return hm_fail(err, -E2BIG, "more than %d rules", HM_RULES_MAX);
    struct hm_build b = {.names = names, .err = err};
    if (source_count > HM_SOURCES_MAX)
        return hm_fail(err, -E2BIG, "more than %d log sources", HM_SOURCES_MAX);
    int r = compile(&b, rules, count, source_count, ret_p);
    build_done(&b);
    return r;
}
