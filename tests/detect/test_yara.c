/* YARA: what compiles and what is refused, what a scan sees of honest and of hostile files, and
 * what travels. libyara is the real one. */
#include "base/clock.h"
#include "detect/yara/folder.h"
#include "detect/yara/hits.h"
#include "detect/yara/maps.h"
#include "detect/yara/yara.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct told {
    size_t errors, warnings;
    uint32_t line;
    char text[256], rule[64];
};

static void tell(void *ctx, const struct hm_yara_problem *p)
{
    struct told *t = ctx;
    t->warnings += p->warning;
    if (p->warning || t->errors++)
        return;
    t->line = p->line;
    snprintf(t->text, sizeof t->text, "%s", p->text);
    snprintf(t->rule, sizeof t->rule, "%s", p->rule);
}

static struct hm_yara_rules *compile(const char *text)
{
    struct told told = {0};
    struct hm_error err = {0};
    struct hm_yara_rules *rules = NULL;
    struct hm_yara_compiler *c = hm_yara_compiler_new(tell, &told);
    assert_non_null(c);
    if (hm_yara_compiler_add(c, "test.yar", hm_slice_str(text)) < 0)
        fail_msg("line %u: %s", told.line, told.text);
    assert_int_equal(hm_yara_compiler_done(c, &rules, &err), 0);
    hm_yara_compiler_free(c);
    return rules;
}

/* ---- compiling ---- */

static void a_bad_file_is_named_and_the_others_load(void **state)
{
    static const struct {
        const char *name, *text, *words;
        uint32_t line;
    } bad[] = {
        {"syntax", "rule a { condition: true }\nrule b {\n  condition: tru\n}", "undefined", 3},
        {"unterminated", "rule a {\n strings: $a = \"x\n condition: $a }", "unterminated", 3},
        {"include", "include \"/etc/passwd\"", "include is not supported", 1},
        {"module", "\nimport \"magic\"\nrule a { condition: magic.type() == \"x\" }",
         "not built in", 2},
        {"cuckoo", "import \"cuckoo\"\nrule a { condition: true }", "not built in", 1},
        {"twice", "rule a { condition: true }\nrule a { condition: false }", "duplicated", 2},
        {"unreferenced", "rule a { strings: $x = \"abc\" condition: true }", "unreferenced", 1},
        {"regex", "rule a { strings: $x = /a(/ condition: $x }", "", 1},
        {"binary", "\x01\x02\x03", "", 1},
    };
    struct hm_error err = {0};
    struct hm_yara_rules *rules = NULL;
    struct told told = {0};
    struct hm_yara_compiler *c = hm_yara_compiler_new(tell, &told);
    for (size_t i = 0; i < HM_ARRAY_LEN(bad); i++) {
        char good[64];
        told = (struct told){0};
        assert_int_equal(hm_yara_compiler_add(c, bad[i].name, hm_slice_str(bad[i].text)), -EINVAL);
        if (!told.errors || told.line != bad[i].line || !strstr(told.text, bad[i].words))
            fail_msg("%s: line %u: %s", bad[i].name, told.line, told.text);
        snprintf(good, sizeof good, "good-%zu", i);
        assert_int_equal(hm_yara_compiler_add(c, good, hm_slice_str("rule a { condition: true }")),
                         0);
    }
    assert_int_equal(hm_yara_compiler_done(c, &rules, &err), 0);
    hm_yara_compiler_free(c);
    assert_int_equal(hm_yara_rules_count(rules), HM_ARRAY_LEN(bad));
    hm_yara_rules_free(rules);
}

