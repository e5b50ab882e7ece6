/* Owns the way of detection content to the engine: an offer is judged, its body fetched chunk by
 * chunk, unpacked by a child of its own, loaded by the engine beside the old rules, and only then
 * made current. Whatever fails, the rules that were there stay. Refuses to know what a rule is.
 *
 *   IDLE → FETCH (offer is good) → UNPACK (size and SHA-256 are the signed ones)
 *        → LOAD (the engine builds it aside) → IDLE (current, or refused with its reason) */
#include "agent/monitor/content_files.h"
#include "agent/monitor/content_verify.h"
#include "agent/monitor/orders_impl.h"
#include "agent/monitor/yara.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum phase { PHASE_IDLE, PHASE_FETCH, PHASE_UNPACK, PHASE_LOAD };
static const char *const phase_names[] = {"idle", "fetching", "unpacking", "loading"};

struct hm_content {
    int dir_fd;      /* content/ */
    int packaged_fd; /* rules of the package: the fall-back */
    struct hm_content_current now;
    uint64_t refused; /* version that was tried and refused: not tried again by this process */
    /* what is active, as the engine told */
    uint64_t rules, rules_refused, load_ms, since_ns, engine_ends;
    /* under way */
    enum phase phase;
    uint64_t version, size, key_version, got, asked_ns;
    uint8_t sha256[HM_SHA256_BYTES];
    int spool_fd, folder_fd;
    struct hm_sha256 *hash;
    pid_t pid; /* of the unpacker */
};

static void set_phase(struct hm_content *c, enum phase p)
{
    hm_debug("content: %s, now %s", phase_names[c->phase], phase_names[p]);
    c->phase = p;
    c->asked_ns = hm_clock_mono_ns();
}

/* ---- telling ---- */

static void tell(struct hm_monitor *m, const char *state, uint64_t version,
                 const struct hm_msg_content_loaded *l, const char *error)
{
    struct hm_content *c = m->content;
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(48 * 1024);
    struct hm_event e;
    hm_buf_printf(&b,
                  "{\"state\":\"%s\",\"version\":%" PRIu64 ",\"active\":%" PRIu64
                  ",\"rules\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"load_ms\":%" PRIu64
                  ",\"engine_restarts\":%" PRIu64,
                  state, version, c->now.version, l ? l->rules : 0, l ? l->refused : 0,
                  l ? l->load_ms : 0, c->engine_ends);
    if (l && l->problems.len) {
        hm_buf_puts(&b, ",\"problems\":");
        hm_buf_put(&b, l->problems.p, l->problems.len);
    }
    if (error) {
        hm_buf_puts(&b, ",\"error\":\"");
        hm_json_escape(hm_slice_str(error), &b);
        hm_buf_puts(&b, "\"");
    }
    hm_buf_puts(&b, "}");
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_CONTENT);
    hm_event_set(&e, HM_F_AGENT_PROCESS, hm_slice_str("monitor"));
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_buf_slice(&b));
    hm_mon_journal(m, &e, HM_LANE_ALERT);
}

static void let_go(struct hm_content *c)
{
    if (c->spool_fd >= 0)
        close(c->spool_fd);
    if (c->folder_fd >= 0)
        close(c->folder_fd);
    c->spool_fd = c->folder_fd = -1;
    hm_sha256_free(c->hash);
    c->hash = NULL;
    unlinkat(c->dir_fd, HM_CONTENT_SPOOL, 0);
    set_phase(c, PHASE_IDLE);
}

/* Told once: the offer comes again, and stays refused until a newer one comes. */
static void refuse(struct hm_monitor *m, uint64_t version, const struct hm_msg_content_loaded *l,
                   const char *why)
{
    struct hm_content *c = m->content;
    if (c->phase != PHASE_IDLE) {
        hm_content_remove(c->dir_fd, c->version);
        let_go(c);
    }
    if (version && version == c->refused)
        return;
    c->refused = version;
    hm_warn("content version %" PRIu64 " is refused, version %" PRIu64 " stays: %s", version,
            c->now.version, why);
    tell(m, "refused", version, l, why);
}

/* ---- fetching ---- */

