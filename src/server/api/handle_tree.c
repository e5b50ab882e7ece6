/* The process tree and the time line of an alert, as core keeps them up. */
#include "server/api/route.h"
#include "event/event.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define CONNECTIONS_MAX 2000 /* of a whole tree: more than a person reads */

struct connection {
    uint64_t key, time_ns;
    char direction[12], ip[64], domain[256];
    uint32_t port;
};

struct tree {
    struct hm_jw *j;
    struct hm_arena *arena;
    struct connection *list;
    size_t count, left_out;
};

/* What the other side was: for a listener our own port. */
static void take_peer(struct connection *n, const cJSON *e)
{
    const char *action = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "action"));
    bool in = action && strcmp(action, "accept") == 0,
         listen = action && strcmp(action, "listen") == 0;
    const char *ip = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(e, in || listen ? "src.ip" : "dst.ip"));
    const cJSON *port = cJSON_GetObjectItemCaseSensitive(e, in || listen ? "src.port" : "dst.port");
    const char *domain = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "dst.domain"));

    snprintf(n->direction, sizeof n->direction, "%s",
             in       ? "inbound"
             : listen ? "listening"
                      : "outbound");
    snprintf(n->ip, sizeof n->ip, "%s", ip ? ip : "");
    snprintf(n->domain, sizeof n->domain, "%s", domain ? domain : "");
    n->port = cJSON_IsNumber(port) && port->valuedouble >= 0 && port->valuedouble < 65536
                  ? (uint32_t)port->valuedouble
                  : 0;
}

static int take_connection(void *ctx, const struct hm_alert_event *e)
{
    struct tree *t = ctx;
    cJSON *root;

    if (e->action == HM_ACTION_NETWORK_CLOSE)
        return 0;
    if (t->count == CONNECTIONS_MAX) {
        t->left_out++;
        return 0;
    }
    root = cJSON_Parse(e->json);
    t->list[t->count] = (struct connection){.key = e->key, .time_ns = e->time_ns};
    take_peer(&t->list[t->count++], root);
    cJSON_Delete(root);
    return 0;
}

static void write_connections(struct tree *t, uint64_t key)
{
    struct hm_jw *j = t->j;

    hm_jw_arr(j, "connections");
    for (size_t i = 0; i < t->count; i++) {
        const struct connection *n = &t->list[i];
        if (n->key != key)
            continue;
        hm_jw_obj(j, NULL);
        hm_jw_str(j, "direction", n->direction);
        hm_jw_str(j, "ip", n->ip);
        hm_jw_u64(j, "port", n->port);
        if (n->domain[0])
            hm_jw_str(j, "domain", n->domain);
        hm_jw_time_ns(j, "time", n->time_ns);
        hm_jw_end_obj(j);
    }
    hm_jw_end_arr(j);
}

static int node_row(void *ctx, const struct hm_alert_node *n)
{
    struct tree *t = ctx;
    struct hm_jw *j = t->j;

    hm_jw_obj(j, NULL);
    hm_jw_key(j, "key", n->key);
    hm_jw_key_or_empty(j, "parent", n->parent);
    hm_jw_u64(j, "pid", n->pid);
    hm_jw_str(j, "image", n->image);
    hm_jw_str(j, "command_line", n->command_line);
    hm_jw_str(j, "user", n->user);
    hm_jw_time_ns(j, "start", n->start_ns);
    hm_jw_time_ns(j, "exit", n->alive ? 0 : n->exit_ns);
    hm_jw_bool(j, "alive", n->alive);
    hm_jw_bool(j, "marked", n->marked);
    hm_jw_bool(j, "ancestor", n->ancestor != 0);
    hm_jw_hex(j, "sha256", n->sha256, n->sha256 ? 32 : 0);
    hm_jw_str(j, "stdio", n->stdio);
    write_connections(t, n->key);
    hm_jw_end_obj(j);
    return 0;
}

struct about {
    uint64_t tree_key, nodes_dropped, events_dropped;
};

static int take_about(void *ctx, const struct hm_alert_row *r)
{
    *(struct about *)ctx = (struct about){r->tree_key, r->nodes_dropped, r->events_dropped};
    return 0;
}

static const struct hm_text dropped_text = {
    "The tree had more processes or events than are kept with an alert.",
    "アラートに保存できる上限を超えるプロセスまたはイベントがありました。"};

void hm_handle_alert_tree(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    struct tree t = {.j = &j, .arena = c->arena};
    struct about about = {0};
    int r = hm_alert_get(w->control, c->who.tenant, c->id, take_about, &about);

    t.list = hm_arena_alloc(c->arena, CONNECTIONS_MAX * sizeof *t.list);
    if (!r && !t.list)
        r = -ENOMEM;
    if (!r)
        r = hm_alert_events(w->control, c->who.tenant, c->id, HM_CLASS_NETWORK, take_connection,
                            &t);
    if (r && r != -ENOENT)
        return hm_call_error(c, r);
    if (r == -ENOENT && !about.tree_key)
        return hm_call_error(c, r);
    hm_jw_obj(&j, NULL);
    hm_jw_key_or_empty(&j, "root", about.tree_key);
    hm_jw_arr(&j, "nodes");
    r = hm_alert_nodes(w->control, c->who.tenant, c->id, node_row, &t);
    hm_jw_end_arr(&j);
    if (!r || r == -ENOENT)
        r = hm_write_completeness(w, c, &j, 0, &dropped_text,
                                  about.nodes_dropped || t.left_out ? 1 : 0);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}

static int event_row(void *ctx, const struct hm_alert_event *e)
{
    hm_jw_raw(ctx, NULL, e->json);
    return 0;
}

void hm_handle_alert_timeline(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    struct about about = {0};
    int r = hm_alert_get(w->control, c->who.tenant, c->id, take_about, &about);

    if (r)
        return hm_call_error(c, r);
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    r = hm_alert_events(w->control, c->who.tenant, c->id, 0, event_row, &j);
    hm_jw_end_arr(&j);
    if (!r || r == -ENOENT)
        r = hm_write_completeness(w, c, &j, 0, &dropped_text, about.events_dropped ? 1 : 0);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}
