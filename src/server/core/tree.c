/* Which processes belong to a young alert, and what they do: a map from process key to the alerts
 * whose tree it is in. Bounded by number, age and size; what has no room is counted in the alert.
 */
#include "server/core/core.h"
#include "base/log.h"
#include "base/map.h"
#include <errno.h>
#include <stdio.h>

#define NO_SLOT UINT32_MAX

struct alert { /* one live alert; slots are reused */
    bool used;
    char tenant[HM_TENANT_MAX];
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    uint64_t created_ms, nodes, events;
    uint64_t nodes_dropped, events_dropped; /* not written yet */
};

struct member { /* (process, alert) */
    uint64_t key;
    uint32_t alert;
    uint32_t next; /* of the same key; 0: none */
};

struct hm_tree {
    struct alert alerts[HM_TREE_ALERTS];
    struct hm_map *first; /* process key → index + 1 into members */
    struct member *members;
    uint32_t member_count;
};

struct hm_tree *hm_tree_new(void)
{
    struct hm_tree *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->first = hm_map_new(sizeof(uint32_t), HM_TREE_KEYS);
    t->members = calloc(HM_TREE_KEYS, sizeof *t->members);
    if (!t->first || !t->members) {
        hm_tree_free(t);
        return NULL;
    }
    return t;
}

void hm_tree_free(struct hm_tree *t)
{
    if (!t)
        return;
    hm_map_free(t->first);
    free(t->members);
    free(t);
}

/* ---- membership ---- */
static const struct member *member_of(const struct hm_tree *t, uint64_t key,
                                      const struct member *after)
{
    if (after)
        return after->next ? &t->members[after->next - 1] : NULL;
    const uint32_t *i = hm_map_get(t->first, key);
    return i ? &t->members[*i - 1] : NULL;
}

static bool is_member(const struct hm_tree *t, uint64_t key, uint32_t alert)
{
    for (const struct member *m = member_of(t, key, NULL); m; m = member_of(t, key, m))
        if (m->alert == alert)
            return true;
    return false;
}

static bool add_member(struct hm_tree *t, uint64_t key, uint32_t alert)
{
    if (key == 0 || is_member(t, key, alert))
        return key != 0;
    if (t->member_count == HM_TREE_KEYS || t->alerts[alert].nodes >= HM_TREE_NODES)
        return false;
    uint32_t *first = hm_map_put(t->first, key, NULL);
    if (!first)
        return false;
    t->members[t->member_count] = (struct member){key, alert, *first};
    *first = ++t->member_count;
    t->alerts[alert].nodes++;
    return true;
}

/* Dropping alerts is rare: the members of the others are put in again. */
static void rebuild(struct hm_tree *t)
{
    uint32_t n = t->member_count;
    struct member *old = t->members, *fresh = calloc(HM_TREE_KEYS, sizeof *fresh);
    struct hm_map *map = hm_map_new(sizeof(uint32_t), HM_TREE_KEYS);
    if (!fresh || !map) { /* the old members stay: they only cost room */
        free(fresh);
        hm_map_free(map);
        return;
    }
    hm_map_free(t->first);
    t->first = map;
    t->members = fresh;
    t->member_count = 0;
    for (uint32_t i = 0; i < HM_TREE_ALERTS; i++)
        t->alerts[i].nodes = 0;
    for (uint32_t i = 0; i < n; i++)
        if (t->alerts[old[i].alert].used)
            (void)add_member(t, old[i].key, old[i].alert);
    free(old);
}

void hm_tree_age(struct hm_tree *t, uint64_t now_ms)
{
    bool dropped = false;
    for (uint32_t i = 0; i < HM_TREE_ALERTS; i++)
        if (t->alerts[i].used && t->alerts[i].created_ms + HM_TREE_AGE_MS < now_ms) {
            t->alerts[i].used = false;
            dropped = true;
        }
    if (dropped)
        rebuild(t);
}

static uint32_t older(const struct hm_tree *t, uint32_t a, uint32_t b)
{
    return a == NO_SLOT || t->alerts[b].created_ms < t->alerts[a].created_ms ? b : a;
}

/* A free slot, else the oldest alert gives up its own. An endpoint that has its share gives up one
 * of its own: one that cries without end must not end the trees of the others. */
