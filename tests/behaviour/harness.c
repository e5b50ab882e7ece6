/* Runs behaviours under the real sensor, scoped to a cgroup made for each. See behaviour.h.
 * usage: behaviour [NAME…]; needs root. Exit 0: all passed. */
#include "behaviour.h"
#include "agent/sensor/ring.h"
#include "agent/sensor/calls.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

void expect_failed(struct world *w, const char *file, int line, const char *cond, const char *fmt,
                   ...)
{
    va_list ap;
    printf("    %s:%d: %s: ", file, line, cond);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    puts("");
    w->failed++;
}

static const struct hm_rec_header *seen(const struct world *w, size_t i)
{
    return (const struct hm_rec_header *)w->seen[i];
}

size_t count_of(const struct world *w, uint16_t type, pid_t pid)
{
    size_t n = 0;
    for (size_t i = 0; i < w->seen_count; i++)
        n += seen(w, i)->type == type && (pid == 0 || seen(w, i)->tgid == (uint32_t)pid);
    return n;
}

const struct hm_rec_header *record_of(struct world *w, uint16_t type, pid_t pid, size_t n)
{
    static const union {
        struct hm_rec_header h;
        struct hm_rec_exec exec;
        struct hm_rec_net net;
        struct hm_rec_call call;
    } none;
    for (size_t i = 0; i < w->seen_count; i++)
        if (seen(w, i)->type == type && (pid == 0 || seen(w, i)->tgid == (uint32_t)pid) && n-- == 0)
            return seen(w, i);
    EXPECT(w, false, "no %s record of process %d", hm_record_type_name(type), pid);
    return &none.h;
}

const struct hm_rec_exec *exec_of(struct world *w, pid_t pid, size_t n)
{
    return (const void *)record_of(w, HM_REC_EXEC, pid, n);
}

static bool is_call(const struct hm_rec_header *h, const char *name, pid_t pid)
{
    const struct hm_rec_call *c = (const void *)h;
    return h->type == HM_REC_CALL && h->tgid == (uint32_t)pid &&
           strcmp(hm_rare_name(c->call), name) == 0;
}

size_t calls_of(const struct world *w, const char *name, pid_t pid)
{
    size_t n = 0;
    for (size_t i = 0; i < w->seen_count; i++)
        n += is_call(seen(w, i), name, pid);
    return n;
}

const struct hm_rec_call *call_of(struct world *w, const char *name, pid_t pid, size_t n)
{
    static const struct hm_rec_call none;
    for (size_t i = 0; i < w->seen_count; i++)
        if (is_call(seen(w, i), name, pid) && n-- == 0)
            return (const void *)seen(w, i);
    EXPECT(w, false, "no %s by process %d", name, pid);
    return &none;
}

const struct hm_rec_net *net_of(struct world *w, uint16_t type, pid_t pid, size_t n)
{
    return (const void *)record_of(w, type, pid, n);
}

void expect_str(struct world *w, const char *what, const struct hm_rec_exec *e, struct hm_rec_str s,
                const char *want, size_t len)
{
    struct hm_slice got = hm_record_str(&e->h, s);
    EXPECT(w, hm_slice_eq(got, hm_slice(want, len)), "%s is \"%.*s\" (%zu bytes), not \"%s\"", what,
           (int)(got.len < 200 ? got.len : 200), (const char *)got.p, got.len, want);
}

void expect_exactly(struct world *w, const char *list)
{
    char got[256] = "";
    for (uint16_t t = HM_REC_EXEC; t <= HM_REC_DNS; t++)
        if (count_of(w, t, 0))
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s %zu", got[0] ? " " : "",
                     hm_record_type_name(t), count_of(w, t, 0));
    EXPECT(w, strcmp(got, list) == 0, "records: \"%s\", not \"%s\"", got, list);
}

/* --- for act() --- */

void write_file(const char *path, const char *text, int mode)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, (mode_t)mode) < 0)
        _exit(120);
    close(fd);
}

void copy_file(const char *from, const char *to, int mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    char buf[65536];
    ssize_t n;
    while ((n = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)n) != n)
            _exit(121);
    if (in < 0 || out < 0 || n < 0 || fchmod(out, (mode_t)mode) < 0)
        _exit(122);
    close(in);
    close(out);
}

void unsupported(struct world *w, const char *why)
{
    snprintf(w->note->why, sizeof w->note->why, "%s", why);
    w->note->unsupported = 1;
}

int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* --- the world --- */