static void ask(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    struct hm_msg_want_content w = {.version = c->version, .offset = c->got};
    c->asked_ns = hm_clock_mono_ns();
    hm_mon_send(m, HM_AGENT_UPLINK, &hm_desc_want_content, &w, NULL, 0);
}

static void fetch(struct hm_monitor *m, const struct hm_msg_content *o, uint64_t key_version)
{
    struct hm_content *c = m->content;
    c->version = o->version;
    c->size = o->size;
    c->key_version = key_version;
    c->got = 0;
    memcpy(c->sha256, o->sha256.p, sizeof c->sha256);
    c->hash = hm_sha256_new();
    c->spool_fd = openat(c->dir_fd, HM_CONTENT_SPOOL,
                         O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    set_phase(c, PHASE_FETCH);
    if (!c->hash || c->spool_fd < 0) {
        refuse(m, c->version, NULL, "no memory or no disk for it");
        return;
    }
    hm_info("content version %" PRIu64 " is fetched, %" PRIu64 " bytes", c->version, c->size);
    ask(m);
}

void hm_mon_content_offer(struct hm_monitor *m, struct hm_slice stmt, struct hm_slice key_set)
{
    struct hm_content *c = m->content;
    struct hm_content_judge j = {.root_key = m->id.root_key,
                                 .trust = &m->trust,
                                 .key_set = key_set,
                                 .tenant = hm_slice_str(m->id.tenant),
                                 .floor = c->now.floor,
                                 .key_version = c->now.key_version,
                                 .server_ms = hm_mon_order_now_ms(m)};
    struct hm_msg_content o = {0};
    uint64_t key_version = 0;
    bool old;
    const char *no = hm_content_verify(&j, stmt, &o, &key_version, &old);
    if (no && !old)
        hm_warn("an offer of content is refused: %s", no);
    if (no || o.version == c->refused)
        return; /* a forger's version number is not spoken of; what is old is no news */
    if (c->phase == PHASE_FETCH && o.version == c->version)
        ask(m); /* a new connection: go on where it was */
    else if (c->phase == PHASE_IDLE || (c->phase == PHASE_FETCH && o.version > c->version)) {
        if (c->phase == PHASE_FETCH)
            let_go(c);
        fetch(m, &o, key_version);
    }
}

/* Runs in a process of its own: decompression and thousands of small files must not keep monitor
 * from its children. It parses bytes whose SHA-256 was signed. */
static void unpack_and_exit(struct hm_content *c)
{
    struct hm_error err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(027);
    int r = hm_content_unpack(c->dir_fd, c->version, c->size, &err);
    if (r < 0)
        hm_err("content version %" PRIu64 ": %s", c->version, err.text);
    _exit(r == 0 ? 0 : r == -ENOSPC ? 2 : r == -EBADMSG ? 3 : 1);
}

static void fetched(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    uint8_t hash[HM_SHA256_BYTES];
    hm_sha256_final(c->hash, hash);
    if (memcmp(hash, c->sha256, sizeof hash) != 0) {
        refuse(m, c->version, NULL, "its body is not the one that was signed (SHA-256)");
        return;
    }
    if (close(hm_steal_fd(&c->spool_fd)) < 0 || (c->pid = fork()) < 0) {
        c->pid = 0;
        refuse(m, c->version, NULL, "it cannot be unpacked now");
        return;
    }
    if (c->pid == 0)
        unpack_and_exit(c);
    set_phase(c, PHASE_UNPACK);
}

int hm_mon_content_chunk(struct hm_monitor *m, const struct hm_msg_got_content *g)
{
    struct hm_content *c = m->content;
    if (c->phase != PHASE_FETCH || g->version != c->version || g->offset != c->got)
        return 0; /* an answer to an older question */
    if (g->data.len == 0) {
        hm_warn("the server no longer has content version %" PRIu64, c->version);
        let_go(c);
        return 0;
    }
    if (g->data.len > HM_CONTENT_CHUNK || g->data.len > c->size - c->got) {
        refuse(m, c->version, NULL, "its body is larger than the signed size");
        return 0;
    }
    ssize_t n = write(c->spool_fd, g->data.p, g->data.len);
    if (n != (ssize_t)g->data.len) {
        refuse(m, c->version, NULL, "no room on the disk for it");
        c->refused = 0; /* there may be room later */
        return 0;
    }
    hm_sha256_add(c->hash, g->data);
    c->got += g->data.len;
    if (c->got == c->size)
        fetched(m);
    else
        ask(m);
    return 0;
}

/* ---- loading ---- */

static void load(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    struct hm_msg_content_load l = {.version = c->version};
    c->folder_fd = hm_content_folder(c->dir_fd, c->version);
    if (c->folder_fd < 0) {
        refuse(m, c->version, NULL, "its folder is not there after unpacking");
        return;
    }
    set_phase(c, PHASE_LOAD);
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_content_load, &l, &c->folder_fd, 1);
}

