/* Owns the queue of scans: descriptors that monitor opened for the engine's questions, given to
 * inspect one at a time, each with a deadline. Refuses to know what was found: the bytes of a
 * result pass through. */
#include "agent/monitor/yara.h"
#include "agent/response/kill.h"
#include "base/map.h"
#include "detect/yara/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct scan {
    uint64_t order; /* 0: free; the lowest is the oldest */
    uint64_t engine_id, since_ns, version;
    bool memory, tried; /* tried: inspect ended once while it had this */
    int fds[2];
    uint64_t dev, inode, mtime_ns, ctime_ns, size;
    char *path;
};
struct clean { /* file, name (rules may ask for it) and version of the rules */
    uint64_t dev, inode, mtime_ns, ctime_ns, size, name, version;
};
struct hm_scans {
    struct scan queue[HM_MON_SCANS_MAX];
    struct scan *busy; /* inspect has it */
    uint64_t busy_since_ns, last_order;
    struct clean clean[HM_MON_CLEAN_MAX]; /* a ring */
    size_t clean_next;
};

int hm_mon_scans_open(struct hm_monitor *m, struct hm_error *err)
{
    m->scans = calloc(1, sizeof *m->scans);
    return m->scans ? 0 : hm_fail(err, -ENOMEM, "out of memory");
}

static void release(struct hm_scans *s, struct scan *j)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(j->fds); i++)
        if (j->fds[i] >= 0)
            close(j->fds[i]);
    free(j->path);
    if (s->busy == j)
        s->busy = NULL;
    *j = (struct scan){.fds = {-1, -1}};
}

void hm_mon_scans_close(struct hm_monitor *m)
{
    for (size_t i = 0; m->scans && i < HM_MON_SCANS_MAX; i++)
        if (m->scans->queue[i].order)
            release(m->scans, &m->scans->queue[i]);
    free(m->scans);
    m->scans = NULL;
}

static void answer(struct hm_monitor *m, const struct scan *j,
                   const struct hm_msg_inspected_scan *a)
{
    struct hm_msg_scan_result r = {.id = j->engine_id,
                                   .error = a->error,
                                   .cut = a->cut,
                                   .size = a->size,
                                   .scanned = a->scanned,
                                   .hits = a->hits,
                                   .sha256 = a->sha256,
                                   .version = j->version,
                                   .dev = j->dev,
                                   .inode = j->inode,
                                   .mtime_ns = j->mtime_ns};
    if (j->inode)
        r.size = j->size;
    if (j->engine_id) /* 0: the engine that asked is gone */
        hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_scan_result, &r, NULL, 0);
}

static void fail_with(struct hm_monitor *m, struct scan *j, int error)
{
    struct hm_msg_inspected_scan a = {.error = (uint64_t)error};
    answer(m, j, &a);
    if (j->order)
        release(m->scans, j);
}

static void refuse(struct hm_monitor *m, uint64_t engine_id, int error)
{
    struct scan j = {.engine_id = engine_id, .fds = {-1, -1}};
    fail_with(m, &j, error);
}

/* ---- what was clean a moment ago ---- */

static struct clean clean_key(const struct scan *j)
{
    return (struct clean){.dev = j->dev,
                          .inode = j->inode,
                          .mtime_ns = j->mtime_ns,
                          .ctime_ns = j->ctime_ns,
                          .size = j->size,
                          .name = hm_hash64(j->path, strlen(j->path), 0),
                          .version = j->version};
}

static bool is_clean(const struct hm_scans *s, const struct scan *j)
{
    struct clean k = clean_key(j);
    for (size_t i = 0; i < HM_MON_CLEAN_MAX; i++)
        if (memcmp(&s->clean[i], &k, sizeof k) == 0)
            return true;
    return false;
}

static void remember(struct hm_scans *s, const struct scan *j)
{
    s->clean[s->clean_next++ % HM_MON_CLEAN_MAX] = clean_key(j);
}

/* ---- questions ---- */

static struct scan *place(struct hm_scans *s)
{
    for (size_t i = 0; i < HM_MON_SCANS_MAX; i++)
        if (!s->queue[i].order)
            return &s->queue[i];
    return NULL;
}