static uint32_t slot(struct hm_tree *t, const uint8_t endpoint[HM_ID_BYTES], uint64_t created_ms)
{
    uint32_t free_slot = NO_SLOT, oldest = NO_SLOT, own = NO_SLOT, n = 0;
    for (uint32_t i = 0; i < HM_TREE_ALERTS; i++) {
        if (!t->alerts[i].used) {
            free_slot = i;
            continue;
        }
        oldest = older(t, oldest, i);
        if (memcmp(t->alerts[i].endpoint, endpoint, HM_ID_BYTES) == 0) {
            own = older(t, own, i);
            n++;
        }
    }
    if (n >= HM_TREE_ALERTS_EACH)
        oldest =
            created_ms < t->alerts[own].created_ms ? NO_SLOT : own; /* at start: newest first */
    else if (free_slot != NO_SLOT)
        return free_slot;
    if (oldest == NO_SLOT)
        return NO_SLOT;
    t->alerts[oldest].used = false;
    rebuild(t);
    return oldest;
}

static int find_alert(const struct hm_tree *t, const char *tenant, const uint8_t id[HM_ID_BYTES])
{
    for (int i = 0; i < HM_TREE_ALERTS; i++)
        if (t->alerts[i].used && memcmp(t->alerts[i].id, id, HM_ID_BYTES) == 0 &&
            strcmp(t->alerts[i].tenant, tenant) == 0)
            return i;
    return -1;
}

void hm_tree_add(struct hm_tree *t, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 const uint8_t endpoint[HM_ID_BYTES], uint64_t now_ms, const uint64_t *keys,
                 size_t n)
{
    int at = find_alert(t, tenant, id);
    if (at < 0) {
        uint32_t place = slot(t, endpoint, now_ms);
        if (place == NO_SLOT)
            return;
        at = (int)place;
        t->alerts[at] = (struct alert){.used = true, .created_ms = now_ms};
        snprintf(t->alerts[at].tenant, HM_TENANT_MAX, "%s", tenant);
        memcpy(t->alerts[at].id, id, HM_ID_BYTES);
        memcpy(t->alerts[at].endpoint, endpoint, HM_ID_BYTES);
    }
    for (size_t i = 0; i < n; i++)
        if (!add_member(t, keys[i], (uint32_t)at) && keys[i])
            t->alerts[at].nodes_dropped++;
}

/* ---- one event ---- */
static bool is_birth(uint64_t action)
{
    return action == HM_ACTION_PROCESS_EXEC || action == HM_ACTION_PROCESS_FORK ||
           action == HM_ACTION_PROCESS_SNAPSHOT;
}

static int put_event(struct hm_tree *t, struct alert *a, struct hm_soc_item *it,
                     const struct hm_event *e)
{
    struct hm_core *k = it->k;
    struct hm_event full = *e;
    (void)t;
    if (a->events >= HM_TREE_EVENTS) {
        a->events_dropped++;
        return 0;
    }
    hm_event_set(&full, HM_F_TENANT, hm_slice_str(it->tenant));
    hm_event_set(&full, HM_F_ENDPOINT, hm_slice(it->endpoint, HM_ID_BYTES));
    hm_event_set_u64(&full, HM_F_EPOCH, it->head.epoch);
    hm_event_set_u64(&full, HM_F_BOOT, it->head.boot);
    hm_event_set_u64(&full, HM_F_RECEIVED_NS, it->received_ns);
    hm_event_set(&full, HM_F_HOST_NAME, it->host_name);
    hm_buf_clear(&k->scratch);
    hm_event_to_json(&full, &k->scratch);
    if (k->scratch.error)
        return 0;
    struct hm_tree_event n = {.epoch = it->head.epoch,
                              .boot = it->head.boot,
                              .seq = hm_event_u64(e, HM_F_SEQ),
                              .key = hm_event_u64(e, HM_F_PROCESS_KEY),
                              .class = hm_event_u64(e, HM_F_CLASS),
                              .action = hm_event_u64(e, HM_F_ACTION),
                              .time_ns = hm_event_u64(e, HM_F_WALL_NS),
                              .json = hm_buf_slice(&k->scratch)};
    int r = hm_alert_event_put(k->c, (struct hm_alert_ref){a->tenant, a->id}, &n);
    if (r > 0)
        a->events++;
    return r < 0 ? r : 0;
}

static int put_process(struct alert *a, struct hm_soc_item *it, const struct hm_event *e,
                       uint64_t action)
{
    struct hm_alert_ref ref = {a->tenant, a->id};
    uint64_t key = hm_event_u64(e, HM_F_PROCESS_KEY);
    struct hm_slice sha = hm_event_str(e, HM_F_PROCESS_SHA256);
    int r = 0;
    if (is_birth(action))
        r = hm_soc_node(it->k->c, ref, e, 0, false);
    else if (action == HM_ACTION_PROCESS_EXIT)
        r = hm_alert_node_exit(it->k->c, ref, key, hm_event_u64(e, HM_F_WALL_NS),
                               hm_event_u64(e, HM_F_PROCESS_EXIT_CODE),
                               hm_event_u64(e, HM_F_PROCESS_EXIT_SIGNAL));
    else if (action == HM_ACTION_PROCESS_IMAGE && sha.len == 32)
        r = hm_alert_node_hash(it->k->c, ref, key, sha.p);
    return r == -ENOENT ? 0 : r;
}

