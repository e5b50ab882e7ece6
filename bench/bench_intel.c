/* intel · a set of 5 million indicators: import, build, memory, and what a look-up of each kind
 * costs for values that are in it and for values that are not, at random all over the set. Peers in
 * the same run: a sorted array with bsearch, and SQLite with an index in memory, on the SHA-256s.
 * One JSON line a metric. Everything lies in one temporary file, removed at the end. */
#include "base/clock.h"
#include "detect/indicator/indicator.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS   1000000
#define BUDGET_NS 200
#define BUDGET_MB 300
#define NOW       1700000000

/* --- values that can be made again from their number --------------------------------------------
 */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

enum what { SHA256, SHA1, MD5, IP, CIDR, DOMAIN, URL, WHATS };
static const struct {
    const char *name;
    enum hm_intel_kind kind;
    unsigned percent;
} whats[WHATS] = {{"sha256", HM_INTEL_SHA256, 40}, {"sha1", HM_INTEL_SHA1, 10},
                  {"md5", HM_INTEL_MD5, 10},       {"ip", HM_INTEL_IP, 18},
                  {"cidr", HM_INTEL_IP, 2},        {"domain", HM_INTEL_DOMAIN, 15},
                  {"url", HM_INTEL_URL, 5}};

struct value {
    uint8_t bytes[128];
    size_t len;
};

static void digest(struct value *v, uint64_t n, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t w = mix(n * 4 + i / 8);
        memcpy(v->bytes + i, &w, len - i < 8 ? len - i : 8);
    }
    v->len = len;
}

static void address(struct value *v, uint64_t n)
{
    uint64_t w = mix(n ^ UINT64_C(0x1000000000));
    v->bytes[0] = (uint8_t)(1 + w % 120); /* the set's half; blocks lie in the other */
    memcpy(v->bytes + 1, (uint8_t *)&w + 4, 3);
    v->len = 4;
}

static void block(struct value *v, uint64_t n, bool host)
{
    uint64_t w = mix(n ^ UINT64_C(0x2000000000));
    v->bytes[0] = (uint8_t)(128 + w % 90);
    memcpy(v->bytes + 1, (uint8_t *)&w + 4, 2);
    v->bytes[3] = host ? (uint8_t)(w >> 24) : 0;
    v->len = 4;
}

static void domain(struct value *v, uint64_t n, bool beneath)
{
    static const char *const tops[] = {"com", "net", "org", "info", "xyz", "top", "ru", "cn"};
    uint64_t w = mix(n ^ UINT64_C(0x3000000000));
    v->len = (size_t)snprintf((char *)v->bytes, sizeof v->bytes, "%s%s%llx-%llx.%s",
                              beneath ? "cdn.eu-west." : "", w % 3 ? "" : "mail.",
                              (unsigned long long)(w >> 40),
                              (unsigned long long)(w >> 16 & 0xffffff), tops[w % 8]);
}

static void url(struct value *v, uint64_t n)
{
    uint64_t w = mix(n ^ UINT64_C(0x4000000000));
    v->len = (size_t)snprintf((char *)v->bytes, sizeof v->bytes,
                              "http://%llx.example-%llu.com/wp-content/%llx/gate.php",
                              (unsigned long long)(w >> 32), (unsigned long long)(w % 1000),
                              (unsigned long long)(w & 0xffffffff));
}

/* As events hold it. */
static void make(enum what k, uint64_t n, struct value *v)
{
    if (k == SHA256 || k == SHA1 || k == MD5)
        digest(v, n * WHATS + k, k == SHA256 ? 32 : k == SHA1 ? 20 : 16);
    else if (k == IP)
        address(v, n);
    else if (k == CIDR)
        block(v, n, true);
    else if (k == DOMAIN)
        domain(v, n, true);
    else
        url(v, n);
}

/* As feeds write it. */
static void write_line(FILE *f, enum what k, uint64_t n)
{
    struct value v;
    make(k, n, &v);
    if (k == DOMAIN)
        domain(&v, n, false);
    if (k == CIDR)
        block(&v, n, false);
    if (k == IP || k == CIDR)
        fprintf(f, "%u.%u.%u.%u%s\n", v.bytes[0], v.bytes[1], v.bytes[2], v.bytes[3],
                k == CIDR ? "/24" : "");
    else if (k == DOMAIN || k == URL)
        fprintf(f, "%.*s\n", (int)v.len, (const char *)v.bytes);
    else {
        for (size_t i = 0; i < v.len; i++)
            fprintf(f, "%02x", v.bytes[i]);
        fputc('\n', f);
    }
}

/* --- measuring ----------------------------------------------------------------------------------
 */
static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench intel: %s failed\n", what);
    exit(1);
}