/* fds are moved. */
static void enqueue(struct hm_monitor *m, uint64_t engine_id, int fds[2], bool memory,
                    struct hm_slice path, const struct stat *st)
{
    struct scan *j = place(m->scans);
    char *copy = j ? strndup(path.len ? (const char *)path.p : "", path.len) : NULL;
    if (!copy) {
        refuse(m, engine_id, j ? ENOMEM : ENOSPC);
        return;
    }
    *j = (struct scan){.order = ++m->scans->last_order,
                       .engine_id = engine_id,
                       .since_ns = hm_clock_mono_ns(),
                       .memory = memory,
                       .fds = {hm_steal_fd(&fds[0]), hm_steal_fd(&fds[1])},
                       .path = copy};
    if (st) {
        j->dev = st->st_dev;
        j->inode = st->st_ino;
        j->size = (uint64_t)st->st_size;
        j->mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
        j->ctime_ns = (uint64_t)st->st_ctim.tv_sec * 1000000000 + (uint64_t)st->st_ctim.tv_nsec;
        j->version = hm_mon_rules_version(m);
    }
    if (st && is_clean(m->scans, j)) {
        fail_with(m, j, 0);
        return;
    }
    hm_mon_scans_pump(m);
}

/* A path as a process sees it, which may live in another root: no link leads out of that. Of one
 * that is over already, and was short, the path is looked for in our own. */