static void ceilings_are_told(void **state)
{
    struct told told = {0};
    struct hm_yara_compiler *c = hm_yara_compiler_new(tell, &told);
    char *large = malloc(HM_YARA_FILE_MAX_BYTES + 1);
    memset(large, ' ', HM_YARA_FILE_MAX_BYTES + 1);
    assert_int_equal(hm_yara_compiler_add(c, "large", hm_slice(large, HM_YARA_FILE_MAX_BYTES + 1)),
                     -EINVAL);
    assert_non_null(strstr(told.text, "4 MiB"));
    assert_int_equal(hm_yara_compiler_add(c, "nul", hm_slice("rule a\0", 7)), -EINVAL);
    /* More strings in a rule than one may have. */
    struct hm_buf b = HM_BUF(HM_YARA_FILE_MAX_BYTES);
    hm_buf_puts(&b, "rule many { strings:\n");
    for (int i = 0; i <= HM_YARA_RULE_STRINGS; i++)
        hm_buf_printf(&b, "$s%d = \"string %d\"\n", i, i);
    hm_buf_puts(&b, "condition: any of them }");
    told = (struct told){0};
    assert_int_equal(hm_yara_compiler_add(c, "many", hm_buf_slice(&b)), -EINVAL);
    assert_int_equal(told.errors > 0, 1);
    hm_buf_done(&b);
    free(large);
    hm_yara_compiler_free(c);
}

/* Expressions that would explode in another engine end in bounded time, refused or compiled. */
static void hostile_expressions_end(void **state)
{
    static const char *const texts[] = {
        "rule a { strings: $a = /(((((a{1,999}){1,999}){1,999}){1,999}){1,999}){1,999}/ condition: "
        "$a }",
        "rule a { strings: $a = /(a|b|c|d|e|f|g)*(a|b|c|d|e|f|g)*(a|b|c|d|e|f|g)*x/ condition: $a "
        "}",
        "rule a { strings: $a = { 01 [0-] 02 [0-] 03 [0-] 04 [0-] 05 } condition: $a }",
        "rule a { strings: $a = { (01|02|(03|04|(05|06|(07|08)))) ?? ?? ?? 99 } condition: $a }",
        "rule a { condition: for all i in (1..1000000000) : (i > 0) }",
    };
    uint64_t began = hm_clock_mono_ns();
    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++) {
        struct told told = {0};
        struct hm_yara_compiler *c = hm_yara_compiler_new(tell, &told);
        int r = hm_yara_compiler_add(c, "hostile", hm_slice_str(texts[i]));
        assert_true(r == 0 || (r == -EINVAL && told.errors));
        hm_yara_compiler_free(c);
    }
    assert_true(hm_clock_mono_ns() - began < 20ull * 1000000000);
}

struct corpus {
    struct hm_yara_compiler *c;
    size_t files;
};

static int add_corpus_file(void *ctx, const char *path, int fd)
{
    struct corpus *k = ctx;
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char *text = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    assert_int_equal(hm_yara_compiler_add(k->c, path, hm_slice(text, (size_t)st.st_size)), 0);
    free(text);
    k->files++;
    return 0;
}

static void the_whole_corpus_compiles(void **state)
{
    struct told told = {0};
    struct hm_error err = {0};
    struct hm_yara_rules *rules = NULL;
    hm_autoclose int dir = open(HM_CORPUS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        print_message("skipped: the YARA corpus is not beside this checkout\n");
        skip();
    }
    struct corpus k = {hm_yara_compiler_new(tell, &told), 0};
    assert_int_equal(hm_yara_folder_each(dir, add_corpus_file, &k), 0);
    assert_int_equal(hm_yara_compiler_done(k.c, &rules, &err), 0);
    hm_yara_compiler_free(k.c);
    assert_int_equal(told.errors, 0);
    assert_int_equal(k.files, 274);
    assert_true(hm_yara_rules_count(rules) >= 1200);
    hm_yara_rules_free(rules);
}

/* ---- scanning ---- */

static int temp_file(const void *bytes, size_t len)
{
    char name[] = "/tmp/hm-yara-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    if (len)
        assert_int_equal(write(fd, bytes, len), len);
    return fd;
}

static struct hm_yara_result scan(const struct hm_yara_rules *rules, int fd, const char *path,
                                  int expect)
{
    struct hm_yara_scanner *s = hm_yara_scanner_new();
    struct hm_yara_subject subject = {.fd = fd, .path = path};
    struct hm_yara_result out = {0};
    assert_non_null(s);
    int r = hm_yara_scan(s, rules, &subject, &out);
    if (r != expect)
        fail_msg("scan gave %d, not %d", r, expect);
    hm_yara_scanner_free(s);
    return out;
}

static bool matches(const struct hm_yara_rules *rules, int fd, const char *path)
{
    struct hm_yara_result out = scan(rules, fd, path, 0);
    hm_buf_done(&out.hits);
    return out.hit_count > 0;
}

