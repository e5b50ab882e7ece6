/* What one event of an endpoint means for people: alerts with their evidence, outcomes of orders,
 * sensors, losses. Everything is idempotent, because a record may be seen twice after a kill. */
#include "server/core/core.h"
#include "base/cursor.h"
#include "base/ip.h"
#include "base/log.h"
#include "wire/order.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define EVIDENCE_MAX  64 /* events of an alert: the deciding one, the process and its ancestors */
#define SENSORS_BYTES (64 * 1024)

/* The envelope is the batch's, not the endpoint's to state. */
void hm_soc_envelope(struct hm_event *e, const struct hm_soc_item *it)
{
    hm_event_set(e, HM_F_TENANT, hm_slice_str(it->tenant));
    hm_event_set(e, HM_F_ENDPOINT, hm_slice(it->endpoint, HM_ID_BYTES));
    hm_event_set_u64(e, HM_F_EPOCH, it->head.epoch);
    hm_event_set_u64(e, HM_F_BOOT, it->head.boot);
    hm_event_set_u64(e, HM_F_RECEIVED_NS, it->received_ns);
    hm_event_set(e, HM_F_HOST_NAME, it->host_name);
}

/* ---- alerts ---- */
struct evidence {
    struct hm_event e[EVIDENCE_MAX];
    size_t n;
};

static int unpack(struct hm_slice list, struct evidence *v)
{
    struct hm_cursor c = hm_cursor(list);
    while (hm_cursor_left(&c) && v->n < EVIDENCE_MAX) {
        int r = hm_event_unpack(&c, &v->e[v->n]);
        if (r)
            return r;
        v->n++;
    }
    return 0;
}

static void evidence_json(struct evidence *v, const struct hm_soc_item *it, struct hm_buf *out)
{
    hm_buf_clear(out);
    hm_buf_put_u8(out, '[');
    for (size_t i = 0; i < v->n; i++) {
        hm_soc_envelope(&v->e[i], it);
        if (i)
            hm_buf_put_u8(out, ',');
        hm_event_to_json(&v->e[i], out);
    }
    hm_buf_put_u8(out, ']');
}

static struct hm_slice cut_command(struct hm_slice s)
{
    if (s.len > HM_TREE_COMMAND_MAX)
        s.len = HM_TREE_COMMAND_MAX;
    return s;
}

static void stdio_text(const struct hm_event *e, char *ret, size_t len)
{
    char ip[HM_IP_TEXT_BYTES];
    bool socket = hm_event_u64(e, HM_F_PROCESS_STDIN) == HM_STDIO_SOCKET ||
                  hm_event_u64(e, HM_F_PROCESS_STDOUT) == HM_STDIO_SOCKET ||
                  hm_event_u64(e, HM_F_PROCESS_STDERR) == HM_STDIO_SOCKET;
    ret[0] = 0;
    if (!socket)
        return;
    struct hm_slice peer = hm_event_str(e, HM_F_PROCESS_STDIO_IP);
    if (peer.len)
        snprintf(ret, len, peer.len == 16 ? "socket [%s]:%" PRIu64 : "socket %s:%" PRIu64,
                 hm_ip_format(peer, ip), hm_event_u64(e, HM_F_PROCESS_STDIO_PORT));
    else
        snprintf(ret, len, "socket");
}

/* Wall time at which the process began, from the event's two clocks. */
static uint64_t start_wall_ns(const struct hm_event *e)
{
    uint64_t wall = hm_event_u64(e, HM_F_WALL_NS), now = hm_event_u64(e, HM_F_BOOT_NS);
    uint64_t start = hm_event_u64(e, HM_F_PROCESS_START_NS);
    if (!wall || !now || !start || start > now || now - start > wall)
        return wall;
    return wall - (now - start);
}