static void unpacked(struct hm_monitor *m)
{
    static const char *const why[] = {"", "it cannot be unpacked",
                                      "no room on the disk for its parts",
                                      "it is malformed although it is signed"};
    struct hm_content *c = m->content;
    int status;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid)
        return;
    c->pid = 0;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (code == 0)
        load(m);
    else
        refuse(m, c->version, NULL, why[code < 4 ? code : 1]);
}

/* The engine matches by the new rules. Only now are they what the next start uses. */
static void activate(struct hm_monitor *m, const struct hm_msg_content_loaded *l)
{
    struct hm_content *c = m->content;
    struct hm_content_current next = {.version = c->version,
                                      .floor = c->version,
                                      .previous = c->now.version,
                                      .key_version = c->key_version};
    uint64_t gone = c->now.previous;
    int r = hm_content_store(c->dir_fd, &next);
    if (r < 0) {
        hm_err("content version %" PRIu64 " is active but cannot be kept: %s", c->version,
               strerror(-r));
        tell(m, "failed", c->version, l, "it is active but cannot be made permanent");
        let_go(c);
        return;
    }
    c->now = next;
    close(m->rules_fd);
    m->rules_fd = hm_steal_fd(&c->folder_fd);
    hm_mon_rules_reload(m);
    let_go(c);
    if (gone != next.version && gone != next.previous)
        hm_content_remove(c->dir_fd, gone);
    c->since_ns = hm_clock_mono_ns();
    c->engine_ends = 0;
    hm_info("content version %" PRIu64 " is active: %" PRIu64 " rules", next.version, l->rules);
    tell(m, "active", next.version, l, NULL);
}

void hm_mon_content_loaded(struct hm_monitor *m, const struct hm_msg_content_loaded *l)
{
    struct hm_content *c = m->content;
    char why[256];
    bool awaited = c->phase == PHASE_LOAD && l->version == c->version;
    if (l->active) {
        c->rules = l->rules;
        c->rules_refused = l->refused;
        c->load_ms = l->load_ms;
    }
    if (awaited && l->active) {
        activate(m, l);
    } else if (awaited) {
        snprintf(why, sizeof why, "%.*s", (int)l->error.len,
                 l->error.len ? (const char *)l->error.p : "");
        refuse(m, c->version, l, why);
    } else if (l->active) { /* an engine was started */
        tell(m, "active", c->now.version, l, NULL);
    }
}

/* ---- an engine that does not bear it ---- */

/* Back to the rules before; the version that broke the engine is never taken again. */
static void revert(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    struct hm_content_current back = c->now;
    uint64_t bad = c->now.version;
    back.version = c->now.previous;
    back.previous = 0;
    int fd = back.version ? hm_content_folder(c->dir_fd, back.version)
                          : fcntl(c->packaged_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || hm_content_store(c->dir_fd, &back) < 0) {
        hm_err("content version %" PRIu64 " cannot be taken back", bad);
        if (fd >= 0)
            close(fd);
        return;
    }
    close(m->rules_fd);
    m->rules_fd = fd;
    hm_mon_rules_reload(m);
    c->now = back;
    c->refused = bad;
    hm_content_remove(c->dir_fd, bad);
    hm_warn("content version %" PRIu64 " is taken back: the engine ended %d times under it", bad,
            HM_MON_CONTENT_ENDS);
    tell(m, "reverted", bad, NULL, "the engine ended again and again under it");
    c->since_ns = 0;
}