static double since(uint64_t begin)
{
    return (double)(hm_clock_mono_ns() - begin) / 1e9;
}

/* This thread's time on the processor: others on the machine do not count, but they do take cache.
 */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t rss(const char *what)
{
    char line[128];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0)
            sscanf(line + strlen(what), " %llu", &kb);
    if (f)
        fclose(f);
    return kb;
}

static void line(const char *metric, double value, const char *unit, double budget,
                 const char *more)
{
    printf("{\"bench\":\"intel\",\"metric\":\"%s\",\"value\":%.1f,\"unit\":\"%s\"", metric, value,
           unit);
    if (budget > 0)
        printf(",\"budget\":%.0f,\"ok\":%s", budget, value <= budget ? "true" : "false");
    printf("%s%s}\n", more[0] ? "," : "", more);
    fflush(stdout);
}

static void look_up(const struct hm_intel *i, enum what k, uint64_t count, bool present,
                    const char *suffix)
{
    struct value *keys = malloc(LOOKUPS * sizeof *keys);
    char metric[64], more[96];
    size_t hits = 0;
    must(keys != NULL, "memory");
    for (uint64_t n = 0; n < LOOKUPS; n++)
        make(k, (mix(n ^ (uint64_t)k << 50) % count) + (present ? 0 : UINT64_C(1) << 33), &keys[n]);
    uint64_t begin = cpu_ns();
    for (size_t n = 0; n < LOOKUPS; n++)
        hits +=
            hm_intel_find(i, whats[k].kind, hm_slice(keys[n].bytes, keys[n].len), NOW, NULL, NULL);
    double ns = (double)(cpu_ns() - begin) / LOOKUPS;
    snprintf(metric, sizeof metric, "lookup_%s_%s%s", whats[k].name, present ? "hit" : "miss",
             suffix);
    snprintf(more, sizeof more, "\"hits\":%zu,\"lookups\":%d", hits, LOOKUPS);
    line(metric, ns, "ns", BUDGET_NS, more);
    must(!present || hits >= LOOKUPS, "finding what is there");
    must(present || k == CIDR || k == IP || hits < LOOKUPS / 100, "missing what is not there");
    free(keys);
}

/* What this machine takes now for one read that nobody foresaw, in as much memory as the set has:
 * a look-up that hits does two of them. */
static void random_read(void)
{
    size_t count = (size_t)160 << 20 >> 3, at = 0;
    uint64_t *p = mmap(NULL, count * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED, "memory");
    madvise(p, count * 8, MADV_HUGEPAGE);
    for (size_t i = 0; i < count; i++)
        p[i] = mix(i) % count;
    uint64_t begin = cpu_ns();
    for (int n = 0; n < LOOKUPS; n++)
        at = (p[at] + (size_t)n) % count;
    double ns = (double)(cpu_ns() - begin) / LOOKUPS;
    __asm__ volatile("" ::"r"(at)); /* it was needed */
    line("machine_random_read", ns, "ns", 0, "\"what\":\"dependent, 160 MiB, huge pages\"");
    munmap(p, count * 8);
}

/* --- peers --------------------------------------------------------------------------------------
 */
static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void peers(uint64_t count)
{
    uint8_t *all = malloc(count * 32);
    struct value v;
    size_t found = 0;
    must(all != NULL, "memory");
    for (uint64_t n = 0; n < count; n++) {
        make(SHA256, n, &v);
        memcpy(all + n * 32, v.bytes, 32);
    }
    qsort(all, count, 32, compare);
    uint64_t begin = cpu_ns(), making = 0;
    for (uint64_t n = 0; n < LOOKUPS; n++) {
        make(SHA256, mix(n) % count, &v);
        found += bsearch(v.bytes, all, count, 32, compare) != NULL;
    }
    double ns = (double)(cpu_ns() - begin) / LOOKUPS;
    begin = cpu_ns();
    for (uint64_t n = 0; n < LOOKUPS; n++) {
        make(SHA256, mix(n) % count, &v);
        making += v.bytes[0];
    }
    ns -= (double)(cpu_ns() - begin) / LOOKUPS;
    must(found == LOOKUPS && making, "bsearch");
    line("peer_bsearch_sha256_hit", ns, "ns", 0, "\"peer\":\"sorted array, values only\"");
    free(all);
}

