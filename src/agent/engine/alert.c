/* See alert.h. */
#include "agent/engine/alert.h"
#include "agent/engine/key.h"
#include "agent/engine/limits.h"
#include "agent/engine/tree.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include <assert.h>
#include <stdlib.h>

/* Evidence leaves room for the alert's own fields beneath the event's ceiling. */
#define EVIDENCE_BYTES (HM_EVENT_MAX_BYTES - 32 * 1024)
#define REASON_BYTES   4096

struct hm_alerts {
    struct hm_map *quiet;                  /* hash of (rule, tree) → boot clock of the alert */
    struct hm_buf evidence, one, words[4]; /* words: what the event borrows until it is put */
    struct hm_alert_counts counts;
};

struct hm_alerts *hm_alerts_new(void)
{
    struct hm_alerts *a = calloc(1, sizeof *a);
    if (!a || !(a->quiet = hm_map_new(sizeof(uint64_t), HM_ALERT_KNOWN_MAX))) {
        free(a);
        return NULL;
    }
    a->evidence = HM_BUF(EVIDENCE_BYTES);
    a->one = HM_BUF(HM_EVENT_MAX_BYTES);
    for (size_t i = 0; i < HM_ARRAY_LEN(a->words); i++)
        a->words[i] = HM_BUF(REASON_BYTES);
    return a;
}

void hm_alerts_free(struct hm_alerts *a)
{
    if (!a)
        return;
    hm_map_free(a->quiet);
    hm_buf_done(&a->evidence);
    hm_buf_done(&a->one);
    for (size_t i = 0; i < HM_ARRAY_LEN(a->words); i++)
        hm_buf_done(&a->words[i]);
    free(a);
}

/* The map is small and full only under an attack on it: then the oldest entry goes. */
static void forget_oldest(struct hm_map *m)
{
    size_t pos = 0;
    uint64_t key, oldest = 0, since = UINT64_MAX;
    const uint64_t *at;
    while ((at = hm_map_next(m, &pos, &key))) {
        if (*at >= since)
            continue;
        since = *at;
        oldest = key;
    }
    hm_map_remove(m, oldest);
}

static bool quiet(struct hm_alerts *a, const struct hm_rule *r, uint64_t tree, uint64_t now_ns)
{
    uint64_t key = hm_key_mix(hm_hash64(r->id, strlen(r->id), tree));
    int inserted = 0;
    if (!hm_map_get(a->quiet, key) && hm_map_count(a->quiet) >= HM_ALERT_KNOWN_MAX)
        forget_oldest(a->quiet);
    uint64_t *at = hm_map_put(a->quiet, key, &inserted);
    if (!at)
        return false; /* rather an alert twice than none */
    /* Rings and queues may tell an older event after a younger one: that is no new minute. */
    if (!inserted && (now_ns < *at || now_ns - *at < HM_ALERT_QUIET_NS))
        return true;
    *at = now_ns;
    return false;
}

/* First 16 bytes of SHA-256(rule id · version · endpoint · epoch · boot · seq). An event that had
 * no room in the journal has no seq; its moment takes that place. */
static void alert_id(struct hm_alerts *a, const struct hm_alert_origin *o, const struct hm_rule *r,
                     const struct hm_event *e, uint8_t ret[HM_SHA256_BYTES])
{
    struct hm_buf *b = &a->one;
    hm_buf_clear(b);
    hm_buf_puts(b, r->id);
    hm_buf_put_le64(b, r->version);
    hm_buf_put(b, o->endpoint, sizeof o->endpoint);
    hm_buf_put_le64(b, o->epoch);
    hm_buf_put_le64(b, o->boot);
    hm_buf_put_le64(b, hm_event_u64(e, hm_event_has(e, HM_F_SEQ) ? HM_F_SEQ : HM_F_BOOT_NS));
    hm_sha256(hm_buf_slice(b), ret);
}

/* False: it did not fit; what is there stays whole. */
static bool add_bytes(struct hm_alerts *a, struct hm_slice event)
{
    if (a->evidence.len + event.len + 10 > EVIDENCE_BYTES)
        return false;
    hm_buf_put_varint(&a->evidence, event.len);
    hm_buf_put(&a->evidence, event.p, event.len);
    return !a->evidence.error;
}

static bool add_evidence(struct hm_alerts *a, const struct hm_event *e)
{
    hm_buf_clear(&a->one);
    hm_event_encode(e, &a->one);
    return !a->one.error && add_bytes(a, hm_buf_slice(&a->one));
}

static void describe(struct hm_event *e, const struct hm_process *p,
                     const struct hm_process *parent, const struct hm_users *users)
{
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_PROCESS);
    hm_event_set_u64(e, HM_F_ACTION, HM_ACTION_PROCESS_SNAPSHOT);
    hm_event_set_u64(e, HM_F_BOOT_NS, p->exec_ns ? p->exec_ns : p->start_ns);
    hm_enrich_process(e, p, parent, users);
}