void hm_mon_content_engine_lost(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    if (!c)
        return;
    if (c->phase == PHASE_LOAD)
        refuse(m, c->version, NULL, "the engine ended while it loaded it");
    c->engine_ends++;
    bool young = c->since_ns && hm_clock_mono_ns() - c->since_ns < HM_MON_CONTENT_TRIAL_NS;
    if (young && c->now.version && c->engine_ends >= HM_MON_CONTENT_ENDS)
        revert(m);
}

void hm_mon_content_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_content *c = m->content;
    if (c->phase == PHASE_UNPACK && c->pid)
        unpacked(m);
    else if (c->phase == PHASE_FETCH && now_ns - c->asked_ns > HM_MON_CONTENT_AGAIN_NS)
        ask(m);
    else if (c->phase == PHASE_LOAD && now_ns - c->asked_ns > HM_MON_CONTENT_LOAD_NS)
        hm_mon_child_kill(m, HM_AGENT_ENGINE, "it did not load new content in time");
}

/* ---- start and end ---- */

static int open_folder(struct hm_monitor *m, struct hm_content *c, struct hm_error *err)
{
    const struct hm_role *engine = &hm_agent_roles[HM_AGENT_ENGINE];
    const struct passwd *pw = getpwnam(engine->user);
    gid_t gid = pw ? pw->pw_gid : (gid_t)engine->fallback_uid;
    int r = hm_mon_make_folder(m->state_fd, "content", 02750, 0, gid, &c->dir_fd);
    return r < 0 ? hm_fail(err, r, "cannot make %s/content", m->o->state) : 0;
}

/* Not there any more although `current` names it: it may be fetched again. */
static void lost(struct hm_content *c)
{
    hm_err("content version %" PRIu64 " is gone from the disk: the package's rules are used",
           c->now.version);
    c->now.floor = c->now.version - 1;
    c->now.version = 0;
}

int hm_mon_content_open(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_error damage = {0};
    struct hm_content *c = m->content = calloc(1, sizeof *c);
    if (!c)
        return hm_fail(err, -ENOMEM, "out of memory");
    c->dir_fd = c->spool_fd = c->folder_fd = -1;
    c->packaged_fd = fcntl(m->rules_fd, F_DUPFD_CLOEXEC, 0);
    int r = c->packaged_fd < 0 ? hm_fail(err, -errno, "rules folder") : open_folder(m, c, err);
    if (r < 0)
        return r;
    if (hm_content_open(c->dir_fd, &c->now, &damage) < 0)
        hm_err("%s", damage.text);
    if (!c->now.version)
        return 0;
    int fd = hm_content_folder(c->dir_fd, c->now.version);
    if (fd < 0) {
        lost(c);
        return 0;
    }
    close(m->rules_fd);
    m->rules_fd = fd;
    hm_info("content version %" PRIu64 " is used", c->now.version);
    return 0;
}

void hm_mon_content_close(struct hm_monitor *m)
{
    struct hm_content *c = m->content;
    if (!c)
        return;
    if (c->pid) {
        kill(c->pid, SIGKILL); /* ours and not reaped */
        waitpid(c->pid, NULL, 0);
    }
    const int fds[] = {c->dir_fd, c->packaged_fd, c->spool_fd, c->folder_fd};
    for (size_t i = 0; i < HM_ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    hm_sha256_free(c->hash);
    free(c);
    m->content = NULL;
}

int hm_mon_content_fd(const struct hm_monitor *m)
{
    return m->content->dir_fd;
}

uint64_t hm_mon_content_version(const struct hm_monitor *m)
{
    return m->content->now.version;
}

void hm_mon_content_report(const struct hm_monitor *m, struct hm_buf *out)
{
    const struct hm_content *c = m->content;
    hm_buf_printf(out,
                  ",\"content\":{\"version\":%" PRIu64 ",\"phase\":\"%s\",\"rules\":%" PRIu64
                  ",\"refused\":%" PRIu64 ",\"load_ms\":%" PRIu64 "}",
                  c->now.version, phase_names[c->phase], c->rules, c->rules_refused, c->load_ms);
}
