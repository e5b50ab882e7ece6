/* Owns the distrust of a program that comes from elsewhere: every index of it is checked once,
 * here, so that the matcher, which checks none, cannot be led outside of it. Then the parts that
 * cannot travel (compiled expressions) are made. */
#include "base/crc32c.h"
#include "detect/ast.h"
#include "detect/match/build.h"
#include <errno.h>

static bool within(struct hm_span s, uint32_t count)
{
    return s.first <= count && s.count <= count - s.first;
}

static bool optional(uint32_t i, uint32_t count)
{
    return i == HM_NO_INDEX || i < count;
}

static bool ids_below(const struct hm_program *p, struct hm_span s, uint32_t limit)
{
    if (!within(s, p->id_count))
        return false;
    for (uint32_t i = 0; i < s.count; i++)
        if (p->ids[s.first + i] >= limit)
            return false;
    return true;
}

static bool table_size(struct hm_span s)
{
    return s.count == 0 || (s.count & (s.count - 1)) == 0;
}

/* A look-up ends at a free place, so that there has to be one. */
static bool slots_good(const struct hm_program *p, struct hm_span s)
{
    bool open = s.count == 0;
    if (!within(s, p->slot_count) || !table_size(s))
        return false;
    for (uint32_t i = s.first; i < s.first + s.count; i++) {
        open |= p->slots[i].class == HM_SLOT_FREE;
        if (!within(p->slots[i].entries, p->entry_count))
            return false;
    }
    return open;
}

static bool grams_good(const struct hm_program *p, struct hm_span s)
{
    bool open = s.count == 0;
    if (!within(s, p->gram_count) || !table_size(s))
        return false;
    for (uint32_t i = s.first; i < s.first + s.count; i++) {
        open |= p->grams[i].refs.count == 0;
        if (!within(p->grams[i].refs, p->ref_count))
            return false;
    }
    return open;
}

static bool filter_good(const struct hm_program *p, uint32_t at, uint32_t shift)
{
    return shift >= 12 && shift <= 26 &&
           within((struct hm_span){at, (1u << (32 - shift)) / 64}, p->bit_words);
}

static bool field_good(const struct hm_program *p, const struct hm_prog_field *f)
{
    if (!optional(f->name, p->name_count) || !optional(f->exists, p->test_count) ||
        !optional(f->not_null, p->test_count) || !slots_good(p, f->slots) ||
        !grams_good(p, f->grams) || !grams_good(p, f->pairs) || !within(f->tried, p->entry_count))
        return false;
    if ((f->slots.count && !filter_good(p, f->slot_bits, f->slot_shift)) ||
        (f->grams.count && !filter_good(p, f->gram_bits, f->gram_shift)))
        return false;
    struct hm_span pairs = {f->pair_bits, f->few_pairs ? 4 * HM_MASK_BYTES : 1024};
    if (f->pairs.count && !within(pairs, p->bit_words))
        return false;
    if (f->stride != 1 && f->stride != 2 && f->stride != 4)
        return false;
    if (((f->suffixes | f->prefixes) & ~0x1feu) || f->cidr[0])
        return false;
    for (unsigned c = 0; c < 256; c++)
        if ((f->cidr[c / 64] >> (c % 64) & 1) &&
            !((c >= HM_SLOT_CIDR4 && c <= HM_SLOT_CIDR4 + 32) ||
              (c >= HM_SLOT_CIDR6 && c <= HM_SLOT_CIDR6 + 128)))
            return false;
    return true;
}

static bool entry_good(const struct hm_program *p, const struct hm_prog_entry *e)
{
    if (!within((struct hm_span){e->text, e->len}, p->text_bytes) ||
        !ids_below(p, e->tests, p->test_count) || e->kind >= HM_ENTRY_KIND_COUNT)
        return false;
    return e->kind != HM_ENTRY_CIDR || ((e->len == 4 || e->len == 16) && e->prefix <= e->len * 8);
}