static void a_match_tells_words_and_places(void **state)
{
    struct hm_yara_rules *rules =
        compile("rule marker : tag T1505_003 { meta: description = \"d\" severity = \"critical\" "
                "score = 80 mitre_attack = \"T1059.004, t1059.004, XT1000, T12345\"\n"
                "strings: $a = \"MARKER\" $b = \"absent\" condition: any of them and #a == 2 }");
    int fd = temp_file("..MARKER..MARKER", 16);
    struct hm_yara_result out = scan(rules, fd, "/tmp/x.sh", 0);
    struct hm_cursor in = hm_cursor(hm_buf_slice(&out.hits));
    struct hm_yara_hit h;
    struct hm_buf text = HM_BUF(1024);
    assert_int_equal(out.hit_count, 1);
    assert_int_equal(out.cut, 0);
    assert_int_equal(out.scanned, 16);
    assert_int_equal(hm_yara_hit_next(&in, &h), 1);
    assert_true(hm_slice_eq(h.rule, hm_slice_str("marker")));
    assert_true(hm_slice_eq(h.space, hm_slice_str("test.yar")));
    assert_int_equal(hm_yara_hit_severity(&h), 5);
    assert_true(hm_slice_eq(hm_yara_hit_meta(&h, "absent description"), hm_slice_str("d")));
    hm_yara_hit_places(&h, &text);
    assert_true(hm_slice_eq(hm_buf_slice(&text), hm_slice_str("$a at 0x2, 0xa")));
    hm_buf_clear(&text);
    hm_yara_hit_techniques(&h, &text);
    assert_true(hm_slice_eq(hm_buf_slice(&text), hm_slice_str("T1059.004,T1505.003")));
    assert_int_equal(hm_yara_hit_next(&in, &h), 0);
    hm_buf_done(&text);
    hm_buf_done(&out.hits);
    close(fd);
    hm_yara_rules_free(rules);
}

static void external_variables_have_their_values(void **state)
{
    struct hm_yara_rules *rules = compile(
        "rule a { condition: filename == \"x.php\" and filepath == \"/var/www/x.php\" and "
        "extension == \".php\" and filetype == \"ELF\" and md5 == \"\" and owner == \"\" }");
    int fd = temp_file("\x7f"
                       "ELF....",
                       8);
    assert_true(matches(rules, fd, "/var/www/x.php"));
    assert_false(matches(rules, fd, "/var/www/y.php"));
    assert_false(matches(rules, fd, ""));
    close(fd);
    hm_yara_rules_free(rules);
}

static void put_at(int fd, const char *text, uint64_t at)
{
    assert_int_equal(pwrite(fd, text, strlen(text), (off_t)at), strlen(text));
}

/* A string is found wherever it stands, over every border of blocks; what is not read is said. */
static void large_files_are_read_in_windows(void **state)
{
    struct hm_yara_rules *rules =
        compile("rule a { strings: $a = \"MARKER-OF-OURS\" condition: $a }"
                "rule b { condition: uint32(20971520) == 0x4b52414d }");
    const uint64_t head = HM_YARA_HEAD_BYTES, window = HM_YARA_WINDOW_BYTES;
    const struct {
        uint64_t size, at;
        bool found, cut;
    } rows[] = {
        {head, head - 14, true, false},
        {head + 7, head - 7, true, false},
        {head + window, head - 7, true, false},
        {3 * head, head + window - HM_YARA_OVERLAP_BYTES - 7, true, false},
        {3 * head, 3 * head - 14, true, false},
        {HM_YARA_SCAN_BYTES, HM_YARA_SCAN_BYTES - 14, true, false},
        {HM_YARA_SCAN_BYTES * 4, HM_YARA_SCAN_BYTES * 4 - 14, true, true},
        {HM_YARA_SCAN_BYTES * 4, HM_YARA_SCAN_BYTES * 2, false, true},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        int fd = temp_file(NULL, 0);
        assert_int_equal(ftruncate(fd, (off_t)rows[i].size), 0);
        put_at(fd, "MARKER-OF-OURS", rows[i].at);
        struct hm_yara_result out = scan(rules, fd, "", 0);
        if ((out.hit_count > 0) != rows[i].found || !!(out.cut & HM_YARA_CUT_SIZE) != rows[i].cut)
            fail_msg("row %zu: %u hits, cut %u", i, out.hit_count, out.cut);
        assert_int_equal(out.size, rows[i].size);
        hm_buf_done(&out.hits);
        close(fd);
    }
    int fd = temp_file(NULL, 0); /* a condition reads behind the first block */
    assert_int_equal(ftruncate(fd, 30 << 20), 0);
    put_at(fd, "MARK", 20971520);
    assert_true(matches(rules, fd, ""));
    close(fd);
    hm_yara_rules_free(rules);
}