static int cgroup2_mount(char *ret, size_t len)
{
    char line[1024], path[256], type[64];
    FILE *f = fopen("/proc/self/mounts", "re");
    int found = -ENOENT;
    while (f && found < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "%*s %255s %63s", path, type) == 2 && strcmp(type, "cgroup2") == 0) {
            snprintf(ret, len, "%s", path);
            found = 0;
        }
    if (f)
        fclose(f);
    return found;
}

/* What outlives a behaviour: the cgroup and, since loading takes a second in an emulated guest, one
 * sensor for all that do not need one of their own. */
struct stage {
    char cgroup[256];
    int cgroup_fd;
    struct hm_sensor *shared;
};

static bool make_stage(struct stage *st)
{
    char root[256];
    if (cgroup2_mount(root, sizeof root) < 0)
        return puts("no cgroup v2 is mounted"), false;
    snprintf(st->cgroup, sizeof st->cgroup, "%.200s/hinomi-behaviour-%d", root, (int)getpid());
    if (mkdir(st->cgroup, 0755) < 0)
        return printf("%s: %s\n", st->cgroup, strerror(errno)), false;
    st->cgroup_fd = open(st->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return st->cgroup_fd >= 0;
}

static void end_stage(struct stage *st)
{
    hm_sensor_close(st->shared);
    close(st->cgroup_fd);
    for (int i = 0; i < 200 && rmdir(st->cgroup) < 0 && errno == EBUSY; i++)
        usleep(5000);
}

static struct hm_sensor *open_sensor(const struct stage *st, const struct behaviour *b)
{
    const struct hm_sensor_options o = {.scope_cgroup_fd = st->cgroup_fd,
                                        .ring_bytes = b->own_sensor ? b->ring_bytes : 0,
                                        .args_ring_bytes = b->own_sensor ? b->args_ring_bytes : 0,
                                        .no_tier2 = getenv("HINOMI_NO_TIER2") != NULL};
    struct hm_sensor *s = NULL;
    struct hm_error err = {0};
    if (hm_sensor_open(&o, &s, &err) < 0)
        printf("    sensor: %s\n", err.text);
    return s;
}

/* The shared sensor also saw what behaviours with a sensor of their own did. */
static void forget(const struct hm_sensor *s)
{
    const int fds[2] = {hm_sensor_ring_fd(s), hm_sensor_args_ring_fd(s)};
    for (int i = 0; i < 2; i++) {
        struct hm_ring *r = NULL;
        struct hm_slice d;
        if (hm_ring_open(fds[i], &r, NULL) < 0)
            continue;
        while (hm_ring_peek(r, &d) == 1)
            hm_ring_take(r);
        hm_ring_close(r);
    }
}

static bool make_world(struct world *w, struct stage *st, const struct behaviour *b)
{
    memcpy(w->cgroup, st->cgroup, sizeof w->cgroup);
    w->cgroup_fd = st->cgroup_fd;
    snprintf(w->dir, sizeof w->dir, "/tmp/hinomi-behaviour-XXXXXX");
    if (!mkdtemp(w->dir) || chmod(w->dir, 0755) < 0)
        return printf("    folder: %s\n", strerror(errno)), false;
    w->note =
        mmap(NULL, sizeof *w->note, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!b->own_sensor && !st->shared)
        st->shared = open_sensor(st, b);
    w->sensor = b->own_sensor ? open_sensor(st, b) : st->shared;
    if (w->sensor) {
        uint32_t watched = hm_sensor_watch_calls(w->sensor, b->calls);
        EXPECT(w, watched == b->calls, "system calls %#x of %#x are watched", watched, b->calls);
        forget(w->sensor);
    }
    w->counters = w->sensor ? hm_counters_map(hm_sensor_counters_fd(w->sensor)) : NULL;
    return w->counters != NULL;
}

static void remove_tree(const char *dir)
{
    char *argv[] = {"rm", "-rf", (char *)dir, NULL};
    pid_t p = fork();
    if (p == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    wait_for(p);
}

static void end_world(struct world *w, const struct stage *st)
{
    char sub[300];
    for (size_t i = 0; i < w->seen_count; i++)
        free(w->seen[i]);
    hm_counters_unmap(w->counters);
    if (w->sensor != st->shared)
        hm_sensor_close(w->sensor);
    snprintf(sub, sizeof sub, "%s/sub", w->cgroup);
    rmdir(sub);
    remove_tree(w->dir);
    munmap(w->note, sizeof *w->note);
}

static void drain(struct world *w, struct hm_ring *r, size_t *ret_got)
{
    struct hm_slice d;
    int more;
    while ((more = hm_ring_peek(r, &d)) == 1) {
        EXPECT(w, hm_record_check(d) == 0, "a record of %zu bytes is malformed", d.len);
        EXPECT(w, w->seen_count < SEEN_MAX, "more than %d records", SEEN_MAX);
        if (hm_record_check(d) == 0 && w->seen_count < SEEN_MAX) {
            uint64_t *copy = malloc(d.len + 8);
            memcpy(copy, d.p, d.len);
            w->seen[w->seen_count++] = copy;
            ++*ret_got;
        }
        hm_ring_take(r);
    }
    EXPECT(w, more == 0, "ring: %d", more);
}

/* As the engine does: look until nothing came twice, then sleep on the descriptors. The end is the
 * actor's own EXIT, then a moment more for what must not come. */
static void consume(struct world *w)
{
    struct hm_error err = {0};
    struct hm_ring *r[2] = {NULL, NULL};
    struct hm_ring_pace pace = {0};
    uint64_t limit = hm_clock_mono_ns() + 20000000000ull, settle = 0;
    if (hm_ring_open(hm_sensor_ring_fd(w->sensor), &r[0], &err) < 0 ||
        hm_ring_open(hm_sensor_args_ring_fd(w->sensor), &r[1], &err) < 0) {
        EXPECT(w, false, "%s", err.text);
        return;
    }
    for (uint64_t now = 0; now < limit && (settle == 0 || now < settle); now = hm_clock_mono_ns()) {
        struct pollfd p[2] = {{hm_sensor_ring_fd(w->sensor), POLLIN, 0},
                              {hm_sensor_args_ring_fd(w->sensor), POLLIN, 0}};
        size_t got = 0;
        drain(w, r[0], &got);
        drain(w, r[1], &got);
        if (settle == 0 && count_of(w, HM_REC_EXIT, w->actor))
            settle = hm_clock_mono_ns() + 100000000ull;
        (void)poll(p, 2, hm_ring_pace(&pace, got));
    }
    EXPECT(w, settle != 0, "the actor's exit did not come in 20 s");
    hm_ring_close(r[0]);
    hm_ring_close(r[1]);
}

static pid_t start_actor(struct world *w, const struct behaviour *b)
{
    pid_t p = fork();
    if (p != 0)
        return p;
    char path[300];
    snprintf(path, sizeof path, "%s/cgroup.procs", w->cgroup);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) < 0)
        _exit(125);
    close(fd);
    w->actor = getpid();
    b->act(w);
    _exit(0);
}

