/* Owns the branching program of a condition: one instruction a test, each with the place to go on
 * when it holds and when it does not. Short-circuiting needs no stack, and since every jump goes
 * forward a program ends whatever it is (open.c checks that).
 *
 * Written from the last instruction to the first, so that the targets are known; turned round at
 * the end. Cheap and telling tests go first. */
#include "detect/match/build.h"
#include <errno.h>

struct writer {
    struct hm_build *b;
    struct hm_branch *code; /* in reverse; targets are positions in it, or HM_GO_* */
    size_t count, cap;
};

static double share(const struct hm_build *b, const struct hm_form *f)
{
    double p = f->kind == HM_FORM_AND || f->kind == HM_FORM_TRUE ? 1 : 0;
    if (f->kind == HM_FORM_TEST) {
        p = b->tests[f->test].likely;
        return f->negated ? 1 - p : p;
    }
    for (size_t i = 0; i < f->count; i++) {
        double kid = share(b, f->kids[i]);
        p = f->kind == HM_FORM_AND ? p * kid : p + kid;
    }
    return p < 1 ? p : 1;
}

/* 0: bits only; 1: something has to be worked out. */
static int work(const struct hm_build *b, const struct hm_form *f)
{
    if (f->kind == HM_FORM_TEST)
        return b->tests[f->test].lazy != HM_NO_INDEX;
    for (size_t i = 0; i < f->count; i++)
        if (work(b, f->kids[i]))
            return 1;
    return 0;
}

struct ranked {
    struct hm_form *form;
    double rank;
};

static int by_rank(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->rank, y = ((const struct ranked *)b)->rank;
    return x < y ? -1 : x > y;
}

static int order(const struct hm_build *b, struct hm_form *f)
{
    struct ranked *r = calloc(f->count, sizeof *r);
    if (!r)
        return -ENOMEM;
    for (size_t i = 0; i < f->count; i++) {
        double p = share(b, f->kids[i]);
        r[i].form = f->kids[i];
        r[i].rank = work(b, f->kids[i]) * 10 + (f->kind == HM_FORM_AND ? p : 1 - p);
    }
    qsort(r, f->count, sizeof *r, by_rank);
    for (size_t i = 0; i < f->count; i++)
        f->kids[i] = r[i].form;
    free(r);
    return 0;
}

static int put(struct writer *w, uint32_t test, uint16_t yes, uint16_t no, uint16_t *ret_at)
{
    if (w->count >= HM_CODE_MAX)
        return hm_fail(w->b->err, -E2BIG, "a condition of more than %d tests", HM_CODE_MAX);
    if (hm_build_grow(&w->code, &w->cap, w->count, sizeof *w->code))
        return -ENOMEM;
    w->code[w->count] = (struct hm_branch){test, yes, no};
    *ret_at = (uint16_t)w->count++;
    return 0;
}

static int write_form(struct writer *w, struct hm_form *f, uint16_t yes, uint16_t no,
                      uint16_t *ret_at)
{
    if (f->kind == HM_FORM_TRUE || f->kind == HM_FORM_FALSE) {
        *ret_at = f->kind == HM_FORM_TRUE ? yes : no;
        return 0;
    }
    if (f->kind == HM_FORM_TEST)
        return put(w, f->test, f->negated ? no : yes, f->negated ? yes : no, ret_at);
    int r = order(w->b, f);
    uint16_t next = f->kind == HM_FORM_AND ? yes : no;
    for (size_t i = f->count; !r && i > 0; i--)
        r = f->kind == HM_FORM_AND ? write_form(w, f->kids[i - 1], next, no, &next)
                                   : write_form(w, f->kids[i - 1], yes, next, &next);
    *ret_at = next;
    return r;
}

static uint16_t turn(const struct writer *w, uint16_t at)
{
    return at >= HM_CODE_MAX ? at : (uint16_t)(w->count - 1 - at);
}

int hm_build_code(struct hm_build *b, struct hm_build_rule *rule)
{
    struct writer w = {.b = b};
    struct hm_buf *out = &b->section[HM_SECTION_CODE];
    uint16_t start;
    int r = write_form(&w, rule->form, HM_GO_TRUE, HM_GO_FALSE, &start);
    rule->code.first = (uint32_t)(out->len / sizeof *w.code);
    rule->code.count = (uint32_t)w.count;
    for (size_t i = w.count; !r && i > 0; i--) {
        struct hm_branch c = w.code[i - 1];
        c.yes = turn(&w, c.yes);
        c.no = turn(&w, c.no);
        hm_buf_put(out, &c, sizeof c);
    }
    free(w.code);
    return r ? r : out->error;
}
