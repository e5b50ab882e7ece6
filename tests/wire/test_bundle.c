/* Content bundles: what was written is read; whatever was altered is refused with words. */
#include "wire/bundle.h"
#include "wire/order.h"
#include "base/cursor.h"
#include "base/compress.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct memory {
    struct hm_buf body;
    struct hm_cursor c;
    char seen[4096]; /* "path=bytes;" of every complete part */
    char path[HM_BUNDLE_PATH_MAX + 1];
    uint64_t size, parts;
};

static int put(void *ctx, struct hm_slice s)
{
    struct memory *m = ctx;
    hm_buf_put(&m->body, s.p, s.len);
    return m->body.error;
}

static int get(void *ctx, void *p, size_t len)
{
    struct memory *m = ctx;
    struct hm_slice s = hm_cursor_take(&m->c, len);
    if (m->c.error)
        return -ENODATA;
    memcpy(p, s.p, len);
    return 0;
}

static int begin(void *ctx, const struct hm_bundle_part *p)
{
    struct memory *m = ctx;
    snprintf(m->path, sizeof m->path, "%s", p->path);
    m->size = 0;
    return 0;
}

static int data(void *ctx, struct hm_slice s)
{
    struct memory *m = ctx;
    m->size += s.len;
    return 0;
}

static int end(void *ctx)
{
    struct memory *m = ctx;
    size_t at = strlen(m->seen);
    snprintf(m->seen + at, sizeof m->seen - at, "%s=%llu;", m->path, (unsigned long long)m->size);
    m->parts++;
    return 0;
}

static int read_back(struct memory *m, struct hm_slice body, struct hm_error *err)
{
    struct hm_bundle_ops ops = {get, begin, data, end, m};
    m->c = hm_cursor(body);
    m->seen[0] = 0;
    m->parts = 0;
    return hm_bundle_read(body.len, &ops, err);
}

static void make(struct memory *m)
{
    static uint8_t big[3 * HM_BUNDLE_BLOCK_MAX / 2];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * i >> 5);
    struct hm_bundle_input in[] = {{"rules/b.yml", hm_slice_str("title: b")},
                                   {"zero", hm_slice("", 0)},
                                   {"intel.bin", hm_slice(big, sizeof big)},
                                   {"a", hm_slice("", 0)},
                                   {"rules/a.yml", hm_slice_str("title: a")}};
    struct hm_error err = {0};
    *m = (struct memory){.body = HM_BUF(HM_BUNDLE_BODY_MAX)};
    assert_int_equal(hm_bundle_write(in, HM_ARRAY_LEN(in), put, m, &err), 0);
}

static void what_was_written_is_read(void **state)
{
    struct memory m;
    struct hm_error err = {0};
    (void)state;
    make(&m);
    assert_int_equal(read_back(&m, hm_buf_slice(&m.body), &err), 0);
    assert_string_equal(m.seen, "a=0;intel.bin=1572864;rules/a.yml=8;rules/b.yml=8;zero=0;");
    hm_buf_done(&m.body);
}

static void every_cut_is_refused(void **state)
{
    struct memory m;
    (void)state;
    make(&m);
    for (size_t n = 0; n < m.body.len; n += n < 400 || n + 40 > m.body.len ? 1 : 977) {
        struct hm_error err = {0};
        assert_int_equal(read_back(&m, hm_slice(m.body.data, n), &err), -EBADMSG);
        assert_true(err.text[0]);
    }
    hm_buf_done(&m.body);
}

/* A flip is refused, but for a letter of a path: the manifest is held by the statement's SHA-256 of
 * the whole body. No part ever has other bytes than the manifest says. */
static void flips_are_refused(void **state)
{
    struct memory m;
    (void)state;
    make(&m);
    size_t refused = 0, tried = 0;
    for (size_t i = 0; i < m.body.len; i += i < 300 ? 1 : 1201, tried++) {
        struct hm_error err = {0};
        m.body.data[i] ^= 1u << (i & 7);
        int r = read_back(&m, hm_buf_slice(&m.body), &err);
        if (r == 0)
            assert_true(m.parts == 5 && strstr(m.seen, "=1572864;"));
        else
            refused++;
        m.body.data[i] ^= 1u << (i & 7);
    }
    assert_true(refused * 10 > tried * 9);
    hm_buf_done(&m.body);
}

static void paths_stay_inside(void **state)
{
    static const struct {
        const char *path;
        bool ok;
    } rows[] = {{"rules/linux/x.yml", true},
                {"a b (1).yml", true},
                {"intel.bin", true},
                {"", false},
                {"/etc/passwd", false},
                {"../x", false},
                {"a/../x", false},
                {"a/./x", false},
                {"a//x", false},
                {"a/", false},
                {".hidden", false},
                {"a/.x", false},
                {"a\\b", false},
                {"a\nb", false},
                {"a\x1b[31m", false},
                {"1/2/3/4/5/6/7/8", true},
                {"1/2/3/4/5/6/7/8/9", false}};
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_bundle_path_ok(hm_slice_str(rows[i].path)), rows[i].ok);
    char longest[HM_BUNDLE_PATH_MAX + 2];
    memset(longest, 'x', sizeof longest);
    assert_true(hm_bundle_path_ok(hm_slice(longest, HM_BUNDLE_PATH_MAX)));
    assert_false(hm_bundle_path_ok(hm_slice(longest, HM_BUNDLE_PATH_MAX + 1)));
}