static bool lazy_good(const struct hm_program *p, const struct hm_lazy *l)
{
    bool keywords = l->name == HM_NO_INDEX && l->op == HM_LAZY_REGEX;
    return (keywords || l->name < p->name_count) && optional(l->guard, p->test_count) &&
           l->op < HM_LAZY_OP_COUNT && l->part <= HM_PART_YEAR && l->affix <= HM_AFFIX_BOTH &&
           (l->op != HM_LAZY_FIELDREF || l->other < p->name_count) &&
           within((struct hm_span){l->text, l->len}, p->text_bytes);
}

static bool forward(uint16_t to, uint32_t from, uint32_t count)
{
    return to == HM_GO_TRUE || to == HM_GO_FALSE || (to > from && to < count);
}

static bool rule_good(const struct hm_program *p, const struct hm_prog_rule *r)
{
    if (!within(r->code, p->code_count) || r->code.count > HM_CODE_MAX)
        return false;
    const struct hm_branch *c = p->code + r->code.first;
    for (uint32_t i = 0; i < r->code.count; i++)
        if (c[i].test >= p->test_count || !forward(c[i].yes, i, r->code.count) ||
            !forward(c[i].no, i, r->code.count))
            return false;
    return true;
}

static bool guards_good(const struct hm_program *p)
{
    for (uint32_t i = 0; i < p->lazy_count; i++)
        if (p->lazy[i].guard != HM_NO_INDEX && p->tests[p->lazy[i].guard].lazy != HM_NO_INDEX)
            return false; /* would be asked in a circle */
    return true;
}

static bool row_good(const uint64_t *row, uint32_t words, uint32_t count)
{
    for (uint32_t i = 0; i < words; i++)
        if (row[i] && (i > count / 64 || (i == count / 64 && row[i] >> (count % 64))))
            return false;
    return true;
}

static bool sources_good(const struct hm_program *p)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (!ids_below(p, p->always[i], p->rule_count) ||
            !row_good(p->source_rules + (size_t)i * p->rule_words, p->rule_words, p->rule_count) ||
            !row_good(p->source_fields + (size_t)i * p->field_words, p->field_words,
                      p->field_count))
            return false;
    return true;
}

static bool contents_good(struct hm_program *p)
{
    p->keywords = HM_NO_INDEX;
    for (uint32_t i = 0; i < p->field_count; i++) {
        if (!field_good(p, &p->fields[i]))
            return false;
        if (p->fields[i].name == HM_NO_INDEX)
            p->keywords = i;
    }
    for (uint32_t i = 0; i < p->name_count; i++)
        if (!optional(p->field_of[i], p->field_count))
            return false;
    for (uint32_t i = 0; i < p->entry_count; i++)
        if (!entry_good(p, &p->entries[i]))
            return false;
    for (uint32_t i = 0; i < p->ref_count; i++)
        if (p->refs[i].entry >= p->entry_count)
            return false;
    for (uint32_t i = 0; i < p->test_count; i++)
        if (!ids_below(p, p->tests[i].triggers, p->rule_count) ||
            !optional(p->tests[i].lazy, p->lazy_count))
            return false;
    for (uint32_t i = 0; i < p->lazy_count; i++)
        if (!lazy_good(p, &p->lazy[i]))
            return false;
    for (uint32_t i = 0; i < p->rule_count; i++)
        if (!rule_good(p, &p->rules[i]))
            return false;
    return sources_good(p) && guards_good(p);
}

static const void *section(const struct hm_program *p, enum hm_section s, size_t size,
                           uint32_t *ret_count, bool *good)
{
    const struct hm_program_header *h = (const void *)p->blob;
    uint32_t at = h->sections[s].at, bytes = h->sections[s].bytes;
    if (at % 16 || at < sizeof *h || at > p->bytes - 16 || bytes > p->bytes - 16 - at ||
        bytes % size) {
        *good = false;
        return NULL;
    }
    *ret_count = (uint32_t)(bytes / size);
    return p->blob + at;
}

