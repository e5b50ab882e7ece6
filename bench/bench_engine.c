/* engine · events_per_s: sensor record → table, event, rules, journal (encoded, hashed, compressed,
 * chained, synced), one core. The mix is a shell loop's: fork, exec, connect, close, exit. Prints
 * one JSON line a metric; a second line without rules shows what detection costs. */
#include "agent/engine/core.h"
#include "agent/engine/key.h"
#include "agent/sensor/record.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ROUNDS  100000
#define RECORDS 5 /* of a round */
#define BUDGET  100000

static const char *const commands[][2] = {
    {"/usr/bin/dash", "sh -c test -e /var/lib/dpkg/lock && echo locked"},
    {"/usr/bin/gcc-12", "gcc -O2 -g -Wall -Wextra -Isrc -Ibuild/src -c src/main.c -o build/main.o"},
    {"/usr/bin/grep",
     "grep -rn --include=*.c static_assert /usr/src/linux-headers-6.1.0-18-common"},
    {"/usr/bin/curl", "curl -fsS --retry 3 https://repo.example.org/api/v1/packages/list.json"},
    {"/usr/sbin/cron", "/usr/sbin/CRON -f -P"},
    {"/usr/bin/python3.11", "python3 /opt/app/manage.py sync --since 2026-11-20 --verbose"},
};

static struct hm_rec_header header(uint16_t type, size_t length, uint32_t pid, uint64_t start_ns)
{
    return (struct hm_rec_header){.type = type,
                                  .version = HM_RECORD_VERSION,
                                  .length = (uint32_t)length,
                                  .boot_ns = hm_clock_boot_ns(),
                                  .start_ns = start_ns,
                                  .parent_start_ns = 50,
                                  .cgroup_id = 77,
                                  .tgid = pid,
                                  .tid = pid,
                                  .ppid = 100,
                                  .uid = 1000,
                                  .gid = 1000,
                                  .euid = 1000,
                                  .egid = 1000,
                                  .loginuid = 1000,
                                  .sessionid = 3,
                                  .ns_mnt = 4026531841u,
                                  .ns_pid = 4026531836u,
                                  .ns_net = 4026531840u,
                                  .comm = "worker"};
}

static void put(uint8_t *out, size_t *at, struct hm_rec_str *s, const char *text)
{
    size_t n = strlen(text);
    memcpy(out + *at, text, n);
    *s = (struct hm_rec_str){(__u16)*at, (__u16)n};
    *at += n;
}

static size_t make_exec(uint8_t *out, uint32_t pid, uint64_t start_ns, size_t which)
{
    struct hm_rec_exec r = {.inode = 1000 + which,
                            .size = 125688,
                            .mtime_ns = 1,
                            .dev = 2049,
                            .mode = 0100755,
                            .argc = 5,
                            .session = 100,
                            .stdio = {HM_STDIO_TTY, HM_STDIO_PIPE, HM_STDIO_TTY},
                            .tty = "pts/0"};
    size_t at = sizeof r;
    put(out, &at, &r.path, commands[which][0]);
    put(out, &at, &r.args, commands[which][1]);
    put(out, &at, &r.cwd, "/home/hanako/src/project");
    put(out, &at, &r.cgroup, "session-3.scope");
    r.h = header(HM_REC_EXEC, at, pid, start_ns);
    memcpy(out, &r, sizeof r);
    return at;
}

static void feed(struct hm_core *c, const void *p, size_t n)
{
    if (hm_core_record(c, hm_slice(p, n)) < 0)
        abort();
}

static void feed_net(struct hm_core *c, uint16_t type, uint32_t pid, uint64_t start_ns)
{
    struct hm_rec_net n = {.h = header(type, sizeof n, pid, start_ns),
                           .family = 4,
                           .protocol = 6,
                           .direction = HM_NET_OUTBOUND,
                           .local_port = (uint16_t)(32768 + pid % 28000),
                           .remote_port = 443,
                           .local_ip = {10, 0, 0, 5},
                           .remote_ip = {192, 0, 2, (uint8_t)pid},
                           .bytes_in = pid * 7,
                           .bytes_out = pid};
    feed(c, &n, sizeof n);
}

