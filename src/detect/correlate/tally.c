/* See tally.h. */
#include "detect/correlate/tally.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8

void hm_tally_done(struct hm_tally *t)
{
    free(t->slots);
    free(t->order);
    *t = (struct hm_tally){.kind = t->kind};
}

void hm_tally_clear(struct hm_tally *t)
{
    if (t->slots)
        memset(t->slots, 0, t->slot_cap * sizeof *t->slots);
    t->n = t->part_count = 0;
    t->distinct = 0;
    t->whole = 0;
    t->part = 0;
}

static size_t slots_for(const struct hm_tally *t, size_t more)
{
    size_t cap = t->slot_cap ? t->slot_cap : FIRST_CAP;
    while ((t->distinct + more) * 4 > cap * 3)
        cap *= 2;
    return cap;
}

static size_t order_for(const struct hm_tally *t, size_t more)
{
    size_t cap = t->order_cap ? t->order_cap : FIRST_CAP;
    while (cap < t->n + more)
        cap *= 2;
    return cap;
}

size_t hm_tally_growth(const struct hm_tally *t, size_t more)
{
    if (t->kind == HM_TALLY_DISTINCT)
        return (slots_for(t, more) - t->slot_cap) * sizeof *t->slots;
    if (t->kind == HM_TALLY_ORDER)
        return (order_for(t, more) - t->order_cap) * sizeof *t->order;
    return 0;
}

size_t hm_tally_bytes(const struct hm_tally *t)
{
    return t->slot_cap * sizeof *t->slots + t->order_cap * sizeof *t->order;
}

static struct hm_tally_slot *slot_of(const struct hm_tally *t, uint64_t hash)
{
    size_t mask = t->slot_cap - 1, i = hash & mask;
    while (t->slots[i].count && t->slots[i].hash != hash)
        i = (i + 1) & mask;
    return &t->slots[i];
}

static int grow_slots(struct hm_tally *t, size_t cap)
{
    struct hm_tally_slot *old = t->slots;
    size_t old_cap = t->slot_cap;
    struct hm_tally_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    t->slots = slots;
    t->slot_cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].count)
            *slot_of(t, old[i].hash) = old[i];
    free(old);
    return 0;
}

int hm_tally_reserve(struct hm_tally *t, size_t more)
{
    if (t->kind == HM_TALLY_DISTINCT) {
        size_t cap = slots_for(t, more);
        return cap > t->slot_cap ? grow_slots(t, cap) : 0;
    }
    if (t->kind != HM_TALLY_ORDER || order_for(t, more) <= t->order_cap)
        return 0;
    size_t cap = order_for(t, more);
    double *order = realloc(t->order, cap * sizeof *order);
    if (!order)
        return -ENOMEM;
    t->order = order;
    t->order_cap = cap;
    return 0;
}

/* First index whose value is not below v. */
static size_t order_lower(const struct hm_tally *t, double v)
{
    size_t lo = 0, hi = t->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->order[mid] < v)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_whole(double v)
{
    return v == floor(v);
}

static void add_sum(struct hm_tally *t, double v, int sign)
{
    if (is_whole(v)) {
        t->whole += sign * (__int128)v;
        return;
    }
    t->part += sign * (long double)v;
    t->part_count += (uint64_t)(int64_t)sign;
    if (!t->part_count)
        t->part = 0;
}

void hm_tally_add(struct hm_tally *t, const struct hm_entry *e)
{
    if (t->kind == HM_TALLY_DISTINCT) {
        struct hm_tally_slot *s = slot_of(t, e->hash);
        t->distinct += !s->count;
        s->hash = e->hash;
        s->count++;
    } else if (t->kind == HM_TALLY_SUM) {
        add_sum(t, e->number, 1);
    } else if (t->kind == HM_TALLY_ORDER) {
        size_t i = order_lower(t, e->number);
        memmove(t->order + i + 1, t->order + i, (t->n - i) * sizeof *t->order);
        t->order[i] = e->number;
    }
    t->n += e->weight;
}

/* Backward shift: closes the gap so that probing never needs tombstones. */
static void slot_free(struct hm_tally *t, struct hm_tally_slot *s)
{
    size_t mask = t->slot_cap - 1, gap = (size_t)(s - t->slots);
    for (size_t i = (gap + 1) & mask; t->slots[i].count; i = (i + 1) & mask) {
        size_t home = t->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            t->slots[gap] = t->slots[i];
            gap = i;
        }
    }
    t->slots[gap] = (struct hm_tally_slot){0};
}

void hm_tally_remove(struct hm_tally *t, const struct hm_entry *e)
{
    if (t->kind == HM_TALLY_DISTINCT) {
        struct hm_tally_slot *s = slot_of(t, e->hash);
        if (--s->count == 0) {
            slot_free(t, s);
            t->distinct--;
        }
    } else if (t->kind == HM_TALLY_SUM) {
        add_sum(t, e->number, -1);
    } else if (t->kind == HM_TALLY_ORDER) {
        size_t i = order_lower(t, e->number);
        memmove(t->order + i, t->order + i + 1, (t->n - i - 1) * sizeof *t->order);
    }
    t->n -= e->weight;
}

double hm_tally_sum(const struct hm_tally *t)
{
    return (double)((long double)t->whole + t->part);
}

double hm_tally_percentile(const struct hm_tally *t, double p)
{
    if (!t->n)
        return 0;
    double rank = p / 100 * (double)(t->n - 1);
    size_t lo = (size_t)rank;
    if (lo + 1 >= t->n)
        return t->order[t->n - 1];
    return t->order[lo] + (rank - (double)lo) * (t->order[lo + 1] - t->order[lo]);
}

uint64_t hm_tally_of(const struct hm_tally *t, uint64_t hash)
{
    return t->slot_cap ? slot_of(t, hash)->count : 0;
}
