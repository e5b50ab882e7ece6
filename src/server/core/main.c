/* The role process `core`: start, loop, stop. Its parts are in core.h; it faces no network, reads
 * what the gateway wrote, and owns the control database and the store. */
#include "server/core/core.h"
#include "server/core/exception.h"
#include "server/core/crash.h"
#include "server/core/duck.h"
#include "server/core/record.h"
#include "server/roles.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define CONTEXT_MS 100 /* bulk records are looked at that often: fewer, larger commits */
#define TICK_S     2
#define AGE_TICKS  30

/* ---- clocks ---- */
static void on_context(evutil_socket_t fd, short what, void *arg)
{
    struct hm_core *k = arg;
    (void)fd;
    (void)what;
    bool more = hm_consume_context(k);
    struct timeval t = {0, more ? 0 : CONTEXT_MS * 1000};
    event_add(k->context_ev, &t);
}

static void signer_failed(void *ctx, struct hm_pending_item *i)
{
    struct hm_core *k = ctx;
    static const struct hm_msg_signer_done nothing;
    if (i->kind == HM_PENDING_ENROLL)
        hm_enroll_signed(k, i, &nothing);
    else if (i->kind == HM_PENDING_CONNECT)
        hm_admit_signed(k, i, &nothing);
    else if (i->kind == HM_PENDING_CONTENT)
        hm_delivery_signed(k, i, &nothing);
    /* an order is still "requested" and is asked for again */
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct hm_core *k = arg;
    uint64_t now = hm_control_now_ms();
    (void)fd;
    (void)what;
    hm_pending_expire(k->pending, now, signer_failed, k);
    hm_consume_alerts(k); /* after a failure nobody else would call it */
    hm_admit_revoke(k);   /* api may have been killed between the row and its word */
    hm_respond_work(k);
    hm_respond_expire(k);
    hm_respond_deliver(k, NULL);
    hm_delivery_tick(k);
    if (++k->ticks % AGE_TICKS == 0)
        hm_tree_age(k->tree, now);
}

/* ---- the supervisor ---- */
static void pair(struct hm_core *k, const struct hm_ipc_msg *m)
{
    static const char *const names[HM_PEER_COUNT] = {"gateway", "signer", "api", "content"};
    struct hm_msg_peer p;
    if (m->number == HM_MSG_PEER && m->fd_count == 1 &&
        hm_msg_decode(&hm_desc_peer, m->payload, &p) == 0)
        for (int i = 0; i < HM_PEER_COUNT; i++)
            if (hm_slice_eq(p.role, hm_slice_str(names[i]))) {
                hm_link_set(k, (enum hm_peer_id)i, m->fds[0]);
                return;
            }
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
}

static void on_role(evutil_socket_t fd, short what, void *arg)
{
    struct hm_core *k = arg;
    hm_auto(hm_buf_done) struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;
    int r;
    (void)what;
    while ((r = hm_ipc_recv(fd, &buf, &m)) > 0)
        pair(k, &m);
    if (r < 0) /* its end means: stop cleanly */
        event_base_loopbreak(k->base);
}

/* ---- start ---- */
static void on_set_aside(void *ctx, const char *consumer, uint64_t record)
{
    struct hm_core *k = ctx;
    struct hm_gateway_record rec;
    struct hm_slice data;
    struct hm_log_reader *reader = k->back_reader;
    char tenant[HM_TENANT_MAX], reason[160], reason_ja[200], key[64];
    uint64_t number;
    hm_err("%s crashed twice at record %" PRIu64 ": it is set aside", consumer, record);
    if (hm_log_reader_seek(reader, record) || hm_log_reader_next(reader, &number, &data) != 1 ||
        number != record || hm_gateway_record_parse(data, &rec))
        return;
    snprintf(tenant, sizeof tenant, "%.*s", (int)rec.tenant.len, (const char *)rec.tenant.p);
    snprintf(key, sizeof key, "%.15s %" PRIu64, consumer, record);
    snprintf(reason, sizeof reason,
             "Journal record %" PRIu64 " crashed the consumer %.15s twice and is skipped.", record,
             consumer);
    snprintf(reason_ja, sizeof reason_ja,
             "ジャーナルのレコード %" PRIu64
             " で処理 %.15s が 2 回異常終了したため、読み飛ばします。",
             record, consumer);
    struct hm_notice n = {.rule = "hinomi.set-aside",
                          .title = "Data of an endpoint crashed the server and was set aside",
                          .title_ja = "端末のデータでサーバーの処理が異常終了し、隔離しました",
                          .reason = reason,
                          .reason_ja = reason_ja,
                          .severity = 4,
                          .key = hm_slice_str(key)};
    if (hm_soc_notice(k, tenant, rec.endpoint, &n))
        hm_err("the alert about it could not be written");
}

