/* State across a swap of rule sets and across a restart. The form is private to one build's
 * version: a file of another version is refused and the windows begin empty, which is visible. */
#include "base/cursor.h"
#include "detect/correlate/parts.h"
#include <assert.h>
#include <errno.h>

#define MAGIC 0x31524f4348u /* "HCOR1" */
static_assert(HM_CORRELATE_JUMP_RUN < 64, "late_run shares a byte with two flags");

static bool same(const struct hm_correlate_item *a, const struct hm_correlate_item *b)
{
    const struct hm_correlation *x = a->correlation, *y = b->correlation;
    return a->version == b->version && strcmp(a->id, b->id) == 0 && x->kind == y->kind &&
           x->ref_count == y->ref_count && x->group_count == y->group_count &&
           x->timespan_ms == y->timespan_ms;
}

static void move_groups(struct hm_crun *to, struct hm_crun *from)
{
    struct hm_cgroups g = from->groups;
    g.max = to->groups.max;
    g.bytes_max = to->groups.bytes_max;
    from->groups.buckets = NULL;
    from->groups.oldest = from->groups.newest = from->groups.spare = NULL;
    from->groups.bucket_count = from->groups.count = from->groups.bytes = 0;
    hm_cgroups_done(&to->groups);
    to->groups = g;
    to->n = from->n;
}

size_t hm_correlator_adopt(struct hm_correlator *c, struct hm_correlator *old)
{
    size_t moved = 0;
    memcpy(c->secret, old->secret, sizeof c->secret);
    if (c->stamp < old->stamp)
        c->stamp = old->stamp;
    for (size_t i = 0; i < c->set.count; i++)
        for (size_t k = 0; k < old->set.count; k++)
            if (!c->runs[i].dormant && !old->runs[k].dormant &&
                same(&c->set.items[i], &old->set.items[k])) {
                move_groups(&c->runs[i], &old->runs[k]);
                moved++;
                break;
            }
    return moved;
}

/* --- writing --------------------------------------------------------------------------------- */
static void put_bytes(struct hm_buf *out, const void *p, size_t len)
{
    hm_buf_put_le32(out, (uint32_t)len);
    hm_buf_put(out, p, len);
}

static void put_group(struct hm_buf *out, const struct hm_cgroups *gs, const struct hm_cgroup *g)
{
    put_bytes(out, g->key, g->key_len);
    hm_buf_put_le64(out, g->newest);
    hm_buf_put_le64(out, g->told_ms);
    hm_buf_put_le64(out, g->partial_until);
    hm_buf_put_u8(out, (uint8_t)(g->begun | g->told << 1 | g->late_run << 2));
    for (size_t i = 0; i < gs->ref_count; i++)
        hm_buf_put_le64(out, g->last[i]);
    hm_buf_put_le32(out, (uint32_t)g->w.count);
    for (size_t i = 0; i < g->w.count; i++) {
        const struct hm_entry *e = hm_window_at(&g->w, i);
        hm_buf_put_le64(out, e->time);
        hm_buf_put_le64(out, e->token);
        hm_buf_put_le64(out, e->mask);
        hm_buf_put_le64(out, e->weight);
    }
}

void hm_correlator_save(const struct hm_correlator *c, struct hm_buf *out)
{
    hm_buf_put_le64(out, MAGIC);
    hm_buf_put_le64(out, c->secret[0]);
    hm_buf_put_le64(out, c->secret[1]);
    for (size_t i = 0; i < c->set.count; i++) {
        const struct hm_crun *r = &c->runs[i];
        if (r->dormant)
            continue;
        put_bytes(out, c->set.items[i].id, strlen(c->set.items[i].id));
        hm_buf_put_le64(out, c->set.items[i].version);
        hm_buf_put_le32(out, (uint32_t)r->groups.ref_count);
        hm_buf_put_le32(out, (uint32_t)r->groups.count);
        for (const struct hm_cgroup *g = r->groups.oldest; g; g = g->newer)
            put_group(out, &r->groups, g);
    }
}

/* --- reading --------------------------------------------------------------------------------- */
struct saved {
    struct hm_slice key;
    uint64_t newest, told_ms, partial_until;
    uint8_t flags;
    uint64_t last[HM_CORRELATE_REFS_MAX];
    uint32_t count;
    struct hm_slice entries;
};

static void read_group(struct hm_cursor *in, size_t refs, struct saved *s)
{
    s->key = hm_cursor_take(in, hm_cursor_le32(in));
    s->newest = hm_cursor_le64(in);
    s->told_ms = hm_cursor_le64(in);
    s->partial_until = hm_cursor_le64(in);
    s->flags = hm_cursor_u8(in);
    for (size_t i = 0; i < refs; i++)
        s->last[i] = hm_cursor_le64(in);
    s->count = hm_cursor_le32(in);
    s->entries = hm_cursor_take(in, (size_t)s->count * 32);
    if (s->key.len > HM_CORRELATE_KEY_BYTES || s->count > HM_CORRELATE_WINDOW_MAX)
        hm_cursor_fail(in);
}