static bool sections_good(struct hm_program *p)
{
    bool good = true;
    uint32_t rule_bits = 0, field_bits = 0;
#define SECTION(member, name, count)                                                               \
    p->member = section(p, HM_SECTION_##name, sizeof *p->member, &(count), &good)
    SECTION(fields, FIELDS, p->field_count);
    SECTION(field_of, FIELD_OF, p->name_count);
    SECTION(slots, SLOTS, p->slot_count);
    SECTION(grams, GRAMS, p->gram_count);
    SECTION(refs, REFS, p->ref_count);
    SECTION(bits, BITS, p->bit_words);
    SECTION(entries, ENTRIES, p->entry_count);
    SECTION(text, TEXT, p->text_bytes);
    SECTION(ids, IDS, p->id_count);
    SECTION(tests, TESTS, p->test_count);
    SECTION(lazy, LAZY, p->lazy_count);
    SECTION(rules, RULES, p->rule_count);
    SECTION(code, CODE, p->code_count);
    SECTION(always, ALWAYS, p->source_count);
    SECTION(source_rules, SOURCE_RULES, rule_bits);
    SECTION(source_fields, SOURCE_FIELDS, field_bits);
#undef SECTION
    p->rule_words = p->rule_count / 64 + 1;
    p->field_words = p->field_count / 64 + 1;
    return good && rule_bits == (uint64_t)p->rule_words * p->source_count &&
           field_bits == (uint64_t)p->field_words * p->source_count;
}

static bool header_good(const struct hm_program *p)
{
    const struct hm_program_header *h = (const void *)p->blob;
    if (p->bytes < sizeof *h + 16 || p->bytes > UINT32_MAX || h->magic != HM_PROGRAM_MAGIC ||
        h->version != HM_PROGRAM_VERSION || h->bytes != p->bytes)
        return false;
    size_t from = offsetof(struct hm_program_header, bytes);
    return h->crc == hm_crc32c(0, hm_slice(p->blob + from, p->bytes - from));
}

void hm_program_reseal(uint8_t *blob, size_t len)
{
    struct hm_program_header h;
    size_t from = offsetof(struct hm_program_header, bytes);
    if (len < sizeof h)
        return;
    memcpy(&h, blob, sizeof h);
    h.crc = hm_crc32c(0, hm_slice(blob + from, len - from));
    memcpy(blob, &h, sizeof h);
}

static int compile_expressions(struct hm_program *p)
{
    p->regex = calloc(p->lazy_count + 1, sizeof *p->regex);
    if (!p->regex)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->lazy_count; i++) {
        const struct hm_lazy *l = &p->lazy[i];
        if (l->op != HM_LAZY_REGEX)
            continue;
        p->regex[i] = hm_regex_compile(p->text + l->text, l->len, l->re_i, l->re_m, l->re_s);
        if (!p->regex[i])
            return -EBADMSG;
    }
    return 0;
}

int hm_program_open(struct hm_slice blob, struct hm_program **ret_p)
{
    struct hm_program *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->bytes = blob.len;
    p->blob = aligned_alloc(64, (blob.len + 127) / 64 * 64);
    int r = p->blob ? 0 : -ENOMEM;
    if (!r) {
        memcpy(p->blob, blob.p, blob.len);
        r = header_good(p) && sections_good(p) && contents_good(p) ? compile_expressions(p)
                                                                   : -EBADMSG;
    }
    if (r)
        hm_program_free(p);
    else
        *ret_p = p;
    return r;
}

void hm_program_free(struct hm_program *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->regex && i < p->lazy_count; i++)
        hm_regex_free(p->regex[i]);
    free(p->regex);
    free(p->blob);
    free(p);
}

struct hm_slice hm_program_bytes(const struct hm_program *p)
{
    return hm_slice(p->blob, p->bytes);
}

struct hm_program_counts hm_program_counts(const struct hm_program *p)
{
    return (struct hm_program_counts){p->rule_count, p->name_count, p->source_count};
}

size_t hm_program_memory(const struct hm_program *p)
{
    size_t n = sizeof *p + p->bytes + p->lazy_count * sizeof *p->regex;
    for (uint32_t i = 0; i < p->lazy_count; i++)
        n += hm_regex_size(p->regex[i]);
    return n;
}