int hm_soc_node(struct hm_control *c, struct hm_alert_ref a, const struct hm_event *e,
                uint64_t ancestor, bool marked)
{
    char stdio[96];
    stdio_text(e, stdio, sizeof stdio);
    struct hm_node_new n = {.key = hm_event_u64(e, HM_F_PROCESS_KEY),
                            .parent = hm_event_u64(e, HM_F_PARENT_KEY),
                            .ancestor = ancestor,
                            .pid = hm_event_u64(e, HM_F_PROCESS_PID),
                            .start_ns = start_wall_ns(e),
                            .marked = marked,
                            .image = hm_event_str(e, HM_F_PROCESS_IMAGE),
                            .command_line = cut_command(hm_event_str(e, HM_F_PROCESS_COMMAND_LINE)),
                            .user = hm_event_str(e, HM_F_USER_NAME),
                            .sha256 = hm_event_str(e, HM_F_PROCESS_SHA256),
                            .stdio = hm_slice_str(stdio)};
    return n.key ? hm_alert_node_put(c, a, &n) : 0;
}

/* evidence[1] is the process of the deciding event, then its ancestors, nearest first: each the
 * parent of the one before. Up to the root of the tree they belong to it; above they are only
 * shown. What follows them led to the alert (of a correlation): those processes belong to its
 * story, not to this tree. */
static size_t lineage_end(const struct evidence *v)
{
    uint64_t wanted = v->n ? hm_event_u64(&v->e[0], HM_F_PROCESS_KEY) : 0;
    size_t i = 1;
    while (i < v->n && wanted && hm_event_u64(&v->e[i], HM_F_PROCESS_KEY) == wanted)
        wanted = hm_event_u64(&v->e[i++], HM_F_PARENT_KEY);
    return i;
}

static void put_earlier(const struct evidence *v, uint64_t *keys, size_t *n)
{
    for (size_t i = lineage_end(v); i < v->n; i++) {
        uint64_t key = hm_event_u64(&v->e[i], HM_F_PROCESS_KEY);
        if (key)
            keys[(*n)++] = key;
    }
}

static int put_chain(struct hm_soc_item *it, struct hm_alert_ref a, const struct evidence *v,
                     uint64_t root, uint64_t *keys, size_t *n)
{
    uint64_t above = 0;
    size_t end = lineage_end(v);
    int r = 0;
    for (size_t i = 1; !r && i < end; i++) {
        uint64_t key = hm_event_u64(&v->e[i], HM_F_PROCESS_KEY);
        r = hm_soc_node(it->k->c, a, &v->e[i], above, i == 1);
        if (!above)
            keys[(*n)++] = key;
        if (above || key == root)
            above++;
    }
    return r;
}

static int put_story(struct hm_core *k, struct hm_story_join *j)
{
    uint8_t story[HM_ID_BYTES];
    int r = hm_story_add(k->c, j, story);
    if (!r)
        hm_changed(k, "story", j->tenant, story);
    return r;
}

static int put_tree(struct hm_soc_item *it, struct hm_alert_ref a, const struct evidence *v,
                    const struct hm_alert_new *alert)
{
    uint64_t root = alert->tree_key;
    uint64_t keys[EVIDENCE_MAX + 2];
    size_t n = 0;
    int r = put_chain(it, a, v, root, keys, &n);
    if (!r &&
        lineage_end(v) == 1) { /* no process came with it: the deciding event is all we know */
        r = hm_soc_node(it->k->c, a, &v->e[0], 0, true);
        keys[n++] = hm_event_u64(&v->e[0], HM_F_PROCESS_KEY);
    }
    if (!r)
        hm_tree_add(it->k->tree, a.tenant, a.id, it->endpoint, hm_control_now_ms(), keys, n);
    put_earlier(v, keys, &n);
    struct hm_story_join j = {a.tenant, it->endpoint, a.id, alert->event_ns, keys, n};
    return r ? r : put_story(it->k, &j);
}