/* Before any thread exists: it applies to the calling thread and what it starts. */
static int lock_in(const char *state, struct hm_error *err)
{
    char core[HM_CONFIG_VALUE_MAX + 16], journal[HM_CONFIG_VALUE_MAX + 16];
    int abi = 0;
    snprintf(core, sizeof core, "%s/core", state);
    snprintf(journal, sizeof journal, "%s/gateway/journal", state);
    hm_autoclose int core_fd = open(core, O_PATH | O_DIRECTORY | O_CLOEXEC);
    hm_autoclose int journal_fd = open(journal, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (core_fd < 0 || journal_fd < 0)
        return hm_fail(err, -errno, "%s: %s", core_fd < 0 ? core : journal, strerror(errno));
    struct hm_sandbox_path paths[] = {{core_fd, true}, {journal_fd, false}};
    int r = hm_sandbox_files(paths, HM_ARRAY_LEN(paths), false, &abi, err);
    if (!r && abi == 0)
        hm_warn("this kernel has no Landlock: files are guarded by the uid alone");
    return r ? r : hm_sandbox_syscalls(false, err);
}

static int open_parts(struct hm_core *k, const char *state, struct hm_error *err)
{
    char path[HM_CONFIG_VALUE_MAX + 32];
    const struct hm_duck *d;
    k->in = HM_BUF(HM_IPC_MAX_BYTES);
    k->in_raw = HM_BUF(HM_CORE_RAW_BYTES);
    k->scratch = HM_BUF(HM_CORE_JSON_BYTES);
    k->json = HM_BUF(HM_CORE_JSON_BYTES);
    k->base = event_base_new();
    k->tree = hm_tree_new();
    k->pending = hm_pending_new();
    int spread = hm_spread_new(&k->spread, err);
    if (spread)
        return spread;
    if (!k->base || !k->tree || !k->pending)
        return hm_fail(err, -ENOMEM, "out of memory");
    int r = hm_enroll_load(k, state, err);
    if (!r && hm_duck_load(&d, err))
        hm_err("%s: events stay in the journal until it is there", err->text);
    if (!r)
        r = lock_in(state, err);
    snprintf(path, sizeof path, "%s/core/control.db", state);
    if (!r)
        r = hm_control_open(path, &k->c, err);
    snprintf(path, sizeof path, "%s/gateway/journal", state);
    return r ? r : hm_consume_open(k, path, err);
}

static int recover(struct hm_core *k, const char *state, struct hm_error *err)
{
    char path[HM_CONFIG_VALUE_MAX + 32];
    snprintf(path, sizeof path, "%s/core", state);
    int r = hm_crash_recover(path, k->c, on_set_aside, k);
    if (!r)
        r = hm_endpoint_all_gone(k->c); /* the gateway announces who is there */
    if (!r)
        r = hm_delivery_open(k, state, err);
    if (!r)
        r = hm_spread_load(k->spread, k->c);
    if (!r)
        r = hm_tree_load(k->tree, k->c, hm_control_now_ms());
    if (r)
        return hm_fail(err, r, "recovery: %s", strerror(-r));
    hm_except_load(k);
    return hm_crash_watch(path, err);
}

static int make_events(struct hm_core *k)
{
    static const struct timeval tick = {TICK_S, 0}, context = {0, CONTEXT_MS * 1000};
    k->role_ev = event_new(k->base, HM_ROLE_FD, EV_READ | EV_PERSIST, on_role, k);
    k->tick_ev = event_new(k->base, -1, EV_PERSIST, on_tick, k);
    k->context_ev = evtimer_new(k->base, on_context, k);
    if (!k->role_ev || !k->tick_ev || !k->context_ev)
        return -ENOMEM;
    event_add(k->role_ev, NULL);
    event_add(k->tick_ev, &tick);
    event_add(k->context_ev, &context);
    return 0;
}

static void stop(struct hm_core *k)
{
    hm_store_thread_stop(k->store);
    hm_link_done(k);
    struct event *events[] = {k->role_ev, k->tick_ev, k->context_ev};
    for (size_t i = 0; i < HM_ARRAY_LEN(events); i++)
        if (events[i])
            event_free(events[i]);
    hm_consume_close(k);
    hm_exception_set_free(k->exceptions);
    hm_delivery_close(k);
    hm_control_close(k->c);
    hm_tree_free(k->tree);
    hm_spread_free(k->spread);
    hm_pending_free(k->pending);
    hm_buf_done(&k->in);
    hm_buf_done(&k->in_raw);
    hm_buf_done(&k->scratch);
    hm_buf_done(&k->json);
    free(k->ca);
    free(k->root_key);
    free(k->key_set);
    if (k->base)
        event_base_free(k->base);
}

static int run(const struct hm_server_config *config, struct hm_core *k, struct hm_error *err)
{
    hm_link_init(k);
    int r = open_parts(k, config->state, err);
    if (!r)
        r = recover(k, config->state, err);
    if (!r && make_events(k))
        r = hm_fail(err, -ENOMEM, "out of memory");
    if (!r && !(k->store = hm_store_thread_start(config->state)))
        r = hm_fail(err, -EAGAIN, "cannot start the store's thread");
    if (!r && event_base_dispatch(k->base) < 0)
        r = hm_fail(err, -EIO, "the event loop failed");
    stop(k);
    return r;
}

int hm_core_main(int argc, char **argv)
{
    struct hm_role_boot boot;
    struct hm_core k = {0};
    struct hm_error err = {0};
    (void)argc;
    (void)argv;
    int r = hm_role_begin(HM_ROLE_CORE, &boot, &err);
    if (!r)
        r = run(&boot.config, &k, &err);
    if (r)
        hm_err("%s", err.text[0] ? err.text : strerror(-r));
    return r ? 1 : 0;
}
