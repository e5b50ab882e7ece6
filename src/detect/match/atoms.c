/* Owns that each field, entry and test is there once, however many rules name it: 3,000 rules say
 * "ends with \powershell.exe", one entry looks for it. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

int hm_build_grow(void *array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t bigger = *cap ? *cap * 2 : 8;
    void **a = array, *p = reallocarray(*a, bigger, size);
    if (!p)
        return -ENOMEM;
    memset((char *)p + *cap * size, 0, (bigger - *cap) * size);
    *a = p;
    *cap = bigger;
    return 0;
}

int hm_ids_add(struct hm_ids *l, uint32_t id)
{
    int r = hm_build_grow(&l->ids, &l->cap, l->count, sizeof *l->ids);
    if (!r)
        l->ids[l->count++] = id;
    return r;
}

int hm_build_field(struct hm_build *b, uint32_t name, uint32_t *ret_field)
{
    int fresh;
    uint32_t *at = hm_map_put(b->field_of, name, &fresh);
    if (!at)
        return -ENOMEM;
    if (fresh) {
        if (hm_build_grow(&b->fields, &b->field_cap, b->field_count, sizeof *b->fields))
            return -ENOMEM;
        b->fields[b->field_count] =
            (struct hm_build_field){.name = name, .exists = HM_NO_INDEX, .not_null = HM_NO_INDEX};
        *at = (uint32_t)b->field_count++;
    }
    *ret_field = *at;
    for (size_t i = 0; i < b->rule->source_count; i++)
        b->source_fields[b->rule->sources[i] * b->field_words + *at / 64] |= UINT64_C(1)
                                                                             << (*at % 64);
    return 0;
}

static uint64_t entry_hash(const struct hm_build_entry *e)
{
    uint64_t head = (uint64_t)e->field << 32 | (uint64_t)e->kind << 16 | (uint64_t)e->prefix << 8 |
                    (uint64_t)e->cased << 1 | e->number_only;
    return hm_hash64(e->text.p, e->text.len, head);
}

static bool entry_same(const struct hm_build_entry *a, const struct hm_build_entry *e)
{
    return a->field == e->field && a->kind == e->kind && a->cased == e->cased &&
           a->number_only == e->number_only && a->prefix == e->prefix &&
           hm_slice_eq(a->text, e->text);
}

/* Two of one hash: the second lives under the next key that is free. */
int hm_build_entry(struct hm_build *b, const struct hm_build_entry *e, uint32_t *ret_e)
{
    for (uint64_t h = entry_hash(e);; h++) {
        int fresh;
        uint32_t *at = hm_map_put(b->entry_of, h, &fresh);
        if (!at)
            return -ENOMEM;
        if (!fresh && !entry_same(&b->entries[*at], e))
            continue;
        if (fresh) {
            if (b->entry_count >= HM_ENTRIES_MAX)
                return hm_fail(b->err, -E2BIG, "more than %d values in one rule set",
                               HM_ENTRIES_MAX);
            *at = (uint32_t)b->entry_count;
            if (hm_build_grow(&b->entries, &b->entry_cap, b->entry_count, sizeof *b->entries) ||
                hm_ids_add(&b->fields[e->field].entries, *at))
                return -ENOMEM;
            struct hm_build_entry *made = &b->entries[b->entry_count++];
            *made = *e;
            made->text.p = (uint8_t *)hm_arena_strndup(b->arena, e->text.p, e->text.len);
            if (!made->text.p)
                return -ENOMEM;
        }
        *ret_e = *at;
        return 0;
    }
}

static int new_test(struct hm_build *b, uint32_t field, uint32_t *ret_test)
{
    if (b->test_count >= HM_TESTS_MAX)
        return hm_fail(b->err, -E2BIG, "more than %d tests in one rule set", HM_TESTS_MAX);
    if (hm_build_grow(&b->tests, &b->test_cap, b->test_count, sizeof *b->tests))
        return -ENOMEM;
    b->tests[b->test_count] =
        (struct hm_build_test){.field = field, .lazy = HM_NO_INDEX, .trigger = HM_NO_INDEX};
    *ret_test = (uint32_t)b->test_count++;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int fill_test(struct hm_build *b, uint32_t test, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (hm_ids_add(&b->tests[test].entries, ids[i]) ||
            hm_ids_add(&b->entries[ids[i]].tests, test))
            return -ENOMEM;
        b->entries[ids[i]].uses++;
    }
    return 0;
}

int hm_build_test(struct hm_build *b, uint32_t field, uint32_t *ids, size_t count,
                  uint32_t *ret_test)
{
    qsort(ids, count, sizeof *ids, by_value);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            ids[n++] = ids[i];
    for (uint64_t h = hm_hash64(ids, n * sizeof *ids, field);; h++) {
        int fresh;
        uint32_t *at = hm_map_put(b->test_of, h, &fresh);
        if (!at)
            return -ENOMEM;
        if (!fresh) {
            const struct hm_build_test *t = &b->tests[*at];
            if (t->field != field || t->entries.count != n ||
                (n && memcmp(t->entries.ids, ids, n * sizeof *ids) != 0))
                continue;
            for (size_t i = 0; i < n; i++)
                b->entries[ids[i]].uses++;
            *ret_test = *at;
            return 0;
        }
        int r = new_test(b, field, at);
        *ret_test = *at;
        return r ? r : fill_test(b, *ret_test, ids, n);
    }
}

static bool lazy_same(const struct hm_build_lazy *a, const struct hm_build_lazy *l)
{
    return memcmp(&a->lazy, &l->lazy, sizeof a->lazy) == 0 && hm_slice_eq(a->text, l->text);
}

/* l->lazy has to be made by assignment to a zeroed struct: its bytes are compared. */
int hm_build_lazy(struct hm_build *b, uint32_t field, const struct hm_build_lazy *l,
                  uint32_t *ret_test)
{
    uint64_t seed = hm_hash64(&l->lazy, sizeof l->lazy, 0);
    for (uint64_t h = hm_hash64(l->text.p, l->text.len, seed);; h++) {
        int fresh;
        uint32_t *at = hm_map_put(b->lazy_of, h, &fresh);
        if (!at)
            return -ENOMEM;
        if (!fresh) {
            if (!lazy_same(&b->lazy[b->tests[*at].lazy], l))
                continue;
            *ret_test = *at;
            return 0;
        }
        int r = new_test(b, field, at);
        if (r || hm_build_grow(&b->lazy, &b->lazy_cap, b->lazy_count, sizeof *b->lazy))
            return r ? r : -ENOMEM;
        b->tests[*at].lazy = (uint32_t)b->lazy_count;
        b->lazy[b->lazy_count++] = *l;
        *ret_test = *at;
        return 0;
    }
}

int hm_build_exists(struct hm_build *b, uint32_t field, uint32_t *ret_test)
{
    int r = 0;
    uint32_t t = b->fields[field].exists;
    if (t == HM_NO_INDEX && !(r = new_test(b, field, &t)))
        b->fields[field].exists = t;
    *ret_test = t;
    return r;
}

int hm_build_not_null(struct hm_build *b, uint32_t field, uint32_t *ret_test)
{
    int r = 0;
    uint32_t t = b->fields[field].not_null;
    if (t == HM_NO_INDEX && !(r = new_test(b, field, &t)))
        b->fields[field].not_null = t;
    *ret_test = t;
    return r;
}