static int run(struct stage *st, const struct behaviour *b)
{
    struct world w = {.cgroup_fd = -1};
    if (!make_world(&w, st, b)) {
        printf("FAIL %s\n", b->name);
        return 1;
    }
    fflush(stdout);
    w.actor = start_actor(&w, b);
    if (b->outside)
        b->outside(&w);
    if (b->deaf)
        wait_for(w.actor);
    else
        consume(&w);
    if (!b->deaf) {
        int status = wait_for(w.actor);
        EXPECT(&w, status == 0, "the actor ended with status 0x%x", status);
    }
    if (!w.note->unsupported)
        b->check(&w);
    if (w.note->unsupported)
        printf("n/a  %s: %s\n", b->name, w.note->why);
    else
        printf("%s %s\n", w.failed ? "FAIL" : "ok  ", b->name);
    int result = w.failed ? 1 : w.note->unsupported ? 2 : 0;
    end_world(&w, st);
    return result;
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool hit = argc < 2;
    for (int i = 1; i < argc; i++)
        hit = hit || strcmp(argv[i], name) == 0;
    return hit;
}

int main(int argc, char **argv)
{
    const struct behaviour *const all[] = {process_behaviours, image_behaviours, network_behaviours,
                                           limit_behaviours,   call_behaviours,  dns_behaviours};
    int results[3] = {0};
    hm_log_init("behaviour", 2);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0)
        return fputs("behaviours need root\n", stderr), 1;
    struct stage st = {0};
    if (!make_stage(&st))
        return 1;
    for (size_t f = 0; f < HM_ARRAY_LEN(all); f++)
        for (const struct behaviour *b = all[f]; b->name; b++)
            if (wanted(b->name, argc, argv))
                results[run(&st, b)]++;
    end_stage(&st);
    printf("%d passed, %d failed, %d not possible on this kernel\n", results[0], results[1],
           results[2]);
    return results[1] || results[0] == 0;
}
