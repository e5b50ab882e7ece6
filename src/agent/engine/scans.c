/* See scans.h. */
#include "agent/engine/scans.h"
#include "agent/engine/key.h"
#include "agent/engine/limits.h"
#include "base/map.h"
#include <stdlib.h>

struct known {
    struct hm_hash_key key;
};
struct hm_scans {
    struct hm_scan_ops ops;
    struct hm_scan_counts counts;
    uint64_t version, rules, last_id;
    struct hm_map *known;
    uint64_t *order; /* ring of the map's keys, oldest first */
    size_t next, asked;
    struct hm_scan_job jobs[HM_SCANS_WAITING_MAX];
};

static uint64_t fold(const struct hm_hash_key *k)
{
    return hm_key_mix(hm_key_mix(hm_key_mix(k->dev) + k->inode) + k->change_ns);
}

static bool same(const struct hm_hash_key *a, const struct hm_hash_key *b)
{
    return a->dev == b->dev && a->inode == b->inode && a->change_ns == b->change_ns;
}

struct hm_scans *hm_scans_new(const struct hm_scan_ops *ops)
{
    struct hm_scans *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ops = *ops;
    s->known = hm_map_new(sizeof(struct known), HM_SCANS_KNOWN_MAX);
    s->order = calloc(HM_SCANS_KNOWN_MAX, sizeof *s->order);
    if (s->known && s->order)
        return s;
    hm_scans_free(s);
    return NULL;
}

static void drop(struct hm_scan_job *j)
{
    free(j->bytes);
    *j = (struct hm_scan_job){0};
}

void hm_scans_free(struct hm_scans *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++)
        drop(&s->jobs[i]);
    hm_map_free(s->known);
    free(s->order);
    free(s);
}

struct hm_scan_counts *hm_scans_counts(struct hm_scans *s)
{
    return &s->counts;
}

static void forget_verdicts(struct hm_scans *s)
{
    for (size_t i = 0; i < HM_SCANS_KNOWN_MAX; i++)
        if (s->order[i])
            hm_map_remove(s->known, s->order[i]);
    memset(s->order, 0, HM_SCANS_KNOWN_MAX * sizeof *s->order);
    s->next = 0;
}

void hm_scans_rules(struct hm_scans *s, uint64_t version, uint64_t rules)
{
    if (version != s->version)
        forget_verdicts(s);
    s->version = version;
    s->rules = rules;
}

static void remember(struct hm_scans *s, const struct hm_hash_key *k)
{
    uint64_t f = fold(k);
    int inserted = 0;
    if (!hm_map_get(s->known, f) && hm_map_count(s->known) >= HM_SCANS_KNOWN_MAX)
        hm_map_remove(s->known, s->order[s->next]);
    struct known *n = hm_map_put(s->known, f, &inserted);
    if (!n)
        return;
    n->key = *k;
    if (inserted) {
        s->order[s->next] = f;
        s->next = (s->next + 1) % HM_SCANS_KNOWN_MAX;
    }
}

/* ---- asking ---- */

static void ask(struct hm_scans *s, struct hm_scan_job *j, uint64_t now_ns)
{
    if (s->asked >= HM_SCANS_ASKED_MAX)
        return;
    bool sent = j->kind == HM_SCAN_MEMORY ? s->ops.memory && s->ops.memory(s->ops.ctx, j)
                                          : s->ops.file && s->ops.file(s->ops.ctx, j);
    if (!sent)
        return;
    j->asked = true;
    j->since_ns = now_ns;
    s->asked++;
}

/* What runs before what only lies there, then the oldest. */
static bool before(const struct hm_scan_job *a, const struct hm_scan_job *b)
{
    bool lies_a = a->kind == HM_SCAN_WRITTEN, lies_b = b->kind == HM_SCAN_WRITTEN;
    return lies_a != lies_b ? lies_b : a->order < b->order;
}

static void ask_oldest(struct hm_scans *s, uint64_t now_ns)
{
    while (s->asked < HM_SCANS_ASKED_MAX) {
        struct hm_scan_job *best = NULL;
        for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
            struct hm_scan_job *j = &s->jobs[i];
            if (j->id && !j->asked && !j->done && (!best || before(j, best)))
                best = j;
        }
        if (!best)
            return;
        ask(s, best, now_ns);
        if (!best->asked)
            return; /* the peer is slow */
    }
}

static uint8_t *copy(uint8_t *at, struct hm_slice *s)
{
    if (s->len)
        memcpy(at, s->p, s->len);
    s->p = at;
    return at + s->len;
}

static bool own(struct hm_scan_job *j)
{
    j->bytes = malloc(j->path.len + j->target.fsid.len + j->target.handle.len + 1);
    if (!j->bytes)
        return false;
    copy(copy(copy(j->bytes, &j->path), &j->target.fsid), &j->target.handle);
    return true;
}

static void add(struct hm_scans *s, const struct hm_scan_job *job, uint64_t now_ns)
{
    struct hm_scan_job *place = NULL;
    size_t written = 0;
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
        written += s->jobs[i].id && s->jobs[i].kind == HM_SCAN_WRITTEN;
        if (!place && !s->jobs[i].id)
            place = &s->jobs[i];
    }
    struct hm_scan_job j = *job;
    bool flood = job->kind == HM_SCAN_WRITTEN && written >= HM_SCANS_WRITES_MAX;
    if (!place || flood || !own(&j)) {
        s->counts.dropped++;
        return;
    }
    j.id = j.order = ++s->last_id;
    j.since_ns = now_ns;
    *place = j;
    ask_oldest(s, now_ns);
}