/* A string in parts: found over a border, and not made up of parts that stand far from each other.
 */
static void parts_of_a_string_belong_together(void **state)
{
    struct hm_yara_rules *rules = compile(
        "rule a { strings: $a = { 41 42 43 44 45 [300-8000] 46 47 48 49 4A } condition: $a }");
    const uint64_t head = HM_YARA_HEAD_BYTES;
    const struct {
        uint64_t first, last;
        bool found;
    } rows[] = {
        {1000, 5000, true},
        {head - 1000, head + 500, true},
        {1000, head - HM_YARA_OVERLAP_BYTES + 5000, false}, /* 4,000 apart within their blocks */
        {1000, head + 8000, false},
        {head - 9000, head + 500, false},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        int fd = temp_file(NULL, 0);
        assert_int_equal(ftruncate(fd, (off_t)head + HM_YARA_WINDOW_BYTES), 0);
        put_at(fd, "ABCDE", rows[i].first);
        put_at(fd, "FGHIJ", rows[i].last);
        if (matches(rules, fd, "") != rows[i].found)
            fail_msg("row %zu", i);
        close(fd);
    }
    hm_yara_rules_free(rules);
}

static void what_is_no_file_is_refused(void **state)
{
    struct hm_yara_rules *rules = compile("rule a { condition: true }");
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    (void)scan(rules, fds[0], "", -EINVAL);
    close(fds[0]);
    close(fds[1]);
    int dir = open("/", O_RDONLY | O_DIRECTORY);
    (void)scan(rules, dir, "", -EINVAL);
    close(dir);
    hm_yara_rules_free(rules);
}

struct churn {
    int fd;
    bool stop, shrink;
};

static void *churn_main(void *arg)
{
    struct churn *c = arg;
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    for (int i = 0; !__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE); i++) {
        if (c->shrink && i % 16 == 0)
            assert_int_equal(ftruncate(c->fd, i % 32 ? 100 : 32 << 20), 0);
        else
            (void)!write(c->fd, piece, sizeof piece);
        usleep(50);
    }
    return NULL;
}

/* Truncation kills a mapping's reader; ours reads, and says that something went away. */
static void a_file_that_changes_under_us_ends_cleanly(void **state)
{
    struct hm_yara_rules *rules = compile("rule a { strings: $a = \"MARKER\" condition: $a }");
    for (int shrink = 0; shrink <= 1; shrink++) {
        struct churn c = {temp_file(NULL, 0), false, shrink};
        pthread_t t;
        assert_int_equal(ftruncate(c.fd, 32 << 20), 0);
        lseek(c.fd, 0, SEEK_END);
        assert_int_equal(pthread_create(&t, NULL, churn_main, &c), 0);
        for (int i = 0; i < 5; i++) {
            struct hm_yara_result out = scan(rules, c.fd, "", 0);
            assert_int_equal(out.hit_count, 0);
            assert_true(out.scanned <= out.size || out.cut);
            hm_buf_done(&out.hits);
        }
        __atomic_store_n(&c.stop, true, __ATOMIC_RELEASE);
        pthread_join(t, NULL);
        close(c.fd);
    }
    hm_yara_rules_free(rules);
}