static int serve(struct hm_tree *t, uint32_t at, struct hm_soc_item *it, const struct hm_event *e)
{
    struct alert *a = &t->alerts[at];
    uint64_t action = hm_event_u64(e, HM_F_ACTION);
    int r = 0;
    if (!a->used || memcmp(a->endpoint, it->endpoint, HM_ID_BYTES) != 0 ||
        (it->only_alert && memcmp(a->id, it->only_alert, HM_ID_BYTES) != 0))
        return 0;
    if (hm_event_u64(e, HM_F_CLASS) == HM_CLASS_PROCESS)
        r = put_process(a, it, e, action);
    if (!r)
        r = put_event(t, a, it, e);
    hm_changed(it->k, "alert", a->tenant, a->id);
    return r;
}

/* A child of a member becomes a member of the same alerts. */
static void adopt(struct hm_tree *t, struct hm_soc_item *it, const struct hm_event *e)
{
    uint64_t key = hm_event_u64(e, HM_F_PROCESS_KEY), parent = hm_event_u64(e, HM_F_PARENT_KEY);
    if (!key || !parent || key == parent)
        return;
    for (const struct member *m = member_of(t, parent, NULL); m; m = member_of(t, parent, m)) {
        struct alert *a = &t->alerts[m->alert];
        if (a->used && memcmp(a->endpoint, it->endpoint, HM_ID_BYTES) == 0 &&
            !add_member(t, key, m->alert))
            a->nodes_dropped++;
    }
}

int hm_tree_event(struct hm_tree *t, struct hm_soc_item *it, const struct hm_event *e)
{
    uint64_t key = hm_event_u64(e, HM_F_PROCESS_KEY);
    int r = 0;
    if (t->member_count == 0 || key == 0)
        return 0;
    if (hm_event_u64(e, HM_F_CLASS) == HM_CLASS_PROCESS && is_birth(hm_event_u64(e, HM_F_ACTION)))
        adopt(t, it, e);
    for (const struct member *m = member_of(t, key, NULL); !r && m; m = member_of(t, key, m))
        r = serve(t, m->alert, it, e);
    return r;
}

int hm_tree_flush(struct hm_tree *t, struct hm_control *c)
{
    int r = 0;
    for (int i = 0; !r && i < HM_TREE_ALERTS; i++) {
        struct alert *a = &t->alerts[i];
        if (!a->used || (!a->nodes_dropped && !a->events_dropped))
            continue;
        r = hm_alert_dropped(c, (struct hm_alert_ref){a->tenant, a->id}, a->nodes_dropped,
                             a->events_dropped);
        a->nodes_dropped = a->events_dropped = 0;
    }
    return r == -ENOENT ? 0 : r;
}

/* ---- at start: from the database ---- */
static int load_key(void *ctx, uint64_t key)
{
    struct {
        struct hm_tree *t;
        uint32_t at;
    } *l = ctx;
    (void)add_member(l->t, key, l->at);
    return 0;
}

static int load_alert(void *ctx, const struct hm_alert_young *y)
{
    struct hm_tree *t = ctx;
    uint64_t root = y->tree_key;
    hm_tree_add(t, y->tenant, y->id, y->endpoint, y->created_ms, &root, 1);
    return 0;
}

int hm_tree_load(struct hm_tree *t, struct hm_control *c, uint64_t now_ms)
{
    uint64_t after = now_ms > HM_TREE_AGE_MS ? now_ms - HM_TREE_AGE_MS : 0;
    int r = hm_alert_young_list(c, after, HM_TREE_ALERTS, HM_TREE_ALERTS_EACH, load_alert, t);
    for (uint32_t i = 0; !r && i < HM_TREE_ALERTS; i++) {
        struct alert *a = &t->alerts[i];
        struct {
            struct hm_tree *t;
            uint32_t at;
        } l = {t, i};
        if (!a->used)
            continue;
        r = hm_alert_node_keys(c, (struct hm_alert_ref){a->tenant, a->id}, load_key, &l);
        if (!r)
            r = hm_alert_event_count(c, (struct hm_alert_ref){a->tenant, a->id}, &a->events);
    }
    return r;
}
