/* The start-up snapshot: numbers from the BPF task iterator, strings from /proc. Owns that join.
 *
 * A pid may be reused between the two, so everything of /proc is read through one descriptor of the
 * process's folder (it names that process, not the number), whose start time must match. */
#include "agent/sensor/flags.h"
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"
#include "agent/sensor/sensor_impl.h"
#include "sensor.skel.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct builder {
    union {
        struct hm_rec_exec rec;
        uint8_t bytes[HM_SENSOR_RECORD_MAX + 1];
    };
    size_t len;
};

static void add(struct builder *b, struct hm_rec_str *ret, const void *p, size_t n)
{
    if (n == 0 || b->len + n > HM_SENSOR_RECORD_MAX)
        return;
    memcpy(b->bytes + b->len, p, n);
    ret->off = (uint16_t)b->len;
    ret->len = (uint16_t)n;
    b->len += n;
}

static size_t read_some(int dir, const char *name, char *buf, size_t max)
{
    hm_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    while (fd >= 0 && got < max) {
        ssize_t n = read(fd, buf + got, max - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* Field 22 of stat, counted after the last ')' because a name may contain anything. Ticks of 10 ms.
 */
static bool same_start(int dir, uint64_t start_ns)
{
    char stat[1024] = {0};
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    read_some(dir, "stat", stat, sizeof stat - 1);
    const char *p = strrchr(stat, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p && strtoull(p + 1, NULL, 10) == start_ns / (1000000000u / hz);
}

static void add_link(struct builder *b, struct hm_rec_str *ret, int dir, const char *name)
{
    static const char deleted[] = " (deleted)", memfd[] = "/memfd:";
    char path[HM_SENSOR_PATH_MAX];
    ssize_t n = readlinkat(dir, name, path, sizeof path);
    size_t len = n > 0 ? (size_t)n : 0, cut = sizeof deleted - 1, skip = 0;
    if (len > cut && memcmp(path + len - cut, deleted, cut) == 0)
        len -= cut;
    if (len > sizeof memfd && memcmp(path, memfd, sizeof memfd - 1) == 0) {
        skip = 1;
        if (ret == &b->rec.path)
            b->rec.proc_flags =
                (b->rec.proc_flags & ~(uint32_t)HM_REC_PROC_DELETED) | HM_REC_PROC_MEMFD;
    }
    add(b, ret, path + skip, len - skip);
}

static void add_args(struct builder *b, int dir)
{
    char args[HM_SENSOR_ARGS_MAX + 1];
    size_t n = read_some(dir, "cmdline", args, sizeof args);
    b->rec.args_total = (uint32_t)n;
    if (n > HM_SENSOR_ARGS_MAX) {
        n = HM_SENSOR_ARGS_MAX;
        b->rec.proc_flags |= HM_REC_PROC_ARGS_TRUNCATED;
    }
    for (size_t i = 0; i < n; i++)
        b->rec.argc += args[i] == 0;
    add(b, &b->rec.args, args, n);
}

static bool loader_variable(const char *p, size_t n)
{
    static const char *const names[] = {
        "LD_",       "BASH_ENV=",     "GCONV_PATH=",       "GLIBC_TUNABLES=",
        "PERL5OPT=", "PERL5LIB=",     "PYTHONSTARTUP=",    "PYTHONPATH=",
        "RUBYOPT=",  "NODE_OPTIONS=", "JAVA_TOOL_OPTIONS="};
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++)
        if (n >= strlen(names[i]) && memcmp(p, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void add_env(struct builder *b, int dir)
{
    static const size_t max = 131072;
    hm_autofree char *env = malloc(max);
    char kept[HM_SENSOR_ENV_MAX];
    size_t n = env ? read_some(dir, "environ", env, max) : 0, used = 0;
    if (n == max)
        b->rec.h.flags |= HM_REC_F_ENV_PARTIAL;
    for (size_t at = 0, len; at < n; at += len) {
        len = strnlen(env + at, n - at) + 1;
        if (at + len > n || !loader_variable(env + at, len))
            continue;
        if (used + len > sizeof kept) {
            b->rec.h.flags |= HM_REC_F_ENV_PARTIAL;
            break;
        }
        memcpy(kept + used, env + at, len);
        used += len;
    }
    add(b, &b->rec.env, kept, used);
}

/* The folder's name of "0::/a/b/docker-….scope". */
static void add_cgroup(struct builder *b, int dir)
{
    char text[4096] = {0};
    read_some(dir, "cgroup", text, sizeof text - 1);
    char *line = strstr(text, "0::/");
    if (!line)
        return;
    line[strcspn(line, "\n")] = 0;
    const char *leaf = strrchr(line, '/') + 1;
    add(b, &b->rec.cgroup, leaf, strnlen(leaf, HM_SENSOR_NAME_MAX));
}

static bool enrich(struct builder *b)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u", b->rec.h.tgid);
    hm_autoclose int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !same_start(dir, b->rec.h.start_ns))
        return false; /* it has ended since: its exit is in the ring */
    add_link(b, &b->rec.path, dir, "exe");
    add_link(b, &b->rec.cwd, dir, "cwd");
    add_cgroup(b, dir);
    add_env(b, dir);
    add_args(b, dir);
    b->rec.h.length = (uint32_t)b->len;
    return true;
}

static int one(struct builder *b, hm_sensor_record_fn fn, void *arg)
{
    b->len = sizeof b->rec;
    b->rec.h.length = (uint32_t)b->len;
    return enrich(b) ? fn(arg, hm_slice(b->bytes, b->len)) : 0;
}

/* The iterator gives whole records, but read(2) may stop inside one. */
static int each(int fd, hm_sensor_record_fn fn, void *arg)
{
    hm_autofree struct builder *b = malloc(sizeof *b);
    size_t have = 0;
    if (!b)
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(fd, b->bytes + have, sizeof b->rec - have);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        have += (size_t)n;
        if (have < sizeof b->rec)
            continue;
        have = 0;
        int e = one(b, fn, arg);
        if (e != 0)
            return e;
    }
}

int hm_sensor_snapshot(struct hm_sensor *s, hm_sensor_record_fn fn, void *arg, struct hm_error *err)
{
    struct bpf_program *p = s->skel->progs.hm_snapshot;
    if (!bpf_program__autoload(p))
        return hm_fail(err, -ENOTSUP, "snapshot: this kernel has no task iterator");
    struct bpf_link *link = bpf_program__attach_iter(p, NULL);
    if (!link)
        return hm_fail(err, -errno, "snapshot: %s", strerror(errno));
    int fd = bpf_iter_create(bpf_link__fd(link));
    int e = fd < 0 ? -errno : each(fd, fn, arg);
    if (fd >= 0)
        close(fd);
    bpf_link__destroy(link);
    return e;
}