static void writer_refuses_what_reader_would(void **state)
{
    struct hm_bundle_input twice[] = {{"x", hm_slice_str("1")}, {"x", hm_slice_str("2")}},
                           folder[] = {{"x", hm_slice_str("1")},
                                       {"x-y", hm_slice_str("2")},
                                       {"x/y", hm_slice_str("3")}},
                           out[] = {{"../x", hm_slice_str("1")}};
    struct memory m = {.body = HM_BUF(HM_BUNDLE_BODY_MAX)};
    struct hm_error err = {0};
    (void)state;
    assert_int_equal(hm_bundle_write(twice, 2, put, &m, &err), -EINVAL);
    assert_int_equal(hm_bundle_write(folder, 3, put, &m, &err), -EINVAL);
    assert_int_equal(hm_bundle_write(out, 1, put, &m, &err), -EINVAL);
    assert_int_equal(hm_bundle_write(out, 0, put, &m, &err), -EINVAL);
    assert_non_null(strstr(err.text, "0 parts"));
}

/* A body with a hand-made manifest. */
static int read_manifest_of(struct memory *m, const struct hm_bundle_part *parts, size_t n,
                            uint32_t count, struct hm_error *err)
{
    struct hm_buf raw = HM_BUF(1 << 20), body = HM_BUF(1 << 20);
    hm_buf_put_le32(&raw, count);
    for (size_t i = 0; i < n; i++) {
        hm_buf_put_le16(&raw, (uint16_t)strlen(parts[i].path));
        hm_buf_puts(&raw, parts[i].path);
        hm_buf_put_le64(&raw, parts[i].size);
        hm_buf_put(&raw, parts[i].sha256, HM_SHA256_BYTES);
    }
    struct hm_buf packed = HM_BUF(1 << 20);
    assert_int_equal(hm_compress(HM_CODEC_ZSTD, hm_buf_slice(&raw), &packed), 0);
    hm_buf_put_le32(&body, (uint32_t)raw.len);
    hm_buf_put_le32(&body, (uint32_t)packed.len);
    hm_buf_put(&body, packed.data, packed.len);
    int r = read_back(m, hm_buf_slice(&body), err);
    hm_buf_done(&raw);
    hm_buf_done(&packed);
    hm_buf_done(&body);
    return r;
}

static void forged_manifests_are_refused(void **state)
{
    static const struct {
        struct hm_bundle_part parts[2];
        size_t n;
        uint32_t count;
        const char *why;
    } rows[] = {
        {{{"../../etc/cron.d/x", 0, {0}}}, 1, 1, "leads out"},
        {{{"a", 0, {0}}, {"a", 0, {0}}}, 2, 2, "twice"},
        {{{"b", 0, {0}}, {"a", 0, {0}}}, 2, 2, "order"},
        {{{"a", 0, {0}}, {"a/b", 0, {0}}}, 2, 2, "file and a folder"},
        {{{"a", HM_BUNDLE_RAW_MAX + 1, {0}}}, 1, 1, "larger"},
        {{{"a", HM_BUNDLE_RAW_MAX, {0}}, {"b", 1, {0}}}, 2, 2, "larger"},
        {{{"a", UINT64_MAX, {0}}, {"b", 2, {0}}}, 2, 2, "larger"},
        {{{"a", 0, {0}}}, 1, 2, "number of parts"},
        {{{"a", 0, {0}}}, 1, 0xffffffff, "number of parts"},
        {{{"a", 0, {0}}}, 1, 0, "number of parts"},
        {{{"a", 0, {0}}}, 1, 1, "SHA-256"},
        {{{"a", 1, {0}}}, 1, 1, "cut off"},
    };
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct memory m = {0};
        struct hm_error err = {0};
        assert_int_equal(read_manifest_of(&m, rows[i].parts, rows[i].n, rows[i].count, &err),
                         -EBADMSG);
        if (!strstr(err.text, rows[i].why))
            fail_msg("row %zu: %s", i, err.text);
    }
}

/* A block that says 1 MiB and unpacks to 64. */
static void bombs_are_refused(void **state)
{
    struct hm_buf zeros = HM_BUF(64 << 20), packed = HM_BUF(1 << 20), body = HM_BUF(1 << 20);
    struct memory m = {0};
    struct hm_error err = {0};
    (void)state;
    memset(hm_buf_extend(&zeros, 64 << 20), 0, 64 << 20);
    assert_int_equal(hm_compress(HM_CODEC_ZSTD, hm_buf_slice(&zeros), &packed), 0);
    hm_buf_put_le32(&body, 1 << 20);
    hm_buf_put_le32(&body, (uint32_t)packed.len);
    hm_buf_put(&body, packed.data, packed.len);
    assert_int_equal(read_back(&m, hm_buf_slice(&body), &err), -EBADMSG);
    assert_non_null(strstr(err.text, "does not unpack"));
    hm_buf_done(&zeros);
    hm_buf_done(&packed);
    hm_buf_done(&body);
}