static struct hm_slice first_text(const struct hm_event *a, const struct hm_event *b,
                                  enum hm_field f)
{
    struct hm_slice s = hm_event_str(a, f);
    return s.len ? s : hm_event_str(b, f);
}

static uint64_t first_u64(const struct hm_event *a, const struct hm_event *b, enum hm_field f)
{
    uint64_t v = hm_event_u64(a, f);
    return v ? v : hm_event_u64(b, f);
}

static void describe(struct hm_soc_item *it, const struct hm_event *e, const struct evidence *v,
                     struct hm_alert_new *a)
{
    static const struct hm_event none;
    const struct hm_event *d = v->n ? &v->e[0] : &none; /* the deciding event */
    *a = (struct hm_alert_new){.severity = hm_event_u64(e, HM_F_ALERT_SEVERITY),
                               .rule_id = hm_event_str(e, HM_F_RULE_ID),
                               .rule_version = hm_event_u64(e, HM_F_RULE_VERSION),
                               .title = hm_event_str(e, HM_F_RULE_TITLE),
                               .title_ja = hm_event_str(e, HM_F_RULE_TITLE_JA),
                               .reason = hm_event_str(e, HM_F_ALERT_REASON),
                               .reason_ja = hm_event_str(e, HM_F_ALERT_REASON_JA),
                               .advice = hm_event_str(e, HM_F_ALERT_ADVICE),
                               .advice_ja = hm_event_str(e, HM_F_ALERT_ADVICE_JA),
                               .techniques = hm_event_str(e, HM_F_ALERT_TECHNIQUES),
                               .tactics = hm_event_str(e, HM_F_ALERT_TACTICS),
                               .event_ns = first_u64(d, e, HM_F_WALL_NS),
                               .received_ns = it->received_ns,
                               .process_key = first_u64(e, d, HM_F_PROCESS_KEY),
                               .pid = first_u64(e, d, HM_F_PROCESS_PID),
                               .image = first_text(e, d, HM_F_PROCESS_IMAGE),
                               .command_line =
                                   cut_command(first_text(e, d, HM_F_PROCESS_COMMAND_LINE)),
                               .user = first_text(e, d, HM_F_USER_NAME),
                               .evidence = hm_buf_slice(&it->k->json),
                               .epoch = it->head.epoch,
                               .boot = it->head.boot,
                               .event_seq = hm_event_u64(e, HM_F_ALERT_EVENT_SEQ)};
    memcpy(a->id, hm_event_str(e, HM_F_ALERT_ID).p, HM_ID_BYTES);
    memcpy(a->endpoint, it->endpoint, HM_ID_BYTES);
    a->tree_key = hm_event_u64(e, HM_F_ALERT_TREE_KEY);
    if (!a->tree_key)
        a->tree_key = a->process_key;
    if (a->severity < 1 || a->severity > 5)
        a->severity = 3;
}

static int put_alert(struct hm_soc_item *it, const struct hm_event *e, struct evidence *v)
{
    struct hm_alert_new a;
    int r = unpack(hm_event_str(e, HM_F_ALERT_EVIDENCE), v);
    if (r)
        return r;
    evidence_json(v, it, &it->k->json);
    if (it->k->json.error)
        return it->k->json.error;
    describe(it, e, v, &a);
    r = hm_alert_put(it->k->c, it->tenant, &a);
    if (r < 0)
        return r;
    hm_changed(it->k, "alert", it->tenant, a.id);
    if (r == 0)
        return 0; /* known: its tree is kept up already */
    r = put_tree(it, (struct hm_alert_ref){it->tenant, a.id}, v, &a);
    if (!r)
        r = hm_except_judge(it->k, it->tenant, &a);
    if (r == 0)
        r = hm_spread_alert(it->k->spread, it, e);
    return r < 0 ? r : hm_consume_backfill(it->k, it, a.id);
}

static int on_alert(struct hm_soc_item *it, const struct hm_event *e)
{
    if (hm_event_str(e, HM_F_ALERT_ID).len != HM_ID_BYTES)
        return -EBADMSG;
    struct evidence *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    int r = put_alert(it, e, v);
    free(v);
    return r;
}