static void peer_sqlite(uint64_t count)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *put = NULL, *get = NULL;
    struct value v;
    size_t found = 0;
    char more[128];
    must(sqlite3_open(":memory:", &db) == SQLITE_OK, "sqlite");
    sqlite3_exec(db, "CREATE TABLE i(k BLOB PRIMARY KEY, d INTEGER) WITHOUT ROWID; BEGIN", 0, 0, 0);
    must(sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO i VALUES(?,1)", -1, &put, NULL) == SQLITE_OK,
         "sqlite");
    for (uint64_t n = 0; n < count; n++) {
        make(SHA256, n, &v);
        sqlite3_bind_blob(put, 1, v.bytes, 32, SQLITE_STATIC);
        must(sqlite3_step(put) == SQLITE_DONE, "sqlite");
        sqlite3_reset(put);
    }
    sqlite3_exec(db, "COMMIT", 0, 0, 0);
    must(sqlite3_prepare_v2(db, "SELECT d FROM i WHERE k=?", -1, &get, NULL) == SQLITE_OK,
         "sqlite");
    uint64_t begin = cpu_ns();
    for (uint64_t n = 0; n < LOOKUPS / 5; n++) {
        make(SHA256, mix(n) % count, &v);
        sqlite3_bind_blob(get, 1, v.bytes, 32, SQLITE_STATIC);
        found += sqlite3_step(get) == SQLITE_ROW;
        sqlite3_reset(get);
    }
    double ns = (double)(cpu_ns() - begin) / (LOOKUPS / 5);
    snprintf(more, sizeof more,
             "\"peer\":\"SQLite %s, in memory, %llu rows\",\"bytes_per_row\":%.0f",
             sqlite3_libversion(), (unsigned long long)count,
             (double)sqlite3_memory_used() / (double)count);
    must(found == LOOKUPS / 5, "sqlite");
    line("peer_sqlite_sha256_hit", ns, "ns", 0, more);
    sqlite3_finalize(put);
    sqlite3_finalize(get);
    sqlite3_close(db);
}

/* --- the set ------------------------------------------------------------------------------------
 */
static int to_file(void *ctx, struct hm_slice piece)
{
    return fwrite(piece.p, 1, piece.len, ctx) == piece.len ? 0 : -EIO;
}

static FILE *temporary(void)
{
    char path[] = "/tmp/hm-bench-intel-XXXXXX";
    int fd = mkstemp(path);
    must(fd >= 0, "temporary file");
    unlink(path); /* gone whatever happens */
    FILE *f = fdopen(fd, "w+b");
    must(f != NULL, "temporary file");
    return f;
}

static uint64_t count_of(uint64_t total, enum what k)
{
    return total * whats[k].percent / 100;
}

static struct hm_intel_builder *import(uint64_t total, double *ret_s, double *ret_mb)
{
    FILE *feed = temporary();
    struct stat st;
    for (int k = 0; k < WHATS; k++)
        for (uint64_t n = 0; n < count_of(total, (enum what)k); n++)
            write_line(feed, (enum what)k, n);
    must(fflush(feed) == 0 && fstat(fileno(feed), &st) == 0, "feed");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fileno(feed), 0);
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 0x5eed);
    struct hm_intel_feed how = {.format = HM_INTEL_FORMAT_LIST, .source = "bench"};
    struct hm_intel_report rep = {0};
    must(p != MAP_FAILED && b, "memory");
    uint64_t begin = hm_clock_mono_ns();
    must(hm_intel_import(b, hm_slice(p, (size_t)st.st_size), &how, NOW, NULL, NULL, &rep, NULL) ==
             0,
         "import");
    *ret_s = since(begin);
    *ret_mb = (double)st.st_size / 1e6;
    must(rep.outcomes[HM_INTEL_MALFORMED] == 0, "feed of good values");
    munmap(p, (size_t)st.st_size);
    fclose(feed);
    return b;
}

static struct hm_intel *build(struct hm_intel_builder *b, enum hm_intel_form form, FILE *f)
{
    struct hm_intel *i = NULL;
    uint64_t duplicates = 0;
    uint64_t begin = hm_clock_mono_ns();
    must(hm_intel_build(b, form, to_file, f, &duplicates) == 0 && fflush(f) == 0, "build");
    line(form == HM_INTEL_FULL ? "build" : "build_compact", since(begin), "s", 0, "");
    begin = hm_clock_mono_ns();
    must((form == HM_INTEL_FULL ? hm_intel_load : hm_intel_map)(fileno(f), &i, NULL) == 0, "map");
    line(form == HM_INTEL_FULL ? "load" : "load_compact", since(begin), "s", 0,
         form == HM_INTEL_FULL ? "\"what\":\"read, checksum\"" : "\"what\":\"map, checksum\"");
    return i;
}

static void sizes(const struct hm_intel *i, const char *suffix, double budget)
{
    struct hm_intel_stats s = hm_intel_stats(i);
    char metric[64], more[160];
    snprintf(metric, sizeof metric, "set%s", suffix);
    snprintf(more, sizeof more,
             "\"indicators\":%llu,\"bytes_per_indicator\":%.1f,\"filter_mib\":%.1f",
             (unsigned long long)s.count, (double)s.bytes / (double)s.count,
             (double)s.filter_bytes / 1048576);
    line(metric, (double)s.bytes / 1048576, "MiB", budget, more);
}

