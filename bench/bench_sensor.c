/* The parts of bench-sensor that must be C: loops whose CPU is measured, a flood at a given rate,
 * and readings of a running agent (its counters, its memory). The script owns the order of things.
 *   bench_sensor exec N | open N PATH    CPU microseconds per turn, children included
 *   bench_sensor flood PER_SECOND SECONDS    how many were really made (a socket listens)
 *   bench_sensor counters PID            "sent lost errors" of the sensor that PID holds
 *   bench_sensor memory PID              KiB: summed PSS of PID and its children, then BPF maps and
 * programs */
#include "agent/sensor/record.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

static double cpu_us(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double all_cpu_us(void)
{
    return cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
}

static int loop_exec(long n)
{
    double before = all_cpu_us();
    for (long i = 0; i < n; i++) {
        pid_t p = fork();
        if (p == 0) {
            execl("/bin/true", "true", "some", "arguments", "of a usual length", NULL);
            _exit(127);
        }
        if (p < 0 || waitpid(p, NULL, 0) < 0)
            return 1;
    }
    printf("%.3f\n", (all_cpu_us() - before) / (double)n);
    return 0;
}

static int loop_open(long n, const char *path)
{
    double before = all_cpu_us();
    for (long i = 0; i < n; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 1;
        close(fd);
    }
    printf("%.3f\n", (all_cpu_us() - before) / (double)n);
    return 0;
}

/* The cheapest way to make records that are really gathered and told: a socket that listens, stops
 * and listens again. One record a turn, some two microseconds. */
static int flood(uint64_t per_second, uint64_t seconds)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr stop = {.sa_family = AF_UNSPEC};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
        return 1;
    uint64_t from = hm_clock_mono_ns(), made = 0, now = from, end = from + seconds * 1000000000u;
    for (; now < end; now = hm_clock_mono_ns()) {
        uint64_t due = (now - from) * per_second / 1000000000u;
        if (made >= due)
            usleep(500);
        for (int burst = 0; made < due && burst < 64; burst++, made++)
            if (listen(fd, 1) < 0 || connect(fd, &stop, sizeof stop) < 0)
                return 1;
    }
    close(fd);
    printf("%llu\n", (unsigned long long)made);
    return 0;
}

/* Calls fn for the text of each descriptor's fdinfo of a process. */
static void each_fdinfo(const char *pid, void (*fn)(const char *text, void *arg), void *arg)
{
    char dir[64], path[400], text[2048];
    snprintf(dir, sizeof dir, "/proc/%s/fdinfo", pid);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        if (n > 0) {
            text[n] = 0;
            fn(text, arg);
        }
    }
    if (d)
        closedir(d);
}

static uint64_t field(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

static void find_counters(const char *text, void *arg)
{
    struct bpf_map_info info = {0};
    uint32_t len = sizeof info, id = (uint32_t)field(text, "map_id:");
    if (id == 0 || field(text, "value_size:") != sizeof(struct hm_sensor_counter))
        return;
    int fd = bpf_map_get_fd_by_id(id);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
        strcmp(info.name, "counters") == 0)
        *(int *)arg = fd;
    else if (fd >= 0)
        close(fd);
}

static int counters(const char *pid)
{
    int map = -1;
    uint64_t sent = 0, lost = 0, errors = 0;
    each_fdinfo(pid, find_counters, &map);
    if (map < 0)
        return fprintf(stderr, "process %s holds no sensor\n", pid), 1;
    for (uint32_t i = 0; i < HM_PROG_COUNT; i++) {
        struct hm_sensor_counter c = {0};
        if (bpf_map_lookup_elem(map, &i, &c) < 0)
            return 1;
        sent += c.sent;
        lost += c.lost;
        errors += c.errors;
    }
    printf("%llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)lost,
           (unsigned long long)errors);
    return 0;
}

#define OBJECTS_MAX 256
struct bpf_sum {
    uint64_t bytes, seen[OBJECTS_MAX];
    size_t count;
};

static void add_bpf(const char *text, void *arg)
{
    struct bpf_sum *s = arg;
    uint64_t map = field(text, "map_id:"), prog = field(text, "prog_id:");
    uint64_t key = map ? map << 1 : prog << 1 | 1;
    if (strstr(text, "link_id:") || (map == 0 && prog == 0))
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->seen[i] == key)
            return;
    if (s->count < OBJECTS_MAX)
        s->seen[s->count++] = key;
    s->bytes += field(text, "memlock:");
}

static uint64_t pss_kib(const char *pid)
{
    char path[64], text[2048] = {0};
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    return n > 0 ? field(text, "\nPss:") : 0;
}

static int memory(const char *pid)
{
    char path[64], children[4096] = {0};
    struct bpf_sum bpf = {0};
    uint64_t kib = pss_kib(pid);
    snprintf(path, sizeof path, "/proc/%s/task/%s/children", pid, pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, children, sizeof children - 1) < 0 || kib == 0)
        return 1;
    close(fd);
    char *save = NULL;
    for (char *c = strtok_r(children, " ", &save); c; c = strtok_r(NULL, " ", &save))
        kib += pss_kib(c);
    each_fdinfo(pid, add_bpf, &bpf);
    printf("%llu %llu\n", (unsigned long long)kib, (unsigned long long)(bpf.bytes / 1024));
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "exec") == 0)
        return loop_exec(strtol(argv[2], NULL, 10));
    if (strcmp(what, "open") == 0 && argc == 4)
        return loop_open(strtol(argv[2], NULL, 10), argv[3]);
    if (strcmp(what, "flood") == 0 && argc == 4)
        return flood(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    if (strcmp(what, "counters") == 0)
        return counters(argv[2]);
    if (strcmp(what, "memory") == 0)
        return memory(argv[2]);
    fputs("usage: see the top of bench/bench_sensor.c\n", stderr);
    return 2;
}