/* Headers that promise what is not there: the modules read them, we live. */
static void broken_programs_are_survived(void **state)
{
    struct hm_yara_rules *rules = compile(
        "import \"pe\" import \"elf\" import \"math\" import \"hash\" import \"dotnet\"\n"
        "rule a { condition: pe.number_of_sections > 100 or elf.number_of_sections > 60000 or "
        "pe.imphash() == \"x\" or pe.exports(\"y\") or dotnet.number_of_streams > 5 or "
        "math.entropy(0, filesize) > 9.0 or hash.md5(0, filesize) == \"z\" or "
        "uint32(0xfffffff0) == 7 }");
    char exe[64 * 1024];
    hm_autoclose int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(self, exe, sizeof exe);
    assert_true(n > 1000);
    for (size_t len = 0; len < 2048; len += 37) {
        int fd = temp_file(exe, len);
        assert_false(matches(rules, fd, "elf"));
        close(fd);
    }
    memset(exe, 0xff, 4096);
    memcpy(exe, "MZ", 2);
    for (uint8_t lfanew = 0; lfanew < 0xf0; lfanew += 16) {
        memset(exe + 0x3c, 0, 4);
        exe[0x3c] = (char)lfanew;
        memcpy(exe + lfanew, "PE\0\0\x4c\x01", 6);
        int fd = temp_file(exe, 4096);
        (void)matches(rules, fd, "pe"); /* either way: alive */
        close(fd);
        memcpy(exe, "MZ", 2);
    }
    hm_yara_rules_free(rules);
}

static void time_is_bounded_and_said(void **state)
{
    struct hm_yara_rules *rules =
        compile("rule a { condition: for all i in (1..1000000000000) : (uint8(0) == 0) }");
    int fd = temp_file("\0", 1);
    uint64_t began = hm_clock_mono_ns();
    struct hm_yara_result out = scan(rules, fd, "", -ETIME);
    assert_true(out.cut & HM_YARA_CUT_TIME);
    assert_int_equal(out.hit_count, 0);
    assert_true(hm_clock_mono_ns() - began < (HM_YARA_SCAN_SECONDS + 3) * 1000000000ull);
    hm_buf_done(&out.hits);
    close(fd);
    hm_yara_rules_free(rules);
}

static void many_matching_rules_are_cut(void **state)
{
    struct hm_buf b = HM_BUF(1 << 20);
    for (int i = 0; i < HM_YARA_HITS_MAX + 5; i++)
        hm_buf_printf(&b, "rule r%d { condition: true }\n", i);
    hm_buf_put_u8(&b, 0);
    struct hm_yara_rules *rules = compile((const char *)b.data);
    int fd = temp_file("x", 1);
    struct hm_yara_result out = scan(rules, fd, "", 0);
    assert_int_equal(out.hit_count, HM_YARA_HITS_MAX);
    assert_true(out.cut & HM_YARA_CUT_HITS);
    hm_buf_done(&out.hits);
    hm_buf_done(&b);
    close(fd);
    hm_yara_rules_free(rules);
}

/* ---- memory ---- */

static size_t regions_of(pid_t pid, struct hm_yara_region *ret, size_t max)
{
    char path[64];
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(HM_YARA_MAPS_BYTES);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        hm_buf_put(&text, piece, (size_t)n);
    return hm_yara_maps(hm_buf_slice(&text), ret, max);
}