static void heads(void **state)
{
    struct hm_buf b = HM_BUF(4096);
    struct hm_slice stmt;
    size_t at;
    (void)state;
    hm_bundle_head_write(hm_slice_str("statement"), &b);
    hm_buf_puts(&b, "body");
    for (size_t n = 0; n < 12 + 9; n++)
        assert_int_equal(hm_bundle_head(hm_slice(b.data, n), &stmt, &at), -EAGAIN);
    assert_int_equal(hm_bundle_head(hm_buf_slice(&b), &stmt, &at), 0);
    assert_true(hm_slice_eq(stmt, hm_slice_str("statement")));
    assert_memory_equal(b.data + at, "body", 4);
    b.data[0] = 'h';
    assert_int_equal(hm_bundle_head(hm_buf_slice(&b), &stmt, &at), -EBADMSG);
    assert_int_equal(hm_bundle_head(hm_slice(b.data, 1), &stmt, &at), -EBADMSG);
    hm_buf_done(&b);
}

static void statements_are_checked(void **state)
{
    static const uint8_t hash[HM_SHA256_BYTES] = {1};
    const struct hm_msg_content good = {.format = 1,
                                        .tenant = hm_slice_str("default"),
                                        .kind = hm_slice_str("detection"),
                                        .version = 1,
                                        .created_ms = 1000,
                                        .not_after_ms = 2000,
                                        .sha256 = hm_slice(hash, sizeof hash),
                                        .size = 10};
    struct hm_msg_content rows[] = {good, good, good, good, good, good, good, good}, got;
    static const int want[] = {0,        -EPROTONOSUPPORT, -EPROTONOSUPPORT, -EBADMSG,
                               -EBADMSG, -EBADMSG,         -EBADMSG,         -EBADMSG};
    (void)state;
    rows[1].format = 2;
    rows[2].kind = hm_slice_str("policy");
    rows[3].version = 0;
    rows[4].tenant.len = 0;
    rows[5].not_after_ms = 1000;
    rows[6].size = HM_BUNDLE_BODY_MAX + 1;
    rows[7].not_after_ms = 1000 + HM_CONTENT_LIFE_MAX_MS + 1;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf b = HM_BUF(4096);
        hm_msg_encode(&hm_desc_content, &rows[i], &b);
        assert_int_equal(hm_content_check(hm_buf_slice(&b), &got), want[i]);
        hm_buf_done(&b);
    }
}

/* With an argument: write the seeds of fuzz/corpus/bundle there. */
static int write_seeds(const char *dir)
{
    struct memory m;
    struct hm_buf head = HM_BUF(65536), payload = HM_BUF(4096), stmt = HM_BUF(65536);
    char path[4096];
    uint8_t hash[HM_SHA256_BYTES];
    struct hm_key *k;
    struct hm_bundle_input in[] = {{"rules/a.yml", hm_slice_str("title: a")},
                                   {"zero", hm_slice("", 0)}};
    m = (struct memory){.body = HM_BUF(HM_BUNDLE_BODY_MAX)};
    if (hm_bundle_write(in, 2, put, &m, NULL) || hm_key_generate(&k))
        return 1;
    hm_sha256(hm_buf_slice(&m.body), hash);
    struct hm_msg_content c = {.format = 1,
                               .tenant = hm_slice_str("default"),
                               .kind = hm_slice_str("detection"),
                               .version = 1,
                               .created_ms = 1000,
                               .not_after_ms = 2000,
                               .sha256 = hm_slice(hash, sizeof hash),
                               .size = m.body.len};
    hm_msg_encode(&hm_desc_content, &c, &payload);
    if (hm_stmt_sign(k, HM_DOMAIN_CONTENT, hm_buf_slice(&payload), &stmt))
        return 1;
    for (int i = 0; i < 2; i++) {
        hm_buf_clear(&head);
        hm_bundle_head_write(i ? hm_buf_slice(&stmt) : hm_slice("", 0), &head);
        hm_buf_put(&head, m.body.data, m.body.len);
        snprintf(path, sizeof path, "%s/%s", dir, i ? "signed" : "pack");
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd < 0 || write(fd, head.data, head.len) != (ssize_t)head.len)
            return 1;
        close(fd);
    }
    hm_key_free(k);
    hm_buf_done(&head);
    hm_buf_done(&payload);
    hm_buf_done(&stmt);
    hm_buf_done(&m.body);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(flips_are_refused),
        cmocka_unit_test(paths_stay_inside),
        cmocka_unit_test(writer_refuses_what_reader_would),
        cmocka_unit_test(forged_manifests_are_refused),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(heads),
        cmocka_unit_test(statements_are_checked),
    };
    if (argc > 1)
        return write_seeds(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