static void false_positives(const struct hm_intel *i)
{
    struct value v;
    double passed = 0;
    for (uint64_t n = 0; n < LOOKUPS; n++) {
        make(SHA256, n + (UINT64_C(1) << 34), &v);
        passed += hm_intel_filter_passes(i, HM_INTEL_SHA256, hm_slice(v.bytes, v.len));
    }
    line("filter_false_positive", passed / LOOKUPS * 100, "percent", 0, "");
}

static void all_lookups(const struct hm_intel *i, uint64_t total, const char *suffix)
{
    for (int k = 0; k < WHATS; k++)
        for (int present = 1; present >= 0; present--)
            look_up(i, (enum what)k, count_of(total, (enum what)k), present, suffix);
}

static void compact(uint64_t total)
{
    FILE *f = temporary();
    double s, mb;
    struct hm_intel *i = build(import(total, &s, &mb), HM_INTEL_COMPACT, f);
    sizes(i, "_compact", 0);
    all_lookups(i, total, "_compact");
    hm_intel_free(i);
    fclose(f);
}

/* --- path patterns ------------------------------------------------------------------------------
 */
#define PATTERNS "../shared/corpus/intel/signature-base/filename-iocs.txt"
static void path_patterns(void)
{
    static const char *const paths[] = {
        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
        "/home/hanako/src/project/build/src/detect/indicator/lookup.c.o",
        "/var/lib/dpkg/info/linux-image-amd64.postinst",
        "/tmp/cc8s0xYz.s",
        "/home/hanako/.cache/mozilla/firefox/k3j2.default/cache2/entries/3F2A9C",
        "/etc/systemd/system/multi-user.target.wants/cron.service"};
    struct stat st;
    int fd = open(PATTERNS, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fprintf(stderr, "bench intel: no path patterns: the corpus is not beside this checkout\n");
        return;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 1);
    struct hm_intel_feed how = {.format = HM_INTEL_FORMAT_FILENAMES};
    struct hm_intel_report rep = {0};
    struct hm_intel *i = NULL;
    char more[128];
    must(p != MAP_FAILED && b, "memory");
    must(!hm_intel_import(b, hm_slice(p, (size_t)st.st_size), &how, NOW, NULL, NULL, &rep, NULL),
         "import");
    uint64_t begin = hm_clock_mono_ns();
    must(!hm_intel_build_memory(b, HM_INTEL_COMPACT, NULL, &i), "build");
    line("patterns_build_and_compile", since(begin), "s", 0, "");
    begin = cpu_ns();
    for (size_t n = 0; n < LOOKUPS / 5; n++) {
        const char *path = paths[n % HM_ARRAY_LEN(paths)];
        hm_intel_find(i, HM_INTEL_REGEX, hm_slice(path, strlen(path)), NOW, NULL, NULL);
    }
    struct hm_intel_stats s = hm_intel_stats(i);
    snprintf(more, sizeof more, "\"patterns\":%llu,\"heap_mib\":%.1f",
             (unsigned long long)s.kinds[HM_INTEL_REGEX], (double)s.regex_bytes / 1048576);
    line("path_patterns", (double)(cpu_ns() - begin) / (LOOKUPS / 5), "ns", 0, more);
    hm_intel_free(i);
    hm_intel_builder_free(b);
    munmap(p, (size_t)st.st_size);
    close(fd);
}

int main(int argc, char **argv)
{
    uint64_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
    double s = 0, mb = 0;
    char more[96];
    FILE *f = temporary();
    struct hm_intel_builder *b = import(total, &s, &mb);
    snprintf(more, sizeof more, "\"feed_mb\":%.0f,\"indicators_per_s\":%.0f", mb,
             (double)total / s);
    line("import", s, "s", 0, more);
    struct hm_intel *i = build(b, HM_INTEL_FULL, f);
    hm_intel_builder_free(b);
    line("peak_rss_import_and_build", (double)rss("VmHWM:") / 1024, "MiB", 0, "");
    sizes(i, "", BUDGET_MB);
    false_positives(i);
    all_lookups(i, total, "");
    line("rss_after_lookups", (double)rss("VmRSS:") / 1024, "MiB", BUDGET_MB, "");
    hm_intel_free(i);
    fclose(f);
    compact(total);
    random_read();
    peers(count_of(total, SHA256));
    peer_sqlite(count_of(total, SHA256) / 2);
    path_patterns();
    return 0;
}