/* ---- orders ---- */
struct order_facts {
    uint64_t release_ms;
    bool found;
};

static int copy_order(void *ctx, const struct hm_order_row *r)
{
    struct order_facts *f = ctx;
    f->release_ms = r->release_ms;
    f->found = true;
    return 0;
}

/* The "probes" array of the endpoint's account, as JSON text; free() it; NULL: none. */
static char *probes_of(struct hm_slice detail)
{
    cJSON *o = detail.len ? cJSON_ParseWithLength((const char *)detail.p, detail.len) : NULL;
    cJSON *p = cJSON_GetObjectItemCaseSensitive(o, "probes");
    char *text = cJSON_IsArray(p) ? cJSON_PrintUnformatted(p) : NULL;
    cJSON_Delete(o);
    return text;
}

static int set_isolation(struct hm_soc_item *it, uint64_t kind, uint64_t state,
                         struct hm_slice detail, const struct order_facts *f)
{
    uint64_t now = hm_control_now_ms();
    char *probes = probes_of(detail);
    int r = 0;
    if (kind == HM_ORDER_ISOLATE && state == HM_ORDER_DONE)
        r = hm_endpoint_set_isolation(it->k->c, it->tenant, it->endpoint, "isolated", now,
                                      f->release_ms, probes);
    else if (kind == HM_ORDER_ISOLATE && state != HM_ORDER_BEGUN)
        r = hm_endpoint_set_isolation(it->k->c, it->tenant, it->endpoint, "failed", now, 0, probes);
    else if (kind == HM_ORDER_RELEASE && state == HM_ORDER_DONE)
        r = hm_endpoint_set_isolation(it->k->c, it->tenant, it->endpoint, "none", 0, 0, probes);
    free(probes);
    hm_changed(it->k, "endpoint", it->tenant, it->endpoint);
    return r;
}

/* An event of long ago (a journal read again) must not undo what came later. */
static int on_order(struct hm_soc_item *it, const struct hm_event *e)
{
    struct hm_slice id = hm_event_str(e, HM_F_ORDER_ID),
                    detail = hm_event_str(e, HM_F_ORDER_DETAIL);
    uint64_t state = hm_event_u64(e, HM_F_ORDER_STATE), kind = hm_event_u64(e, HM_F_ORDER_KIND);
    struct order_facts facts = {0};
    struct hm_order_filter by_id = {.id = id.p, .endpoint = it->endpoint}; /* its own alone */
    int r = 0;
    if (id.len == HM_ID_BYTES) {
        r = hm_order_list(it->k->c, it->tenant, &by_id, copy_order, &facts);
        if (!r && facts.found)
            r = hm_order_set_state(it->k->c, it->tenant, id.p, hm_order_state_name(state), detail);
        if (r && r != -EALREADY)
            return r;
        hm_changed(it->k, "order", it->tenant, id.p);
    }
    /* "Released by itself" has no row in state begun: kind alone says it. */
    return r == -EALREADY && kind != HM_ORDER_RELEASE
               ? 0
               : set_isolation(it, kind, state, detail, &facts);
}

/* ---- endpoint's health ---- */
static int on_sensors(struct hm_soc_item *it, const struct hm_event *e)
{
    struct hm_slice json = hm_event_str(e, HM_F_AGENT_DETAIL);
    if (json.len == 0 || json.len > SENSORS_BYTES)
        return 0;
    cJSON *o = cJSON_ParseWithLength((const char *)json.p, json.len);
    bool ok = cJSON_IsObject(o);
    cJSON_Delete(o);
    if (!ok)
        return 0; /* shown as "not told" rather than as nonsense */
    hm_changed(it->k, "endpoint", it->tenant, it->endpoint);
    int r = hm_endpoint_set_sensors(it->k->c, it->tenant, it->endpoint, json);
    return r == -ENOENT ? 0 : r;
}

