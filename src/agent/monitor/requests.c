/* The whole surface of root: one table of what a child may ask. Everything else, and everything
 * malformed, ends the child that sent it. */
#include "agent/monitor/yara.h"
#include "wire/order.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- engine -----------------------------------------------------------------------------------
 */

static int serve_resolve_dir(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_resolve_dir *q = msg;
    char path[4096];
    size_t n = hm_watch_resolve(m->watch, q->fsid, q->handle, path, sizeof path);
    struct hm_msg_dir_path a = {.id = q->id, .path = hm_slice(path, n)};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_dir_path, &a, NULL, 0);
    return 0;
}

static int serve_stat_file(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_stat_file *q = msg;
    struct hm_msg_file_stat a = {.id = q->id};
    struct stat st;
    if (hm_watch_stat(m->watch, q->fsid, q->handle, &st)) {
        a.found = 1;
        a.mode = st.st_mode & 07777;
        a.owner = st.st_uid;
        a.size = (uint64_t)st.st_size;
        a.inode = st.st_ino;
        a.dev = st.st_dev;
    }
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_file_stat, &a, NULL, 0);
    return 0;
}

/* Exactly what the engine's rules ask for; the table bounds what can be asked. What is seen changes
 * by it, and that is recorded. */
static int serve_watch_calls(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_watch_calls *q = msg;
    uint32_t before = m->calls;
    m->calls = hm_sensor_watch_calls(m->sensor, (uint32_t)q->calls);
    if (m->calls == before)
        return 0;
    hm_mon_journal_sensors(m);
    return 0;
}

static void answer_hash(struct hm_monitor *m, uint64_t engine_id, struct hm_slice hash,
                        uint64_t size)
{
    struct hm_msg_image_hash a = {.id = engine_id, .sha256 = hash, .size = size};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_image_hash, &a, NULL, 0);
}

/* dev and inode tell whether it is still the file that the engine saw. */
static bool is_image(const struct hm_msg_hash_image *q, int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == q->inode &&
           st.st_dev == q->dev;
}

