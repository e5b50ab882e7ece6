/* Orders and drills: the intent is written, core is poked, the outcome comes from the endpoint. */
#include "server/api/route.h"
#include "wire/order.h"
#include <errno.h>

struct list {
    struct hm_jw *j;
    struct hm_worker *w;
    size_t count;
};

static void write_order(struct hm_jw *j, const struct hm_order_row *r)
{
    const struct hm_order_info *info = hm_order_by_name(hm_slice_str(r->kind));

    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", r->id, sizeof r->id);
    hm_jw_str(j, "kind", r->kind);
    hm_jw_hex(j, "endpoint", r->endpoint, sizeof r->endpoint);
    hm_jw_str(j, "state", r->state);
    hm_jw_u64(j, "counter", r->counter);
    hm_jw_time_ms(j, "created", r->created_ms);
    hm_jw_time_ms(j, "updated", r->updated_ms);
    hm_jw_time_ms(j, "expires", r->release_ms ? r->release_ms : r->not_after_ms);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "reason", r->reason);
    hm_jw_foreign(j, "detail", r->detail && *r->detail ? r->detail : NULL);
    hm_jw_str(j, "d3fend", info ? info->d3fend : "");
    hm_jw_key_or_empty(j, "process_key", r->process_key);
    hm_jw_bool(j, "tree", r->tree);
    hm_jw_hex(j, "alert", r->alert, r->has_alert ? sizeof r->alert : 0);
    if (r->drill && *r->drill)
        hm_jw_str(j, "drill", r->drill);
    hm_jw_end_obj(j);
}

static int list_row(void *ctx, const struct hm_order_row *r)
{
    struct list *l = ctx;

    write_order(l->j, r);
    l->count++;
    return 0;
}

void hm_write_orders(struct hm_worker *w, struct hm_call *c, struct hm_jw *j, const char *key,
                     const uint8_t *endpoint, const uint8_t *alert, uint32_t limit)
{
    struct hm_order_filter f = {.endpoint = endpoint, .alert = alert, .limit = limit};
    struct list l = {.j = j, .w = w};
    int r;

    hm_jw_arr(j, key);
    r = hm_order_list(w->control, c->who.tenant, &f, list_row, &l);
    hm_jw_end_arr(j);
    if (r && r != -ENOENT)
        j->out->error = r; /* sticks: the answer becomes a 500 */
}

void hm_handle_orders(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"endpoint", HM_ARG_ID, false, 0, 0},
                                             {"alert", HM_ARG_ID, false, 0, 0},
                                             {"limit", HM_ARG_UINT, false, 1, 500}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_jw j;

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    j = hm_call_json(c, 200);
    hm_jw_obj(&j, NULL);
    hm_write_orders(w, c, &j, "items", a[0].present ? a[0].id : NULL, a[1].present ? a[1].id : NULL,
                    a[2].present ? (uint32_t)a[2].u64 : 100);
    hm_jw_end_obj(&j);
}

static void answer_order(struct hm_worker *w, struct hm_call *c, const uint8_t *id, int status)
{
    struct hm_jw j = hm_call_json(c, status);
    struct hm_order_filter f = {.id = id, .limit = 1};
    struct list l = {.j = &j, .w = w};
    int r = hm_order_list(w->control, c->who.tenant, &f, list_row, &l);

    if (r || !l.count)
        hm_call_error(c, r ? r : -ENOENT);
}

void hm_handle_order(struct hm_worker *w, struct hm_call *c)
{
    answer_order(w, c, c->id, 200);
}

static void create(struct hm_worker *w, struct hm_call *c, const struct hm_order_new *o)
{
    uint8_t id[HM_ID_BYTES];
    int r = hm_order_create(w->control, c->who.tenant, o, id);

    if (r == -ENOENT && o->drill)
        return hm_call_problem(c, HM_P_NO_PRACTICE, NULL, NULL);
    if (r)
        return hm_call_error(c, r);
    c->poke = o->drill ? "drills" : "orders";
    answer_order(w, c, id, 202);
}

struct target {
    uint64_t tree_key;
    uint8_t endpoint[HM_ID_BYTES];
};

