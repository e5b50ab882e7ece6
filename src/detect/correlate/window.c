/* See window.h. */
#include "detect/correlate/window.h"
#include "detect/correlate/limits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8

void hm_window_done(struct hm_window *w)
{
    free(w->all);
    *w = (struct hm_window){0};
}

/* A quarter stays free, so that moving to the front is paid for by as many appends. */
static bool roomy(size_t cap, size_t need)
{
    return need * 4 <= cap * 3;
}

static size_t cap_for(const struct hm_window *w, size_t more)
{
    size_t cap = w->cap ? w->cap : FIRST_CAP;
    while (!roomy(cap, w->count + more))
        cap *= 2;
    return cap;
}

size_t hm_window_growth(const struct hm_window *w, size_t more)
{
    if (w->head + w->count + more <= w->cap)
        return 0;
    return (cap_for(w, more) - w->cap) * sizeof *w->all;
}

int hm_window_reserve(struct hm_window *w, size_t more)
{
    if (w->head + w->count + more <= w->cap)
        return 0;
    size_t cap = cap_for(w, more);
    struct hm_entry *all = cap > w->cap ? malloc(cap * sizeof *all) : w->all;
    if (!all)
        return -ENOMEM;
    if (w->count)
        memmove(all, w->all + w->head, w->count * sizeof *all);
    if (all != w->all)
        free(w->all);
    w->all = all;
    w->cap = cap;
    w->head = 0;
    return 0;
}

size_t hm_window_insert(struct hm_window *w, const struct hm_entry *e)
{
    size_t i = w->count;
    while (i > 0 && hm_window_at(w, i - 1)->time > e->time)
        i--;
    if (i < w->count)
        memmove(hm_window_at(w, i + 1), hm_window_at(w, i), (w->count - i) * sizeof *e);
    *hm_window_at(w, i) = *e;
    w->count++;
    return i;
}

void hm_window_drop(struct hm_window *w, size_t n)
{
    w->head += n;
    w->count -= n;
    w->live = w->live > n ? w->live - n : 0;
    if (!w->count)
        w->head = 0;
}

size_t hm_window_lower(const struct hm_window *w, uint64_t t)
{
    size_t lo = 0, hi = w->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (hm_window_at(w, mid)->time < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