static int on_content(struct hm_soc_item *it, const struct hm_event *e)
{
    return hm_delivery_said(it->k, it->tenant, it->endpoint, it->received_ns / 1000000,
                            hm_event_str(e, HM_F_AGENT_DETAIL));
}

static int on_loss(struct hm_soc_item *it, const struct hm_event *e)
{
    uint64_t n = hm_event_u64(e, HM_F_LOSS_COUNT);
    it->losses += n ? n : 1;
    hm_changed(it->k, "endpoint", it->tenant, it->endpoint);
    return 0;
}

static const struct {
    uint64_t action; /* 0: every action of the class */
    uint64_t class;
    int (*handle)(struct hm_soc_item *it, const struct hm_event *e);
} handlers[] = {
    {HM_ACTION_FINDING_ALERT, HM_CLASS_FINDING, on_alert},
    {HM_ACTION_AGENT_ORDER, HM_CLASS_AGENT, on_order},
    {HM_ACTION_AGENT_SENSORS, HM_CLASS_AGENT, on_sensors},
    {HM_ACTION_AGENT_CONTENT, HM_CLASS_AGENT, on_content},
    {HM_ACTION_AGENT_RULE_COST, HM_CLASS_AGENT, hm_rule_cost_said},
    {0, HM_CLASS_LOSS, on_loss},
};

int hm_soc_event(struct hm_soc_item *it, const struct hm_event *e)
{
    uint64_t class = hm_event_u64(e, HM_F_CLASS), action = hm_event_u64(e, HM_F_ACTION);
    for (size_t i = 0; !it->only_alert && i < HM_ARRAY_LEN(handlers); i++)
        if (handlers[i].class == class && (!handlers[i].action || handlers[i].action == action))
            return handlers[i].handle(it, e);
    return hm_tree_event(it->k->tree, it, e);
}

/* ---- the server's own alerts ---- */
static void notice_evidence(struct hm_core *k, const struct hm_notice *n)
{
    hm_buf_clear(&k->json);
    hm_buf_put_u8(&k->json, '[');
    if (n->about)
        hm_event_to_json(n->about, &k->json);
    hm_buf_put_u8(&k->json, ']');
}

int hm_soc_notice(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                  const struct hm_notice *n)
{
    uint8_t hash[HM_SHA256_BYTES];
    uint64_t now = hm_control_now_ms() * 1000000;
    struct hm_alert_new a = {.severity = n->severity,
                             .rule_id = hm_slice_str(n->rule),
                             .title = hm_slice_str(n->title),
                             .title_ja = hm_slice_str(n->title_ja),
                             .reason = hm_slice_str(n->reason),
                             .reason_ja = hm_slice_str(n->reason_ja),
                             .advice = hm_slice_str(n->advice),
                             .advice_ja = hm_slice_str(n->advice_ja),
                             .techniques = hm_slice_str(n->techniques),
                             .tactics = hm_slice_str(n->tactics),
                             .event_ns = now,
                             .received_ns = now};
    hm_buf_clear(&k->json);
    hm_buf_puts(&k->json, n->rule);
    hm_buf_put(&k->json, endpoint, HM_ID_BYTES);
    hm_buf_put(&k->json, n->key.p, n->key.len);
    hm_sha256(hm_buf_slice(&k->json), hash);
    memcpy(a.id, hash, HM_ID_BYTES);
    memcpy(a.endpoint, endpoint, HM_ID_BYTES);
    notice_evidence(k, n);
    a.evidence = hm_buf_slice(&k->json);
    int r = k->json.error ? k->json.error : hm_alert_put(k->c, tenant, &a);
    if (r != 1)
        return r < 0 ? r : 0;
    hm_changed(k, "alert", tenant, a.id);
    struct hm_story_join j = {tenant, endpoint, a.id, now, NULL, 0};
    return put_story(k, &j);
}
