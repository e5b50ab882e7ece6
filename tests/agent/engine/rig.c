#include "rig.h"
#include "base/clock.h"
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

static bool resolve_dir(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle)
{
    struct rig *r = ctx;
    (void)fsid;
    if (r->refuse || r->dir_count == HM_ARRAY_LEN(r->dirs))
        return false;
    r->dirs[r->dir_count].id = id;
    r->dirs[r->dir_count].len = handle.len;
    memcpy(r->dirs[r->dir_count++].handle, handle.p, handle.len);
    return true;
}

static bool hash_image(void *ctx, uint64_t id, uint32_t pid, uint64_t dev, uint64_t inode,
                       struct hm_slice path)
{
    struct rig *r = ctx;
    if (r->refuse || r->hash_count == HM_ARRAY_LEN(r->hashes))
        return false;
    (void)path;
    r->hashes[r->hash_count].id = id;
    r->hashes[r->hash_count].pid = pid;
    r->hashes[r->hash_count].dev = dev;
    r->hashes[r->hash_count++].inode = inode;
    return true;
}

static bool stat_file(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle)
{
    struct rig *r = ctx;
    assert_true(fsid.len == 8 && handle.len == 16);
    if (r->refuse)
        return false;
    r->stats[r->stat_count++] = id;
    return true;
}

static void problem(void *ctx, const struct hm_rule_problem *p)
{
    (void)ctx;
    fail_msg("rule refused: line %u: %s", p->error.line, p->error.text);
}