static void gather(struct hm_alerts *a, const struct hm_users *users, const struct hm_event *e,
                   struct hm_process *const *lineage, size_t n,
                   const struct hm_alert_before *before)
{
    struct hm_event one;
    hm_buf_clear(&a->evidence);
    bool room = add_evidence(a, e);
    for (size_t i = 0; i < n && room; i++) {
        describe(&one, lineage[i], i + 1 < n ? lineage[i + 1] : NULL, users);
        room = add_evidence(a, &one);
    }
    for (size_t i = 0; before && i < before->count; i++)
        (void)add_bytes(a, before->events[i]);
}

static void text(struct hm_event *e, enum hm_field f, const char *s)
{
    if (s && *s)
        hm_event_set(e, f, hm_slice_str(s));
}

static void from_rule(struct hm_alerts *a, struct hm_event *f, const struct hm_rule *r,
                      const struct hm_event *e)
{
    text(f, HM_F_RULE_ID, r->id);
    hm_event_set_u64(f, HM_F_RULE_VERSION, r->version);
    text(f, HM_F_RULE_TITLE, r->title);
    text(f, HM_F_RULE_TITLE_JA, r->title_ja);
    hm_event_set_u64(f, HM_F_ALERT_SEVERITY, r->severity);
    text(f, HM_F_ALERT_TECHNIQUES, r->techniques);
    text(f, HM_F_ALERT_TACTICS, r->tactics);
    const struct {
        enum hm_field field;
        const char *template;
    } words[] = {{HM_F_ALERT_REASON, r->reason ? r->reason : r->title},
                 {HM_F_ALERT_REASON_JA, r->reason_ja ? r->reason_ja : r->title_ja},
                 {HM_F_ALERT_ADVICE, r->advice},
                 {HM_F_ALERT_ADVICE_JA, r->advice_ja}};
    static_assert(HM_ARRAY_LEN(words) == HM_ARRAY_LEN(a->words), "a buffer each");
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++) {
        hm_buf_clear(&a->words[i]);
        if (!words[i].template || !*words[i].template)
            continue;
        hm_rule_render(words[i].template, e, &a->words[i]);
        hm_event_set(f, words[i].field, hm_buf_slice(&a->words[i]));
    }
}

void hm_alerts_raise(struct hm_alerts *a, struct hm_sink *sink,
                     const struct hm_alert_origin *origin, struct hm_table *table,
                     const struct hm_users *users, const struct hm_rule *rule,
                     const struct hm_event *e, struct hm_process *p,
                     const struct hm_alert_before *before)
{
    struct hm_process *lineage[HM_ALERT_ANCESTORS_MAX];
    size_t n = p ? hm_tree_lineage(table, p, lineage, HM_ALERT_ANCESTORS_MAX) : 0;
    uint64_t tree = n ? lineage[hm_tree_root(lineage, n)]->key : hm_event_u64(e, HM_F_PROCESS_KEY);
    if (!before && quiet(a, rule, tree, hm_event_u64(e, HM_F_BOOT_NS))) {
        a->counts.repeated++;
        return;
    }
    uint8_t id[HM_SHA256_BYTES];
    alert_id(a, origin, rule, e, id);
    struct hm_event f;
    hm_event_clear(&f);
    hm_event_set_u64(&f, HM_F_CLASS, HM_CLASS_FINDING);
    hm_event_set_u64(&f, HM_F_ACTION, HM_ACTION_FINDING_ALERT);
    hm_event_set_u64(&f, HM_F_BOOT_NS, hm_event_u64(e, HM_F_BOOT_NS));
    if (n)
        hm_enrich_actor(&f, lineage[0], n > 1 ? lineage[1] : NULL, users);
    from_rule(a, &f, rule, e);
    gather(a, users, e, lineage, n, before);
    hm_event_set(&f, HM_F_ALERT_ID, hm_slice(id, 16));
    hm_event_set(&f, HM_F_ALERT_EVIDENCE, hm_buf_slice(&a->evidence));
    hm_event_set_u64(&f, HM_F_ALERT_TREE_KEY, tree);
    hm_event_set_u64(&f, HM_F_ALERT_EVENT_SEQ, hm_event_u64(e, HM_F_SEQ));
    hm_sink_put(sink, HM_LANE_ALERT, &f);
    a->counts.raised++;
    hm_debug("alert: %s: %.*s", rule->title, (int)a->words[0].len, (const char *)a->words[0].data);
}

struct hm_alert_counts hm_alert_counts(const struct hm_alerts *a)
{
    return a->counts;
}