/* Entries in order of time, none after the newest, weights and masks that can be. */
static bool read_entries(struct hm_crun *r, struct hm_cgroup *g, const struct saved *s)
{
    struct hm_cursor in = hm_cursor(s->entries);
    uint64_t edge = s->newest > r->span ? s->newest - r->span : 0, at = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        struct hm_entry e;
        e.time = hm_cursor_le64(&in);
        e.token = hm_cursor_le64(&in);
        e.mask = hm_cursor_le64(&in);
        e.weight = hm_cursor_le64(&in);
        bool number = r->groups.kind == HM_TALLY_SUM || r->groups.kind == HM_TALLY_ORDER;
        if (e.time < at || e.time > s->newest || !e.weight || e.weight > UINT32_MAX ||
            (r->groups.kind != HM_TALLY_SUM && e.weight != 1) ||
            (hm_correlate_temporal(r->c) && (e.mask & ~r->all)) ||
            (number && !(e.number >= -HM_CORRELATE_NUMBER_MAX * (double)e.weight &&
                         e.number <= HM_CORRELATE_NUMBER_MAX * (double)e.weight)))
            return false;
        at = e.time;
        hm_window_insert(&g->w, &e);
        if (e.time < edge)
            g->w.live++;
        else if (!hm_correlate_temporal(r->c))
            hm_tally_add(&g->t, &e);
    }
    return true;
}

static int restore(struct hm_correlator *c, struct hm_crun *r, const struct saved *s)
{
    struct hm_key *key = &c->key;
    key->len = s->key.len;
    if (key->len)
        memcpy(key->bytes, s->key.p, key->len);
    if (s->newest > HM_CORRELATE_TIME_MAX || s->count > r->entries_max)
        return -EBADMSG;
    struct hm_cgroup *g = hm_cgroups_get(&r->groups, c->secret, key, ++c->stamp, s->newest);
    if (!g)
        return -ENOMEM;
    hm_cgroup_clear(g, r->groups.ref_count); /* a key twice: the later one */
    size_t more = hm_window_growth(&g->w, s->count) + hm_tally_growth(&g->t, s->count);
    if (more && !hm_cgroups_afford(&r->groups, more, c->stamp, s->newest))
        return 0; /* under a smaller ceiling than before: this group begins anew */
    size_t had = g->w.cap * sizeof *g->w.all + hm_tally_bytes(&g->t);
    if (hm_window_reserve(&g->w, s->count) < 0 || hm_tally_reserve(&g->t, s->count) < 0)
        return -ENOMEM;
    r->groups.bytes += g->w.cap * sizeof *g->w.all + hm_tally_bytes(&g->t) - had;
    if (!read_entries(r, g, s))
        return -EBADMSG;
    for (size_t i = 0; i < r->groups.ref_count; i++)
        g->last[i] = s->last[i] <= s->newest + 1 ? s->last[i] : 0;
    g->newest = s->newest;
    g->told_ms = s->told_ms < HM_CORRELATE_TIME_MAX ? s->told_ms : 0;
    g->partial_until = s->partial_until;
    g->begun = s->flags & 1;
    g->told = s->flags >> 1 & 1;
    g->late_run = s->flags >> 2;
    return 0;
}

static struct hm_crun *run_of(struct hm_correlator *c, struct hm_slice id, uint64_t version,
                              size_t refs)
{
    for (size_t i = 0; i < c->set.count; i++)
        if (!c->runs[i].dormant && c->set.items[i].version == version &&
            hm_slice_eq(hm_slice_str(c->set.items[i].id), id) &&
            c->runs[i].groups.ref_count == refs)
            return &c->runs[i];
    return NULL;
}

static int read_run(struct hm_correlator *c, struct hm_cursor *in)
{
    struct hm_slice id = hm_cursor_take(in, hm_cursor_le32(in));
    uint64_t version = hm_cursor_le64(in);
    uint32_t refs = hm_cursor_le32(in), groups = hm_cursor_le32(in);
    if (in->error || refs > HM_CORRELATE_REFS_MAX)
        return -EBADMSG;
    struct hm_crun *r = run_of(c, id, version, refs);
    for (uint32_t i = 0; i < groups; i++) {
        struct saved s = {0};
        read_group(in, refs, &s);
        if (in->error)
            return -EBADMSG;
        int err = r ? restore(c, r, &s) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static void empty(struct hm_correlator *c)
{
    for (size_t i = 0; i < c->set.count; i++) {
        struct hm_cgroups *g = &c->runs[i].groups;
        hm_cgroups_done(g);
        g->bytes = 0;
    }
}

int hm_correlator_load(struct hm_correlator *c, struct hm_slice bytes)
{
    struct hm_cursor in = hm_cursor(bytes);
    int r = hm_cursor_le64(&in) == MAGIC ? 0 : -EBADMSG;
    uint64_t secret[2];
    secret[0] = hm_cursor_le64(&in);
    secret[1] = hm_cursor_le64(&in);
    if (r < 0 || in.error)
        return -EBADMSG;
    empty(c);
    memcpy(c->secret, secret, sizeof secret);
    while (r == 0 && hm_cursor_left(&in))
        r = read_run(c, &in);
    if (r < 0)
        empty(c);
    return r;
}