static struct hm_ruleset *load_rules(const char *dir, const char *yaml)
{
    char path[128];
    struct hm_ruleset *rs = NULL;
    snprintf(path, sizeof path, "%s/rules", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    hm_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY);
    hm_autoclose int file = openat(fd, "rule.yml", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    assert_int_equal(hm_ruleset_load(fd, problem, NULL, &rs), 0);
    assert_int_equal(hm_ruleset_count(rs), 1);
    return rs;
}

struct rig *rig_new(const struct rig_options *o)
{
    static const char passwd[] =
        "root:x:0:0:root:/root:/bin/sh\nhanako:x:1000:1000::/home/hanako:/bin/sh\nbroken\n";
    struct rig *r = calloc(1, sizeof *r);
    struct hm_log_damage damage[HM_LANE_COUNT];
    struct hm_error err = {0};
    assert_non_null(r);
    snprintf(r->dir, sizeof r->dir, "/tmp/hm-engine-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    r->events = calloc(RIG_EVENTS, sizeof *r->events);
    struct hm_journal_options jo = {.boot = RIG_BOOT, .quota_bytes = o->quota};
    memset(jo.endpoint, 7, sizeof jo.endpoint);
    if (hm_journal_open(o->journal_dir ? o->journal_dir : r->dir, &jo, &r->journal, damage, &err) <
        0)
        fail_msg("%s", err.text);
    assert_int_equal(hm_users_parse(hm_slice_str(passwd), &r->users), 0);
    if (o->rules_yaml)
        r->rules = load_rules(r->dir, o->rules_yaml);
    struct hm_core_options co = {
        .boot = RIG_BOOT,
        .policy_paths = hm_slice_str(o->policy ? o->policy : "/tmp\n/etc"),
        .leave = hm_slice_str(o->leave),
        .journal = r->journal,
        .rules = r->rules,
        .intel = o->intel,
        .users = r->users,
        .ledger = o->ledger,
        .live_max = o->live_max,
        .exited_max = o->exited_max,
        .files_max = o->files_max,
        .dirs_max = o->dirs_max,
        .ops = {.resolve_dir = resolve_dir,
                .hash_image = hash_image,
                .scan_file = o->scan,
                .scan_memory = o->scan,
                .stat_file = stat_file,
                .ctx = r},
    };
    memset(co.endpoint, 7, sizeof co.endpoint);
    if (hm_core_new(&co, &r->core, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void forget_events(struct rig *r)
{
    for (size_t i = 0; i < r->count; i++)
        hm_buf_done(&r->events[i].own);
    r->count = 0;
}

void rig_free(struct rig *r)
{
    forget_events(r);
    hm_core_free(r->core);
    hm_journal_close(r->journal);
    hm_ruleset_free(r->rules);
    hm_users_free(r->users);
    nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r->events);
    free(r);
}

static int keep(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct rig *r = ctx;
    (void)e;
    assert_true(r->count < RIG_EVENTS);
    struct rig_event *k = &r->events[r->count++];
    k->own = HM_BUF(HM_EVENT_MAX_BYTES);
    hm_buf_put(&k->own, canonical.p, canonical.len);
    assert_int_equal(k->own.error, 0);
    return hm_event_decode(hm_buf_slice(&k->own), &k->e);
}

static void read_lane(struct rig *r, const char *lane)
{
    char path[128];
    struct hm_log_reader *reader = NULL;
    struct hm_slice batch;
    uint64_t number;
    struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES * 4);
    snprintf(path, sizeof path, "%s/%s", r->dir, lane);
    assert_int_equal(hm_log_reader_open(path, &reader, NULL), 0);
    (void)!hm_log_reader_seek(reader, 0);
    while (hm_log_reader_next(reader, &number, &batch) == 1)
        assert_int_equal(hm_batch_each(batch, &raw, keep, r), 0);
    hm_log_reader_close(reader);
    hm_buf_done(&raw);
}

void rig_read(struct rig *r)
{
    assert_true(hm_core_tick(r->core, NULL, 0) >= 0);
    forget_events(r);
    read_lane(r, "bulk");
    read_lane(r, "alert");
}

const struct hm_event *rig_find(struct rig *r, uint64_t action, size_t n)
{
    for (size_t i = 0; i < r->count; i++)
        if (hm_event_u64(&r->events[i].e, HM_F_ACTION) == action && n-- == 0)
            return &r->events[i].e;
    fail_msg("no event %s", hm_action_name(action));
    return NULL;
}

size_t rig_count(struct rig *r, uint64_t action)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += hm_event_u64(&r->events[i].e, HM_F_ACTION) == action;
    return n;
}

/* ---- records
 * -----------------------------------------------------------------------------------*/

static struct hm_rec_header header(uint16_t type, uint32_t length, uint32_t pid, uint64_t start_ns,
                                   uint64_t boot_ns)
{
    return (struct hm_rec_header){.type = type,
                                  .version = HM_RECORD_VERSION,
                                  .length = length,
                                  .boot_ns = boot_ns,
                                  .start_ns = start_ns,
                                  .tgid = pid,
                                  .tid = pid,
                                  .loginuid = UINT32_MAX,
                                  .sessionid = UINT32_MAX,
                                  .ns_mnt = 1,
                                  .ns_pid = 2,
                                  .ns_net = 3,
                                  .comm = "prog"};
}

static void append(uint8_t *out, size_t max, size_t *at, struct hm_rec_str *s, const char *text,
                   bool args)
{
    size_t n = text ? strlen(text) : 0;
    assert_true(*at + n + 1 < max && *at < UINT16_MAX);
    if (!n)
        return;
    memcpy(out + *at, text, n);
    for (size_t i = 0; args && i < n; i++)
        if (out[*at + i] == ' ')
            out[*at + i] = 0;
    *s = (struct hm_rec_str){(__u16)*at, (__u16)n};
    *at += n;
}

size_t rig_exec_bytes(const struct rig_exec *x, uint8_t *out, size_t max)
{
    struct hm_rec_exec r = {
        .inode = x->inode, .dev = 5, .mtime_ns = x->mtime_ns, .argc = 1, .session = x->session};
    size_t at = sizeof r;
    append(out, max, &at, &r.path, x->path, false);
    append(out, max, &at, &r.args, x->args, true);
    append(out, max, &at, &r.cwd, x->cwd, false);
    append(out, max, &at, &r.cgroup, x->cgroup, false);
    append(out, max, &at, &r.env, x->env, true);
    r.h = header(x->snapshot ? HM_REC_SNAPSHOT : HM_REC_EXEC, (uint32_t)at, x->pid, x->start_ns,
                 x->boot_ns);
    r.h.uid = r.h.euid = x->uid;
    r.h.ppid = x->ppid;
    r.h.parent_start_ns = x->parent_start_ns;
    if (x->comm)
        strncpy(r.h.comm, x->comm, sizeof r.h.comm - 1);
    if (x->socket) {
        r.stdio[0] = r.stdio[1] = r.stdio[2] = HM_STDIO_SOCKET;
        r.stdio_family = 4;
        r.stdio_port = 4444;
        memcpy(r.stdio_ip, "\xc6\x33\x64\x07", 4);
    }
    memcpy(out, &r, sizeof r);
    return at;
}

void rig_exec(struct rig *r, const struct rig_exec *x)
{
    _Alignas(8) uint8_t bytes[48 * 1024];
    size_t n = rig_exec_bytes(x, bytes, sizeof bytes);
    assert_int_equal(hm_core_record(r->core, hm_slice(bytes, n)), 0);
}

void rig_fork(struct rig *r, uint32_t pid, uint64_t start_ns, uint32_t ppid,
              uint64_t parent_start_ns, uint64_t boot_ns)
{
    struct hm_rec_fork f = {.h = header(HM_REC_FORK, sizeof f, pid, start_ns, boot_ns)};
    f.h.uid = f.h.euid = r->uid;
    f.h.ppid = f.creator_tgid = ppid;
    f.h.parent_start_ns = f.creator_start_ns = parent_start_ns;
    assert_int_equal(hm_core_record(r->core, hm_slice(&f, sizeof f)), 0);
}

void rig_exit(struct rig *r, uint32_t pid, uint64_t start_ns, uint64_t boot_ns)
{
    struct hm_rec_exit x = {.h = header(HM_REC_EXIT, sizeof x, pid, start_ns, boot_ns), .code = 3};
    x.h.uid = x.h.euid = r->uid;
    assert_int_equal(hm_core_record(r->core, hm_slice(&x, sizeof x)), 0);
}

void rig_connect(struct rig *r, uint32_t pid, uint64_t start_ns, uint64_t boot_ns,
                 const uint8_t ip[4], uint16_t port, int result)
{
    struct hm_rec_net n = {.h = header(HM_REC_CONNECT, sizeof n, pid, start_ns, boot_ns),
                           .result = result,
                           .family = 4,
                           .protocol = 6,
                           .direction = HM_NET_OUTBOUND,
                           .local_port = 40000,
                           .remote_port = port};
    n.h.uid = n.h.euid = r->uid;
    memcpy(n.local_ip, "\x0a\x00\x00\x01", 4);
    memcpy(n.remote_ip, ip, 4);
    assert_int_equal(hm_core_record(r->core, hm_slice(&n, sizeof n)), 0);
}

/* ---- fanotify
 * ----------------------------------------------------------------------------------*/

static void make_handle(int dir, uint8_t out[16])
{
    uint32_t bytes = 8, type = 1;
    uint64_t id = (uint64_t)dir;
    memcpy(out, &bytes, 4);
    memcpy(out + 4, &type, 4);
    memcpy(out + 8, &id, 8);
}

static void add_info(uint8_t *out, size_t *at, uint8_t type, int dir, const char *name)
{
    size_t n = 4 + 8 + 16 + (name ? strlen(name) + 1 : 0);
    uint16_t len = (uint16_t)((n + 3) & ~3u);
    uint8_t *p = out + *at;
    if (!dir)
        return;
    memset(p, 0, len);
    p[0] = type;
    memcpy(p + 2, &len, 2);
    memcpy(p + 4, "fsidfsid", 8);
    make_handle(dir, p + 12);
    if (name)
        memcpy(p + 28, name, strlen(name));
    *at += len;
}

size_t rig_fan_bytes(const struct rig_fan *f, uint8_t *out, size_t max)
{
    size_t at = sizeof(struct fanotify_event_metadata);
    bool rename = f->new_dir != 0;
    assert_true(max >= 2048);
    add_info(out, &at, rename ? FAN_EVENT_INFO_TYPE_OLD_DFID_NAME : FAN_EVENT_INFO_TYPE_DFID_NAME,
             f->dir, f->name);
    add_info(out, &at, FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, f->new_dir, f->new_name);
    add_info(out, &at, FAN_EVENT_INFO_TYPE_FID, f->target, NULL);
    struct fanotify_event_metadata m = {.event_len = (uint32_t)at,
                                        .vers = FANOTIFY_METADATA_VERSION,
                                        .metadata_len = sizeof m,
                                        .mask = f->mask,
                                        .fd = FAN_NOFD,
                                        .pid = (int)f->pid};
    memcpy(out, &m, sizeof m);
    return at;
}

void rig_fan(struct rig *r, const struct rig_fan *f)
{
    uint8_t bytes[4096];
    size_t n = rig_fan_bytes(f, bytes, sizeof bytes);
    hm_core_fanotify(r->core, hm_slice(bytes, n));
}

static size_t question(const struct rig *r, int dir)
{
    uint8_t want[16];
    make_handle(dir, want);
    for (size_t i = 0; i < r->dir_count; i++)
        if (r->dirs[i].len == sizeof want && memcmp(r->dirs[i].handle, want, sizeof want) == 0)
            return i;
    return SIZE_MAX;
}

bool rig_asked(const struct rig *r, int dir)
{
    return question(r, dir) != SIZE_MAX;
}

void rig_answer(struct rig *r, int dir, const char *path)
{
    size_t i = question(r, dir);
    assert_true(i != SIZE_MAX);
    uint64_t id = r->dirs[i].id;
    memmove(&r->dirs[i], &r->dirs[i + 1], (--r->dir_count - i) * sizeof r->dirs[0]);
    hm_core_dir_path(r->core, id, hm_slice_str(path));
}

struct hm_slice rig_text(const struct hm_event *e, enum hm_field f)
{
    return hm_event_str(e, f);
}

void rig_assert_text(const struct hm_event *e, enum hm_field f, const char *want)
{
    struct hm_slice s = hm_event_str(e, f);
    if (!hm_slice_eq(s, hm_slice_str(want)))
        fail_msg("%s is \"%.*s\", not \"%s\"", hm_fields[f].name, (int)s.len, (const char *)s.p,
                 want);
}