static int open_in_root(uint64_t pid, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    char root[48];
    snprintf(root, sizeof root, "/proc/%u/root", (unsigned)pid);
    hm_autoclose int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* First only a name: opening what is no regular file may have effects. */
static int open_written(struct hm_monitor *m, const struct hm_msg_scan_file *q)
{
    struct stat st;
    char path[4096];
    hm_autoclose int name = -1;
    if (q->handle.len) {
        name = hm_watch_open_file(m->watch, q->fsid, q->handle, &st);
    } else if (q->path.len && q->path.len < sizeof path && q->path.p[0] == '/') {
        memcpy(path, q->path.p, q->path.len);
        path[q->path.len] = 0;
        name = q->pid ? open_in_root(q->pid, path) : open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    }
    return name >= 0 && fstat(name, &st) == 0 && S_ISREG(st.st_mode) ? hm_mon_reopen(name) : -1;
}

int hm_mon_scan_file(struct hm_monitor *m, const struct hm_msg_scan_file *q)
{
    struct hm_msg_hash_image image = {
        .pid = q->pid, .dev = q->dev, .inode = q->inode, .path = q->path};
    struct stat st;
    if (!hm_mon_rules_wanted(m)) {
        refuse(m, q->id, ENOENT);
        return 0;
    }
    int fds[2] = {q->inode ? hm_mon_open_image(&image) : open_written(m, q), -1};
    if (fds[0] < 0 || fstat(fds[0], &st) < 0 || !S_ISREG(st.st_mode)) {
        if (fds[0] >= 0)
            close(fds[0]);
        refuse(m, q->id, ESTALE); /* it is gone: there is nothing that could be scanned */
        return 0;
    }
    enqueue(m, q->id, fds, false, q->path, &st);
    if (fds[0] >= 0)
        close(fds[0]);
    return 0;
}

static int open_proc(uint64_t pid, const char *name)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/%s", (unsigned)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Ticks are coarse: equal within one is the same process, as its pid is. */
static bool is_process(uint64_t pid, uint64_t start_ns)
{
    struct hm_proc_stat st;
    if (pid == 0 || pid > INT32_MAX || hm_proc_stat_read((pid_t)pid, &st) < 0 || st.kernel_thread)
        return false;
    uint64_t ticks = start_ns / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return st.start_ticks + 1 >= ticks && st.start_ticks <= ticks + 1;
}

int hm_mon_scan_memory(struct hm_monitor *m, const struct hm_msg_scan_memory *q)
{
    int fds[2] = {-1, -1};
    if (!hm_mon_rules_wanted(m)) {
        refuse(m, q->id, ENOENT);
        return 0;
    }
    if (is_process(q->pid, q->start_ns) && !hm_mon_is_own(m, (pid_t)q->pid)) {
        fds[0] = open_proc(q->pid, "mem");
        fds[1] = open_proc(q->pid, "maps");
    }
    /* Looked at again: between the two it may have ended and left its number to another. */
    if (fds[0] >= 0 && fds[1] >= 0 && is_process(q->pid, q->start_ns))
        enqueue(m, q->id, fds, true, hm_slice(NULL, 0), NULL);
    else
        refuse(m, q->id, ESRCH);
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return 0;
}

/* ---- inspect ---- */

static struct scan *oldest(struct hm_scans *s)
{
    struct scan *best = NULL;
    for (size_t i = 0; i < HM_MON_SCANS_MAX; i++) {
        struct scan *j = &s->queue[i];
        if (j->order && (!best || j->order < best->order))
            best = j;
    }
    return best;
}

void hm_mon_scans_pump(struct hm_monitor *m)
{
    struct hm_scans *s = m->scans;
    struct scan *j = s->busy || !hm_mon_rules_ready(m) ? NULL : oldest(s);
    if (!j)
        return;
    struct hm_msg_inspect_scan q = {
        .id = j->order, .memory = j->memory, .path = hm_slice_str(j->path)};
    s->busy = j;
    s->busy_since_ns = hm_clock_mono_ns();
    j->version = hm_mon_rules_version(m);
    hm_mon_send(m, HM_AGENT_INSPECT, &hm_desc_inspect_scan, &q, j->fds, j->memory ? 2 : 1);
}

int hm_mon_scan_done(struct hm_monitor *m, const struct hm_msg_inspected_scan *a)
{
    struct scan *j = m->scans->busy;
    if (!j || j->order != a->id || a->hits.len > HM_YARA_HITS_BYTES ||
        (a->sha256.len && a->sha256.len != HM_SHA256_BYTES))
        return -EBADMSG;
    if (!j->memory && !a->error && !a->cut && !a->hits.len)
        remember(m->scans, j);
    answer(m, j, a);
    release(m->scans, j);
    hm_mon_scans_pump(m);
    return 0;
}

static bool overdue(const struct hm_monitor *m, uint64_t now_ns)
{
    const struct scan *j = m->scans->busy;
    uint64_t seconds = j && j->memory ? HM_YARA_MEMORY_SECONDS : HM_YARA_SCAN_SECONDS;
    return hm_mon_scans_busy_ns(m, now_ns) > seconds * 1000000000 + HM_MON_SCAN_GRACE_NS;
}

/* Its end may be another's fault: what was not overdue gets a second inspect, but no third. A
 * process's maps were read to their end and are of no more use. */
void hm_mon_scans_lost(struct hm_monitor *m)
{
    struct scan *j = m->scans->busy;
    if (!j)
        return;
    if (j->tried || j->memory || overdue(m, hm_clock_mono_ns())) {
        fail_with(m, j, ECANCELED);
        return;
    }
    m->scans->busy = NULL;
    j->tried = true;
}

void hm_mon_scans_engine_lost(struct hm_monitor *m)
{
    struct hm_scans *s = m->scans;
    for (size_t i = 0; i < HM_MON_SCANS_MAX; i++) {
        struct scan *j = &s->queue[i];
        j->engine_id = 0;
        if (j->order && j != s->busy)
            release(s, j);
    }
}

uint64_t hm_mon_scans_busy_ns(const struct hm_monitor *m, uint64_t now_ns)
{
    uint64_t since = m->scans->busy_since_ns; /* may be of this very tick, after now_ns */
    return m->scans->busy && now_ns > since ? now_ns - since : 0;
}

void hm_mon_scans_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_scans *s = m->scans;
    if (overdue(m, now_ns))
        hm_mon_child_kill(m, HM_AGENT_INSPECT, "a scan took longer than its deadline");
    for (size_t i = 0; i < HM_MON_SCANS_MAX; i++) {
        struct scan *j = &s->queue[i];
        if (j->order && j != s->busy && now_ns > j->since_ns + HM_MON_SCAN_WAIT_NS)
            fail_with(m, j, ETIMEDOUT);
    }
}
