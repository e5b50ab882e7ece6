/* Owns what monitor needs before it has children: the state folder and its lock, a private mount
 * namespace, the identity, who this machine is, sensors and watches. */
#include "agent/monitor/yara.h"
#include "wire/order.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Mounts of the host still arrive here; nothing of ours goes back. */
static int private_mounts(struct hm_error *err)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return hm_fail(err, -errno, "cannot make a private mount namespace (is this root?)");
    return 0;
}

int hm_mon_make_folder(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid, int *ret_fd)
{
    if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    struct stat st;
    int r = fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 || fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 &&
        (st.st_mode & 07777) != mode) /* without CAP_FSETID the setgid bit is dropped silently */
        r = -EPERM;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int make_parents(const char *path)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s", path);
    if (n <= 0 || (size_t)n >= sizeof part)
        return -ENAMETOOLONG;
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(part, 0711) < 0 && errno != EEXIST ? -errno : 0;
}

static int lock_state(struct hm_monitor *m, struct hm_error *err)
{
    char pid[32] = "";
    m->lock_fd = openat(m->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->lock_fd < 0)
        return hm_fail(err, -errno, "cannot open %s/lock", m->o->state);
    if (flock(m->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(m->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        return hm_fail(err, -EBUSY, "another agent (pid %s) already runs on the state folder %s",
                       pid[0] ? pid : "unknown", m->o->state);
    }
    int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(m->lock_fd, 0) < 0 || pwrite(m->lock_fd, pid, (size_t)len, 0) != len)
        return hm_fail(err, -EIO, "cannot write %s/lock", m->o->state);
    return 0;
}

/* The journal belongs to the engine and is read by uplink's group, which new files inherit. */
static int open_journal(struct hm_monitor *m, struct hm_error *err)
{
    const struct hm_role *uplink = &hm_agent_roles[HM_AGENT_UPLINK];
    uid_t engine_uid = hm_role_uid(&hm_agent_roles[HM_AGENT_ENGINE]),
          uplink_uid = hm_role_uid(uplink);
    if (engine_uid == (uid_t)-1 || uplink_uid == (uid_t)-1)
        return hm_fail(err, -ENOENT,
                       "no users _hinomi-engine and _hinomi-uplink, and their numbers are taken");
    const struct passwd *pw = getpwnam(uplink->user);
    gid_t gid = pw ? pw->pw_gid : (gid_t)uplink->fallback_uid;
    if (!pw)
        hm_info("no user %s: the agent's processes use the unused numbers 64201 and up",
                uplink->user);
    int r = hm_mon_make_folder(m->state_fd, "journal", 02750, engine_uid, gid, &m->journal_fd);
    return r < 0 ? hm_fail(err, r, "cannot make %s/journal", m->o->state) : 0;
}

static int open_state(struct hm_monitor *m, struct hm_error *err)
{
    int r = make_parents(m->o->state);
    if (r < 0)
        return hm_fail(err, r, "cannot make the state folder %s", m->o->state);
    m->state_fd = open(m->o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->state_fd < 0 || fchmod(m->state_fd, 0711) < 0)
        return hm_fail(err, -errno, "cannot open the state folder %s", m->o->state);
    if ((r = lock_state(m, err)) < 0)
        return r;
    return open_journal(m, err);
}

static int hash_own_key(struct hm_monitor *m, struct hm_error *err)
{
    hm_autoclose int fd = -1;
    int r = hm_identity_open(m->state_fd, HM_IDENTITY_KEY, &fd, err);
    if (r < 0)
        return r;
    char pem[4096];
    ssize_t n = read(fd, pem, sizeof pem);
    if (n <= 0)
        return hm_fail(err, -EIO, "cannot read the endpoint's key");
    struct hm_key *key = NULL;
    r = hm_key_from_pem(hm_slice(pem, (size_t)n), &key, err);
    explicit_bzero(pem, sizeof pem);
    if (r < 0)
        return r;
    uint8_t pub[HM_PUBKEY_BYTES];
    hm_key_public(key, pub);
    hm_sha256(hm_slice(pub, sizeof pub), m->key_sha256);
    hm_key_free(key);
    return 0;
}

static int load_identity(struct hm_monitor *m, struct hm_error *err)
{
    int r = hm_identity_load(m->state_fd, &m->id, err);
    if (r == -ENOENT && m->o->offline)
        return 0;
    if (r == -ENOENT)
        return hm_fail(err, r,
                       "this endpoint is not enrolled: run `hinomi-agent enroll` first, or run "
                       "with --offline");
    if (r == 0)
        r = hash_own_key(m, err);
    if (r < 0)
        return r;
    r = hm_trust_open(m->id.root_key, hm_slice(m->id.key_set, m->id.key_set_len), &m->trust);
    if (r < 0)
        return hm_fail(err, r, "the keys in trust.json are not signed by the pinned root key");
    m->enrolled = true;
    return 0;
}

static void read_os(char *ret, size_t len)
{
    char line[256];
    FILE *f = fopen("/etc/os-release", "re");
    snprintf(ret, len, "Linux");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "PRETTY_NAME=", 12) != 0)
            continue;
        char *p = line + 12;
        p += *p == '"';
        p[strcspn(p, "\"\n")] = 0;
        snprintf(ret, len, "%s", p);
    }
    if (f)
        fclose(f);
}

