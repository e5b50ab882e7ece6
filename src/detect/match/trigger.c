/* Owns which tests make a rule worth trying: a set of tests one of which holds in every event that
 * matches, chosen so that it holds in as few others as possible.
 *
 * AND: the best of the children. OR: all children together. A negated test says nothing that an
 * index could find. A rule without such a set ("not filter", "field is null") is tried on every
 * event of its sources, and is correct too. */
#include "detect/match/build.h"
#include <errno.h>

/* What a value of this form is likely to be in, before looking at any event: long strings are rare,
 * and what many rules name ("\cmd.exe", event id 1) is common. */
static double entry_likely(const struct hm_build_entry *e)
{
    static const double by_len[] = {0.9, 0.8, 0.3, 0.12, 0.04, 0.02, 0.01};
    size_t n = e->text.len;
    double p = n < HM_ARRAY_LEN(by_len) ? by_len[n] : n < 10 ? 0.006 : 0.002;
    switch (e->kind) {
    case HM_ENTRY_EXACT:
        p = 0.01;
        break;
    case HM_ENTRY_SUFFIX:
        p = n > 4 ? 0.005 : p / 2;
        break;
    case HM_ENTRY_EMPTY:
    case HM_ENTRY_CIDR:
        p = 0.1;
        break;
    default:
        break;
    }
    p *= 1.0 + e->uses / 4.0;
    return p < 0.95 ? p : 0.95;
}

void hm_build_likely(struct hm_build *b)
{
    for (size_t i = 0; i < b->test_count; i++) {
        struct hm_build_test *t = &b->tests[i];
        double sum = t->entries.count ? 0 : 0.5; /* "is there": half of all events */
        for (size_t k = 0; k < t->entries.count; k++)
            sum += entry_likely(&b->entries[t->entries.ids[k]]);
        t->likely = sum < 0.98 ? sum : 0.98;
    }
    for (size_t i = 0; i < b->test_count; i++) {
        struct hm_build_test *t = &b->tests[i];
        if (t->lazy != HM_NO_INDEX)
            t->likely = b->tests[t->trigger].likely * 0.5;
    }
}

#define NOT_POSSIBLE 1e9

static uint32_t trigger_of(const struct hm_build *b, uint32_t test)
{
    return b->tests[test].lazy == HM_NO_INDEX ? test : b->tests[test].trigger;
}

/* The share of events in which the best trigger set of the form holds. */
static double cost(const struct hm_build *b, const struct hm_form *f, const struct hm_form **ret)
{
    double best = NOT_POSSIBLE, sum = 0;
    const struct hm_form *inner;
    *ret = f;
    switch (f->kind) {
    case HM_FORM_TRUE:
        return NOT_POSSIBLE;
    case HM_FORM_FALSE:
        return 0;
    case HM_FORM_TEST:
        return f->negated ? NOT_POSSIBLE : b->tests[trigger_of(b, f->test)].likely;
    case HM_FORM_AND:
        for (size_t i = 0; i < f->count; i++) {
            double c = cost(b, f->kids[i], &inner);
            if (c < best) {
                best = c;
                *ret = inner;
            }
        }
        return best;
    case HM_FORM_OR:
        for (size_t i = 0; i < f->count; i++)
            sum += cost(b, f->kids[i], &inner);
        return sum < NOT_POSSIBLE ? sum : NOT_POSSIBLE;
    }
    return NOT_POSSIBLE;
}

static int collect(const struct hm_build *b, const struct hm_form *f, struct hm_ids *out)
{
    const struct hm_form *best;
    cost(b, f, &best);
    int r = 0;
    if (best->kind == HM_FORM_TEST)
        return hm_ids_add(out, trigger_of(b, best->test));
    for (size_t i = 0; !r && i < best->count; i++) /* an OR */
        r = collect(b, best->kids[i], out);
    return r;
}

int hm_build_triggers(struct hm_build *b, struct hm_build_rule *r)
{
    const struct hm_form *best;
    r->never = r->form->kind == HM_FORM_FALSE;
    if (r->never || cost(b, r->form, &best) >= NOT_POSSIBLE)
        return 0;
    return collect(b, r->form, &r->triggers);
}