static void one_round(struct hm_core *c, uint32_t i)
{
    _Alignas(8) uint8_t exec[2048];
    uint32_t pid = 1000 + i % 30000;
    uint64_t start_ns = 1000 + i;
    struct hm_rec_fork f = {.h = header(HM_REC_FORK, sizeof f, pid, start_ns),
                            .creator_tgid = 100,
                            .creator_start_ns = 50};
    feed(c, &f, sizeof f);
    feed(c, exec, make_exec(exec, pid, start_ns, i % (sizeof commands / sizeof commands[0])));
    feed_net(c, HM_REC_CONNECT, pid, start_ns);
    feed_net(c, HM_REC_CLOSE, pid, start_ns);
    struct hm_rec_exit x = {.h = header(HM_REC_EXIT, sizeof x, pid, start_ns)};
    feed(c, &x, sizeof x);
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static uint64_t folder_bytes;
static int add_size(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)path, (void)f;
    folder_bytes += type == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench engine: %s: %s\n", what, strerror(-r));
    exit(1);
}

static void run(struct hm_ruleset *rules, const char *metric)
{
    char dir[] = "/tmp/hm-bench-engine-XXXXXX";
    struct hm_journal *j = NULL;
    struct hm_core *c = NULL;
    struct hm_users *users = NULL;
    struct hm_log_damage damage[HM_LANE_COUNT];
    struct hm_journal_options jo = {.boot = 1};
    must(mkdtemp(dir) ? 0 : -1, "temporary folder");
    must(hm_journal_open(dir, &jo, &j, damage, NULL), "journal");
    must(hm_users_parse(hm_slice_str("hanako:x:1000:1000::/home/hanako:/bin/sh\n"), &users),
         "users");
    struct hm_core_options o = {.boot = 1,
                                .journal = j,
                                .rules = rules,
                                .users = users,
                                .policy_paths = hm_slice_str("/etc")};
    must(hm_core_new(&o, &c, NULL), "core");
    uint64_t begin = hm_clock_mono_ns();
    double cpu = cpu_s();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        one_round(c, i);
        if (i % 10000 == 9999)
            must(hm_core_tick(c, NULL, 0), "tick");
    }
    cpu = cpu_s() - cpu;
    double wall = (double)(hm_clock_mono_ns() - begin) / 1e9;
    struct hm_core_counts n = hm_core_counts(c);
    /* A stream of commands may raise an alert: that is an event more. */
    if (n.sink.put != (uint64_t)ROUNDS * RECORDS + n.alerts.raised || n.sink.lost || n.malformed)
        must(-EIO, "not every record became an event");
    folder_bytes = 0;
    nftw(dir, add_size, 16, FTW_PHYS);
    printf("{\"bench\":\"engine\",\"metric\":\"%s\",\"value\":%.0f,\"unit\":\"events/"
           "s\",\"budget\":%d,\"ok\":%s,"
           "\"cpu_us_per_event\":%.2f,\"wall_s\":%.2f,\"events\":%llu,\"rules\":%zu,\"journal_"
           "bytes_per_event\":%.1f,"
           "\"better\":\"higher\",\"peer\":\"Tracee, a core, as published (architecture.md)\","
           "\"peer_value\":33000}\n",
           metric, (double)n.sink.put / cpu, BUDGET,
           (double)n.sink.put / cpu >= BUDGET ? "true" : "false", cpu * 1e6 / (double)n.sink.put,
           wall, (unsigned long long)n.sink.put, rules ? hm_ruleset_count(rules) : 0,
           (double)folder_bytes / (double)n.sink.put);
    hm_core_free(c);
    hm_users_free(users);
    hm_journal_close(j);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    struct hm_ruleset *rules = NULL;
    int fd = open(argc > 1 ? argv[1] : "rules", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(fd < 0 ? -errno : 0, "rules folder");
    must(hm_ruleset_load(fd, NULL, NULL, &rules), "rules");
    run(rules, "events_per_s");
    run(NULL, "events_per_s_without_rules");
    hm_ruleset_free(rules);
    close(fd);
    return 0;
}