int hm_mon_reopen(int path_fd)
{
    char own[32];
    snprintf(own, sizeof own, "/proc/self/fd/%d", path_fd);
    return open(own, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_path(const struct hm_msg_hash_image *q)
{
    char path[4096];
    if (q->path.len == 0 || q->path.len >= sizeof path || q->path.p[0] != '/')
        return -1;
    memcpy(path, q->path.p, q->path.len);
    path[q->path.len] = 0;
    /* First only a name: opening what is not the regular file we want may have effects. */
    hm_autoclose int name = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return is_image(q, name) ? hm_mon_reopen(name) : -1;
}

/* /proc/PID/exe is the file that runs, whatever its path says by now; a short-lived process is gone
 * by the time we ask, then its path may still lead there. */
int hm_mon_open_image(const struct hm_msg_hash_image *q)
{
    char path[32];
    if (q->pid == 0 || q->pid > INT32_MAX)
        return -1;
    snprintf(path, sizeof path, "/proc/%u/exe", (unsigned)q->pid);
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (is_image(q, fd))
        return hm_steal_fd(&fd);
    return open_path(q);
}

static struct hm_hashing *free_hashing(struct hm_monitor *m)
{
    for (size_t i = 0; i < HM_MON_HASHES_MAX; i++)
        if (!m->hashing[i].used)
            return &m->hashing[i];
    return NULL;
}

static int serve_hash_image(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_hash_image *q = msg;
    struct hm_hashing *h = m->child[HM_AGENT_INSPECT].pid ? free_hashing(m) : NULL;
    hm_autoclose int fd = h ? hm_mon_open_image(q) : -1;
    if (fd < 0) {
        answer_hash(m, q->id, hm_slice(NULL, 0), 0);
        return 0;
    }
    *h = (struct hm_hashing){true, q->id, hm_clock_mono_ns()};
    struct hm_msg_inspect_hash ask = {.id = (uint64_t)(h - m->hashing) + 1};
    hm_mon_send(m, HM_AGENT_INSPECT, &hm_desc_inspect_hash, &ask, &fd, 1);
    return 0;
}

/* Observe only: no authority permits anything yet, so every proposal is recorded as refused. Its
 * kind is in the words only: an event of that kind would speak of an order that somebody gave. */
static int serve_propose(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_propose *q = msg;
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(4096);
    hm_buf_puts(&text, "{\"error\":\"proposal of rule ");
    hm_json_escape(hm_slice(q->rule.p, q->rule.len > 64 ? 64 : q->rule.len), &text);
    hm_buf_printf(&text, " refused: this endpoint only observes\",\"proposed\":%llu}",
                  (unsigned long long)q->kind);
    struct hm_event e;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_ORDER);
    hm_event_set_u64(&e, HM_F_ORDER_STATE, HM_ORDER_REFUSED);
    hm_event_set_u64(&e, HM_F_TARGET_KEY, q->process_key);
    hm_event_set_u64(&e, HM_F_TARGET_PID, q->pid);
    hm_event_set(&e, HM_F_ORDER_DETAIL, hm_buf_slice(&text));
    hm_mon_journal(m, &e, HM_LANE_BULK);
    return 0;
}

static int serve_know_process(struct hm_monitor *m, const void *msg)
{
    hm_mon_orders_know(m, msg);
    return 0;
}

static int serve_scan_file(struct hm_monitor *m, const void *msg)
{
    return hm_mon_scan_file(m, msg);
}

static int serve_scan_memory(struct hm_monitor *m, const void *msg)
{
    return hm_mon_scan_memory(m, msg);
}

static int serve_content_loaded(struct hm_monitor *m, const void *msg)
{
    hm_mon_content_loaded(m, msg);
    return 0;
}

/* ---- inspect, probe ---------------------------------------------------------------------------
 */

static int serve_inspected(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_inspected *a = msg;
    if (a->id == 0 || a->id > HM_MON_HASHES_MAX || !m->hashing[a->id - 1].used ||
        (a->sha256.len != 0 && a->sha256.len != HM_SHA256_BYTES))
        return -EBADMSG;
    m->hashing[a->id - 1].used = false;
    answer_hash(m, m->hashing[a->id - 1].engine_id, a->sha256, a->size);
    return 0;
}

static int serve_inspected_scan(struct hm_monitor *m, const void *msg)
{
    return hm_mon_scan_done(m, msg);
}

static int serve_rule_problem(struct hm_monitor *m, const void *msg)
{
    return hm_mon_rules_problem(m, msg);
}

static int serve_rule_taken(struct hm_monitor *m, const void *msg)
{
    return hm_mon_rules_taken(m, msg);
}

static int serve_rules_ready(struct hm_monitor *m, const void *msg)
{
    return hm_mon_rules_done(m, msg);
}

static int serve_probe_done(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_probe_done *a = msg;
    hm_mon_orders_probed(m, a->results);
    return 0;
}

/* ---- uplink -----------------------------------------------------------------------------------
 */

static int serve_order(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_got_order *q = msg;
    hm_mon_orders_got(m, q->order);
    return 0;
}

static int serve_time(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_got_time *q = msg;
    hm_mon_orders_time(m, q->time);
    return 0;
}

static int serve_link(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_link_state *q = msg;
    hm_mon_orders_link(m, q->up == 1);
    return 0;
}

static int serve_offer(struct hm_monitor *m, const void *msg)
{
    const struct hm_msg_got_offer *q = msg;
    hm_mon_content_offer(m, q->statement, q->key_set);
    return 0;
}

static int serve_content(struct hm_monitor *m, const void *msg)
{
    return hm_mon_content_chunk(m, msg);
}

/* ---- the table --------------------------------------------------------------------------------
 */

#define FROM(role) (1u << HM_AGENT_##role)
static const struct request {
    uint16_t number;
    unsigned from;
    const struct hm_msg_desc *desc;
    int (*serve)(struct hm_monitor *m, const void *msg); /* NULL: heart beat */
} requests[] = {
    {HM_MSG_RESOLVE_DIR, FROM(ENGINE), &hm_desc_resolve_dir, serve_resolve_dir},
    {HM_MSG_STAT_FILE, FROM(ENGINE), &hm_desc_stat_file, serve_stat_file},
    {HM_MSG_WATCH_CALLS, FROM(ENGINE), &hm_desc_watch_calls, serve_watch_calls},
    {HM_MSG_HASH_IMAGE, FROM(ENGINE), &hm_desc_hash_image, serve_hash_image},
    {HM_MSG_PROPOSE, FROM(ENGINE), &hm_desc_propose, serve_propose},
    {HM_MSG_KNOW_PROCESS, FROM(ENGINE), &hm_desc_know_process, serve_know_process},
    {HM_MSG_SCAN_FILE, FROM(ENGINE), &hm_desc_scan_file, serve_scan_file},
    {HM_MSG_SCAN_MEMORY, FROM(ENGINE), &hm_desc_scan_memory, serve_scan_memory},
    {HM_MSG_INSPECTED, FROM(INSPECT), &hm_desc_inspected, serve_inspected},
    {HM_MSG_INSPECTED_SCAN, FROM(INSPECT), &hm_desc_inspected_scan, serve_inspected_scan},
    {HM_MSG_RULE_PROBLEM, FROM(INSPECT), &hm_desc_rule_problem, serve_rule_problem},
    {HM_MSG_RULE_TAKEN, FROM(INSPECT), &hm_desc_rule_taken, serve_rule_taken},
    {HM_MSG_RULES_READY, FROM(INSPECT), &hm_desc_rules_ready, serve_rules_ready},
    {HM_MSG_GOT_ORDER, FROM(UPLINK), &hm_desc_got_order, serve_order},
    {HM_MSG_GOT_TIME, FROM(UPLINK), &hm_desc_got_time, serve_time},
    {HM_MSG_LINK_STATE, FROM(UPLINK), &hm_desc_link_state, serve_link},
    {HM_MSG_CONTENT_LOADED, FROM(ENGINE), &hm_desc_content_loaded, serve_content_loaded},
    {HM_MSG_GOT_OFFER, FROM(UPLINK), &hm_desc_got_offer, serve_offer},
    {HM_MSG_GOT_CONTENT, FROM(UPLINK), &hm_desc_got_content, serve_content},
    {HM_MSG_PROBE_DONE, FROM(PROBE), &hm_desc_probe_done, serve_probe_done},
    {HM_MSG_BEAT, FROM(ENGINE) | FROM(INSPECT) | FROM(UPLINK), &hm_desc_beat, NULL},
};
union any_request {
    struct hm_msg_resolve_dir a;
    struct hm_msg_hash_image b;
    struct hm_msg_stat_file c;
    struct hm_msg_propose d;
    struct hm_msg_know_process e;
    struct hm_msg_inspected f;
    struct hm_msg_got_order g;
    struct hm_msg_got_time h;
    struct hm_msg_link_state i;
    struct hm_msg_probe_done j;
    struct hm_msg_beat k;
    struct hm_msg_watch_calls l;
    struct hm_msg_scan_file m;
    struct hm_msg_scan_memory n;
    struct hm_msg_inspected_scan o;
    struct hm_msg_rule_problem p;
    struct hm_msg_rule_taken q;
    struct hm_msg_rules_ready r;
    struct hm_msg_content_loaded s;
    struct hm_msg_got_offer t;
    struct hm_msg_got_content u;
};

static int dispatch(struct hm_monitor *m, enum hm_agent_role role, const struct hm_ipc_msg *in)
{
    if (in->fd_count) /* nobody has a descriptor to give us */
        return -EBADMSG;
    for (size_t i = 0; i < HM_ARRAY_LEN(requests); i++) {
        const struct request *q = &requests[i];
        if (q->number != in->number || !(q->from & 1u << role))
            continue;
        union any_request msg = {0};
        if (hm_msg_decode(q->desc, in->payload, &msg) < 0)
            return -EBADMSG;
        if (q->serve)
            return q->serve(m, &msg);
        m->child[role].beat_seen_ns = hm_clock_mono_ns();
        return 0;
    }
    return -EBADMSG;
}

/* Serve what a child has sent, up to a burst. */
void hm_mon_serve(struct hm_monitor *m, enum hm_agent_role role)
{
    struct hm_child *c = &m->child[role];
    for (int i = 0; i < HM_MON_BURST && c->pid && !c->stopping; i++) {
        struct hm_ipc_msg in;
        int r = hm_ipc_recv(c->fd, &c->in, &in);
        if (r == 0 || r == -ECONNRESET)
            return; /* its pidfd tells the rest */
        if (r == 1) {
            r = dispatch(m, role, &in);
            for (int k = 0; k < in.fd_count; k++)
                close(in.fds[k]);
        }
        if (r < 0)
            hm_mon_child_kill(m, role, "it sent a malformed or forbidden request");
    }
}

void hm_mon_inspect_lost(struct hm_monitor *m)
{
    for (size_t i = 0; i < HM_MON_HASHES_MAX; i++) {
        if (!m->hashing[i].used)
            continue;
        m->hashing[i].used = false;
        answer_hash(m, m->hashing[i].engine_id, hm_slice(NULL, 0), 0);
    }
    hm_mon_scans_lost(m);
    hm_mon_rules_lost(m);
}

/* The next engine counts its questions from one again: an answer to the one before would be taken
 * for another file's. */
void hm_mon_engine_lost(struct hm_monitor *m)
{
    for (size_t i = 0; i < HM_MON_HASHES_MAX; i++)
        m->hashing[i].engine_id = 0; /* no question has it */
    hm_mon_scans_engine_lost(m);
    hm_mon_content_engine_lost(m);
}

void hm_mon_hashing_tick(struct hm_monitor *m, uint64_t now_ns)
{
    for (size_t i = 0; i < HM_MON_HASHES_MAX; i++)
        if (m->hashing[i].used && now_ns - m->hashing[i].asked_ns > HM_MON_HASH_NS) {
            hm_mon_child_kill(m, HM_AGENT_INSPECT, "a file took longer than its deadline");
            return;
        }
}