static pid_t child_with_marker(void)
{
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < 14; i++) /* the marker stands in this memory only */
            p[4096 + i] = (char)("NBSLFS.PG.PVST"[i] - 1);
        close(ready[0]);
        (void)!write(ready[1], "r", 1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void a_process_is_scanned_and_may_die_meanwhile(void **state)
{
    struct hm_yara_rules *rules = compile(
        "rule a { strings: $a = { 4D 41 52 4B 45 52 2D 4F 46 2D 4F 55 52 53 } condition: $a "
        "}");
    struct hm_yara_region regions[HM_YARA_REGIONS_MAX];
    char path[64];
    pid_t pid = child_with_marker();
    size_t n = regions_of(pid, regions, HM_ARRAY_LEN(regions));
    assert_true(n > 3);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct hm_yara_scanner *s = hm_yara_scanner_new();
    struct hm_yara_subject subject = {.fd = fd, .path = "", .regions = regions, .region_count = n};
    struct hm_yara_result out = {0};
    assert_int_equal(hm_yara_scan(s, rules, &subject, &out), 0);
    assert_int_equal(out.hit_count, 1);
    hm_buf_done(&out.hits);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(hm_yara_scan(s, rules, &subject, &out), 0);
    assert_int_equal(out.hit_count, 0);
    assert_int_equal(out.scanned, 0);
    assert_true(out.cut & HM_YARA_CUT_GONE);
    hm_buf_done(&out.hits);
    hm_yara_scanner_free(s);
    close(fd);
    hm_yara_rules_free(rules);
}

static void mappings_are_ranked_and_devices_left_alone(void **state)
{
    static const char text[] =
        "1000-2000 r--p 00000000 08:01 1 /lib/x.so\n"
        "2000-3000 r-xp 00000000 08:01 1 /lib/x.so\n"
        "3000-4000 rw-p 00000000 00:00 0 [heap]\n"
        "4000-5000 rwxp 00000000 00:00 0 \n"
        "5000-6000 r-xp 00000000 00:01 9 /memfd:x (deleted)\n"
        "6000-7000 rw-s 00000000 00:05 9 /dev/dri/card0\n"
        "7000-8000 r-xp 00000000 00:00 0 [vdso]\n"
        "8000-9000 ---p 00000000 00:00 0 \n"
        "garbage\n9000-8000 rw-p 0 0:0 0\n-\nffffffffffffffff0-1 rw-p 0 0:0 0\n"
        "a000-b000 rw-s 00000000 00:05 9 /dev/shm/x";
    static const uint64_t expected[] = {0x4000, 0x5000, 0x3000, 0x2000, 0x1000, 0xa000};
    struct hm_yara_region r[16];
    assert_int_equal(hm_yara_maps(hm_slice_str(text), r, 16), HM_ARRAY_LEN(expected));
    for (size_t i = 0; i < HM_ARRAY_LEN(expected); i++)
        assert_int_equal(r[i].base, expected[i]);
    assert_int_equal(hm_yara_maps(hm_slice_str(text), r, 2), 2);
    assert_int_equal(hm_yara_maps(hm_slice_str(""), r, 2), 0);
}

/* ---- what travels ---- */

static void hits_survive_nothing_but_themselves(void **state)
{
    struct hm_yara_hit h = {.rule = hm_slice_str("r"), .space = hm_slice_str("n"), .meta_count = 1};
    h.metas[0] = (struct hm_yara_meta){hm_slice_str("score"), hm_slice_str("60")};
    h.string_count = 1;
    h.strings[0] = (struct hm_yara_found){hm_slice_str("$a"), 9, 1, {77}};
    struct hm_buf b = HM_BUF(4096);
    hm_yara_hit_put(&h, &b);
    for (size_t cut = 1; cut < b.len; cut++) {
        struct hm_cursor in = hm_cursor(hm_slice(b.data, cut));
        struct hm_yara_hit got;
        assert_int_equal(hm_yara_hit_next(&in, &got), -EBADMSG);
    }
    struct hm_cursor in = hm_cursor(hm_buf_slice(&b));
    struct hm_yara_hit got;
    assert_int_equal(hm_yara_hit_next(&in, &got), 1);
    assert_int_equal(hm_yara_hit_severity(&got), 3);
    assert_int_equal(got.strings[0].offsets[0], 77);
    hm_buf_done(&b);
}

static int begin(void **state)
{
    return hm_yara_begin(NULL);
}

static int end(void **state)
{
    hm_yara_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_file_is_named_and_the_others_load),
        cmocka_unit_test(ceilings_are_told),
        cmocka_unit_test(hostile_expressions_end),
        cmocka_unit_test(the_whole_corpus_compiles),
        cmocka_unit_test(a_match_tells_words_and_places),
        cmocka_unit_test(external_variables_have_their_values),
        cmocka_unit_test(large_files_are_read_in_windows),
        cmocka_unit_test(parts_of_a_string_belong_together),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_file_that_changes_under_us_ends_cleanly),
        cmocka_unit_test(broken_programs_are_survived),
        cmocka_unit_test(time_is_bounded_and_said),
        cmocka_unit_test(many_matching_rules_are_cut),
        cmocka_unit_test(a_process_is_scanned_and_may_die_meanwhile),
        cmocka_unit_test(mappings_are_ranked_and_devices_left_alone),
        cmocka_unit_test(hits_survive_nothing_but_themselves),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