static int take_target(void *ctx, const struct hm_alert_row *r)
{
    struct target *t = ctx;

    t->tree_key = r->tree_key ? r->tree_key : r->process_key;
    memcpy(t->endpoint, r->endpoint, sizeof t->endpoint);
    return 0;
}

enum { KIND, ENDPOINT, KEY, TREE, ALERT, REASON, EXPIRES, ORDER_ARGS };

/* An order that names an alert must be about the alert's endpoint; a kill that names no process
 * means the alert's tree. */
static bool check_alert(struct hm_worker *w, struct hm_call *c, const struct hm_arg *a,
                        struct hm_order_new *o)
{
    static const struct hm_text other = {"the alert is about another endpoint",
                                         "アラートは別の端末のものです"};
    struct target t = {0};
    int r = hm_alert_get(w->control, c->who.tenant, a[ALERT].id, take_target, &t);

    if (r) {
        hm_call_error(c, r);
        return false;
    }
    if (memcmp(t.endpoint, a[ENDPOINT].id, sizeof t.endpoint) != 0) {
        hm_call_problem(c, HM_P_INVALID, "alert", &other);
        return false;
    }
    if (!a[KEY].present && strcmp(o->kind, "kill") == 0)
        o->process_key = t.tree_key;
    o->alert = a[ALERT].id;
    return true;
}

void hm_handle_order_new(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[ORDER_ARGS] = {
        [KIND] = {"kind", HM_ARG_TEXT, true, 1, 16},
        [ENDPOINT] = {"endpoint", HM_ARG_ID, true, 0, 0},
        [KEY] = {"process_key", HM_ARG_KEY, false, 0, 0},
        [TREE] = {"tree", HM_ARG_BOOL, false, 0, 0},
        [ALERT] = {"alert", HM_ARG_ID, false, 0, 0},
        [REASON] = {"reason", HM_ARG_TEXT, true, 1, 250},
        [EXPIRES] = {"expires_s", HM_ARG_UINT, false, 60, 30 * 86400},
    };
    static const struct hm_text kinds = {"kill, isolate or release is expected",
                                         "kill、isolate、release のいずれかを指定してください"},
                                no_key = {"a kill needs the key of a process, or an alert",
                                          "kill にはプロセスのキーかアラートが必要です"},
                                has_key = {"only a kill names a process",
                                           "プロセスを指定できるのは kill だけです"};
    struct hm_arg a[ORDER_ARGS];

    if (!hm_call_body(c, params, ORDER_ARGS, a))
        return;
    const char *k = a[KIND].text;
    bool kill = strcmp(k, "kill") == 0;
    if (!kill && strcmp(k, "isolate") != 0 && strcmp(k, "release") != 0)
        return hm_call_problem(c, HM_P_INVALID, "kind", &kinds);
    if (!kill && (a[KEY].present || a[TREE].present))
        return hm_call_problem(c, HM_P_INVALID, a[KEY].present ? "process_key" : "tree", &has_key);
    struct hm_order_new o = {.kind = k,
                             .endpoint = a[ENDPOINT].id,
                             .process_key = a[KEY].u64,
                             .tree = kill && (!a[TREE].present || a[TREE].flag),
                             .reason = a[REASON].text,
                             .actor = c->who.user,
                             .expires_s = a[EXPIRES].u64};
    if (a[ALERT].present && !check_alert(w, c, a, &o))
        return;
    if (kill && !o.process_key)
        return hm_call_problem(c, HM_P_INVALID, "process_key", &no_key);
    create(w, c, &o);
}

void hm_handle_drill(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"name", HM_ARG_TEXT, true, 1, 64}};
    static const struct hm_text unknown = {"no such drill", "そのような訓練はありません"};
    struct hm_arg name;

    if (!hm_call_body(c, params, 1, &name))
        return;
    if (strcmp(name.text, "reverse-shell") != 0)
        return hm_call_problem(c, HM_P_INVALID, "name", &unknown);
    create(w, c,
           &(struct hm_order_new){
               .kind = "drill", .drill = name.text, .reason = "drill", .actor = c->who.user});
}