static void join(struct hm_scan_job *j, uint64_t process_key)
{
    if (j->waiter_count < HM_SCAN_WAITERS && j->process_key != process_key)
        j->waiters[j->waiter_count++] = process_key;
}

void hm_scans_image(struct hm_scans *s, const struct hm_hash_key *k, uint64_t process_key,
                    uint32_t pid, struct hm_slice path, uint64_t now_ns)
{
    if (!s->rules || !k->inode)
        return;
    const struct known *n = hm_map_get(s->known, fold(k));
    if (n && same(&n->key, k))
        return;
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
        struct hm_scan_job *j = &s->jobs[i];
        if (j->id && j->kind == HM_SCAN_IMAGE && same(&j->key, k)) {
            join(j, process_key);
            return;
        }
    }
    add(s,
        &(struct hm_scan_job){
            .kind = HM_SCAN_IMAGE, .process_key = process_key, .pid = pid, .key = *k, .path = path},
        now_ns);
}

/* The same file under another name is another wish: rules may ask for the name. */
static bool is_same(const struct hm_scan_job *j, const struct hm_scan_job *k)
{
    return j->id && j->kind == k->kind && hm_slice_eq(j->path, k->path) &&
           hm_slice_eq(j->target.handle, k->target.handle) &&
           hm_slice_eq(j->target.fsid, k->target.fsid);
}

/* A file that is written, or a script that is started, again and again is scanned once a while, and
 * once more at the end. */
static void add_by_name(struct hm_scans *s, const struct hm_scan_job *wish, uint64_t now_ns)
{
    for (size_t i = 0; s->rules && i < HM_SCANS_WAITING_MAX; i++) {
        struct hm_scan_job *j = &s->jobs[i];
        if (!is_same(j, wish))
            continue;
        j->again = j->asked || j->done;
        j->process_key = wish->process_key;
        j->pid = wish->pid;
        return;
    }
    if (s->rules)
        add(s, wish, now_ns);
}

void hm_scans_written(struct hm_scans *s, const struct hm_fan_handle *target, struct hm_slice path,
                      uint64_t process_key, uint32_t pid, uint64_t now_ns)
{
    add_by_name(s,
                &(struct hm_scan_job){.kind = HM_SCAN_WRITTEN,
                                      .process_key = process_key,
                                      .pid = pid,
                                      .target = *target,
                                      .path = path},
                now_ns);
}

void hm_scans_script(struct hm_scans *s, struct hm_slice path, uint64_t process_key, uint32_t pid,
                     uint64_t now_ns)
{
    add_by_name(s,
                &(struct hm_scan_job){
                    .kind = HM_SCAN_SCRIPT, .process_key = process_key, .pid = pid, .path = path},
                now_ns);
}

void hm_scans_memory(struct hm_scans *s, uint64_t process_key, uint32_t pid, uint64_t start_ns,
                     uint64_t now_ns)
{
    if (!s->rules)
        return;
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
        const struct hm_scan_job *j = &s->jobs[i];
        if (j->id && j->kind == HM_SCAN_MEMORY && j->process_key == process_key)
            return; /* it waits, or was scanned a moment ago */
    }
    add(s,
        &(struct hm_scan_job){
            .kind = HM_SCAN_MEMORY, .process_key = process_key, .pid = pid, .start_ns = start_ns},
        now_ns);
}

/* ---- answers ---- */

static struct hm_scan_job *find(struct hm_scans *s, uint64_t id)
{
    for (size_t i = 0; id && i < HM_SCANS_WAITING_MAX; i++)
        if (s->jobs[i].id == id && s->jobs[i].asked)
            return &s->jobs[i];
    return NULL;
}

const struct hm_scan_job *hm_scans_take(struct hm_scans *s, uint64_t id)
{
    return find(s, id);
}

void hm_scans_release(struct hm_scans *s, uint64_t id, const struct hm_hash_key *opened, bool known)
{
    struct hm_scan_job *j = find(s, id);
    if (!j)
        return;
    s->asked--;
    if (known && opened->inode)
        remember(s, opened);
    j->asked = false;
    if (j->kind == HM_SCAN_IMAGE)
        drop(j);
    else
        j->done = true; /* its place cools, see hm_scans_tick() */
}

static void cool(struct hm_scans *s, struct hm_scan_job *j, uint64_t now_ns)
{
    static const uint64_t rest[] = {[HM_SCAN_SCRIPT] = HM_SCANS_SCRIPT_REST_NS,
                                    [HM_SCAN_WRITTEN] = HM_SCANS_WRITE_REST_NS,
                                    [HM_SCAN_MEMORY] = HM_SCANS_MEMORY_REST_NS};
    if (now_ns - j->since_ns < rest[j->kind])
        return;
    if (!j->again) {
        drop(j);
        return;
    }
    j->again = j->done = false;
    j->id = j->order = ++s->last_id;
}

void hm_scans_tick(struct hm_scans *s, uint64_t now_ns)
{
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
        struct hm_scan_job *j = &s->jobs[i];
        if (j->id && j->done)
            cool(s, j, now_ns);
        else if (j->id && j->asked && now_ns - j->since_ns > HM_SCANS_ANSWER_NS) {
            s->counts.dropped++; /* monitor was restarted: it will never say */
            s->asked--;
            drop(j);
        }
    }
    ask_oldest(s, now_ns);
}