/* The boot id, folded: with pid and start time it names a process for ever. */
static int read_boot(uint64_t *ret_boot)
{
    char text[64];
    hm_autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 36)
        return -EIO;
    uint8_t hash[HM_SHA256_BYTES];
    hm_sha256(hm_slice(text, 36), hash);
    struct hm_cursor c = hm_cursor(hm_slice(hash, sizeof hash));
    *ret_boot = hm_cursor_le64(&c);
    return 0;
}

static int read_machine(struct hm_monitor *m, struct hm_error *err)
{
    struct utsname u;
    if (uname(&u) < 0)
        return hm_fail(err, -errno, "uname");
    snprintf(m->host_name, sizeof m->host_name, "%s%s", m->id.practice ? "practice-" : "",
             u.nodename);
    snprintf(m->kernel, sizeof m->kernel, "%s", u.release);
    read_os(m->os, sizeof m->os);
    int r = read_boot(&m->boot);
    return r < 0 ? hm_fail(err, r, "cannot read the boot id") : 0;
}

static int open_sensor(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_sensor_options so = {.scope_cgroup_fd = -1};
    if (m->o->scope) {
        m->scope_fd = open(m->o->scope, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (m->scope_fd < 0)
            return hm_fail(err, -errno, "cannot open the scope cgroup %s", m->o->scope);
        so.scope_cgroup_fd = m->scope_fd;
    }
    return hm_sensor_open(&so, &m->sensor, err);
}

void hm_mon_report_sensors(struct hm_monitor *m)
{
    hm_buf_clear(&m->sensors_json);
    const struct hm_sensor_beside beside = {.files = hm_watch_active(m->watch),
                                            .audit = m->audit,
                                            .journal = m->journal_pipe[0] >= 0,
                                            .logs = hm_mon_logs_count(m)};
    hm_sensor_report_json(m->sensor, &beside, &m->sensors_json);
}

static int open_watch(struct hm_monitor *m, struct hm_error *err)
{
    int r = hm_watch_open(m->o->scope, &m->watch, err);
    if (r < 0)
        return r;
    hm_mon_report_sensors(m);
    return m->sensors_json.error;
}

static int open_rules(struct hm_monitor *m, struct hm_error *err)
{
    if (!m->o->rules) { /* the engine wants a folder: an empty one */
        int r = hm_mon_make_folder(m->state_fd, "rules", 0755, 0, 0, &m->rules_fd);
        return r < 0 ? hm_fail(err, r, "cannot make %s/rules", m->o->state) : 0;
    }
    m->rules_fd = open(m->o->rules, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return m->rules_fd < 0 ? hm_fail(err, -errno, "cannot open the rules folder %s", m->o->rules)
                           : 0;
}

/* Everything up to the first child. What was opened is closed by hm_mon_teardown, also after an
 * error. Errors: negative errno with words. */
int hm_mon_setup(struct hm_monitor *m, struct hm_error *err)
{
    static int (*const steps[])(struct hm_monitor *, struct hm_error *) = {
        open_state,        load_identity,     read_machine, open_rules, hm_mon_content_open,
        hm_mon_rules_open, hm_mon_scans_open, open_sensor,  open_watch};
    if (geteuid() != 0)
        return hm_fail(err, -EPERM, "the agent must be started as root");
    int r = private_mounts(err);
    for (size_t i = 0; r == 0 && i < HM_ARRAY_LEN(steps); i++)
        r = steps[i](m, err);
    if (r == 0)
        r = hm_mon_orders_open(m, err);
    if (r == 0 && (r = hm_ipc_pair(m->pair)) < 0)
        r = hm_fail(err, r, "no socket pair");
    return r;
}

void hm_mon_teardown(struct hm_monitor *m)
{
    hm_mon_orders_close(m);
    hm_mon_scans_close(m);
    hm_mon_rules_close(m);
    hm_mon_content_close(m);
    hm_watch_close(m->watch);
    hm_sensor_close(m->sensor);
    hm_buf_done(&m->sensors_json);
    for (size_t i = 0; i < HM_MON_EVENTS_KEPT; i++)
        free(m->kept[i].bytes);
    const int fds[] = {m->epoll_fd, m->signal_fd,  m->timer_fd,        m->lock_fd,
                       m->state_fd, m->journal_fd, m->rules_fd,        m->scope_fd,
                       m->pair[0],  m->pair[1],    m->journal_pipe[0], m->journal_pipe[1]};
    for (size_t i = 0; i < HM_ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
