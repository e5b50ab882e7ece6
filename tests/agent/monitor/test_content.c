/* Content on the endpoint: every reason to refuse an offer is a row, and whatever moment the folder
 * is left in, `current` names a folder that is whole. */
#include "agent/monitor/content_files.h"
#include "agent/monitor/content_verify.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct hm_key *root, *order, *rules, *other;
static uint8_t root_pub[HM_PUBKEY_BYTES], order_pub[HM_PUBKEY_BYTES], rules_pub[HM_PUBKEY_BYTES],
    other_pub[HM_PUBKEY_BYTES];

static int make_keys(void **state)
{
    struct hm_key **keys[] = {&root, &order, &rules, &other};
    uint8_t *pubs[] = {root_pub, order_pub, rules_pub, other_pub};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        if (hm_key_generate(keys[i]))
            return -1;
        hm_key_public(*keys[i], pubs[i]);
    }
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    hm_key_free(root);
    hm_key_free(order);
    hm_key_free(rules);
    hm_key_free(other);
    return 0;
}

enum signer { BY_RULES, BY_ORDER, BY_OTHER };

static void statement(enum signer by, const char *domain, const struct hm_msg_content *c,
                      struct hm_buf *out)
{
    struct hm_buf payload = HM_BUF(4096);
    const struct hm_key *k = by == BY_RULES ? rules : by == BY_ORDER ? order : other;
    hm_msg_encode(&hm_desc_content, c, &payload);
    assert_int_equal(hm_stmt_sign(k, domain, hm_buf_slice(&payload), out), 0);
    hm_buf_done(&payload);
}

static void offers_are_judged(void **state)
{
    static const uint8_t hash[HM_SHA256_BYTES] = {7};
    struct hm_buf set = HM_BUF(8192), newer = HM_BUF(8192), foreign = HM_BUF(8192),
                  none = HM_BUF(8192);
    struct hm_trust trust, without;
    (void)state;
    assert_int_equal(hm_trust_make(root, order_pub, rules_pub, 2, &set), 0);
    assert_int_equal(hm_trust_make(root, order_pub, rules_pub, 3, &newer), 0);
    assert_int_equal(hm_trust_make(other, order_pub, rules_pub, 9, &foreign), 0);
    assert_int_equal(hm_trust_make(root, order_pub, NULL, 2, &none), 0);
    assert_int_equal(hm_trust_open(root_pub, hm_buf_slice(&set), &trust), 0);
    assert_int_equal(hm_trust_open(root_pub, hm_buf_slice(&none), &without), 0);
    const struct hm_msg_content good = {.format = 1,
                                        .tenant = hm_slice_str("default"),
                                        .kind = hm_slice_str("detection"),
                                        .version = 8,
                                        .created_ms = 1000,
                                        .not_after_ms = 9000,
                                        .sha256 = hm_slice(hash, sizeof hash),
                                        .size = 100};
    const struct hm_content_judge judge = {.root_key = root_pub,
                                           .trust = &trust,
                                           .tenant = hm_slice_str("default"),
                                           .floor = 7,
                                           .server_ms = 5000};
    struct {
        const char *want; /* part of the reason; NULL: it is taken */
        enum signer by;
        const char *domain;
        struct hm_msg_content c;
        struct hm_content_judge j;
    } rows[] = {
        {NULL, BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"forged", BY_OTHER, HM_DOMAIN_CONTENT, good, judge},
        {"forged", BY_ORDER, HM_DOMAIN_CONTENT, good, judge},
        {"forged", BY_RULES, HM_DOMAIN_ORDER, good, judge},
        {"another tenant", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"not newer", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"expired", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"no signed time", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"newer than this agent", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"malformed", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"no key for content", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"pinned root", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {NULL, BY_RULES, HM_DOMAIN_CONTENT, good, judge},
        {"replaced by a newer", BY_RULES, HM_DOMAIN_CONTENT, good, judge},
    };
    rows[4].c.tenant = hm_slice_str("another");
    rows[5].c.version = 7;
    rows[6].j.server_ms = 9000;
    rows[7].j.server_ms = 0;
    rows[8].c.format = 2;
    rows[9].c.size = 0;
    rows[10].j.trust = &without;
    rows[11].j.key_set = hm_buf_slice(&foreign);
    rows[12].j.trust = &without;
    rows[12].j.key_set = hm_buf_slice(&newer);
    rows[13].j.key_version = 3;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf stmt = HM_BUF(16384);
        struct hm_msg_content c;
        uint64_t key_version = 0;
        bool old;
        statement(rows[i].by, rows[i].domain, &rows[i].c, &stmt);
        const char *no = hm_content_verify(&rows[i].j, hm_buf_slice(&stmt), &c, &key_version, &old);
        if (!no != !rows[i].want || (no && !strstr(no, rows[i].want)))
            fail_msg("row %zu: %s", i, no ? no : "taken");
        assert_int_equal(old, i == 5);
        if (!no)
            assert_int_equal(key_version, i == 12 ? 3 : 2);
        hm_buf_done(&stmt);
    }
    struct hm_buf *all[] = {&set, &newer, &foreign, &none};
    for (size_t i = 0; i < 4; i++)
        hm_buf_done(all[i]);
}

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st;
    (void)kind;
    (void)f;
    return remove(path);
}

static int open_folder(char path[64])
{
    snprintf(path, 64, "/tmp/hm-content.XXXXXX");
    assert_non_null(mkdtemp(path));
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void close_folder(int fd, const char *path)
{
    close(fd);
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

static int put(void *ctx, struct hm_slice s)
{
    return write(*(int *)ctx, s.p, s.len) == (ssize_t)s.len ? 0 : -EIO;
}

static uint64_t write_spool(int dir)
{
    struct hm_bundle_input in[] = {{"site/a.yml", hm_slice_str("title: a")},
                                   {"yara/site/x/y.yar", hm_slice_str("rule x")}};
    struct stat st;
    int fd = openat(dir, HM_CONTENT_SPOOL, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(hm_bundle_write(in, 2, put, &fd, NULL), 0);
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    return (uint64_t)st.st_size;
}

static bool is_there(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void unpacking_is_whole_or_nothing(void **state)
{
    char path[64];
    struct hm_error err = {0};
    int dir = open_folder(path);
    uint64_t size = write_spool(dir);
    (void)state;
    assert_int_equal(hm_content_unpack(dir, 3, size, &err), 0);
    assert_true(is_there(dir, "3/site/a.yml") && is_there(dir, "3/yara/site/x/y.yar"));
    assert_false(is_there(dir, "3.new"));
    assert_int_equal(hm_content_unpack(dir, 3, size, &err), 0); /* once more over it */
    for (uint64_t cut = 0; cut < size; cut += 7) {
        assert_int_equal(hm_content_unpack(dir, 4, cut, &err), -EBADMSG);
        assert_false(is_there(dir, "4"));
    }
    int fd = openat(dir, HM_CONTENT_SPOOL, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)size / 2), 0);
    close(fd);
    assert_int_equal(hm_content_unpack(dir, 4, size, &err), -EBADMSG);
    assert_false(is_there(dir, "4"));
    close_folder(dir, path);
}

static void a_start_finds_what_is_current(void **state)
{
    char path[64];
    struct hm_error err = {0};
    struct hm_content_current c = {0}, next = {5, 6, 4, 2}, got;
    int dir = open_folder(path);
    (void)state;
    assert_int_equal(hm_content_open(dir, &c, &err), 0);
    assert_true(c.version == 0 && c.floor == 0);
    uint64_t size = write_spool(dir);
    for (uint64_t v = 3; v <= 6; v++)
        assert_int_equal(hm_content_unpack(dir, v, size, &err), 0);
    assert_int_equal(mkdirat(dir, "7.new", 0700), 0);
    assert_int_equal(mkdirat(dir, "7.new/half", 0700), 0);
    assert_int_equal(symlinkat("/etc", dir, "7.new/half/link"), 0);
    assert_int_equal(hm_content_store(dir, &next), 0);
    assert_int_equal(hm_content_open(dir, &got, &err), 0);
    assert_memory_equal(&got, &next, sizeof got);
    assert_true(is_there(dir, "5") && is_there(dir, "4"));
    assert_false(is_there(dir, "3") || is_there(dir, "6") || is_there(dir, "7.new") ||
                 is_there(dir, HM_CONTENT_SPOOL));
    assert_int_equal(access("/etc/passwd", F_OK), 0); /* the link was not followed */
    int fd = hm_content_folder(dir, 5);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(hm_content_folder(dir, 6), -ENOENT);
    close_folder(dir, path);
}

static void a_damaged_current_takes_nothing_and_removes_nothing(void **state)
{
    static const char *const rows[] = {"", "version 1", "version 5 floor 4 previous 0 key 1\n",
                                       "version 1 floor 1 previous 0 key 1\nmore", "\xff\xff"};
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char path[64];
        struct hm_error err = {0};
        struct hm_content_current c;
        int dir = open_folder(path);
        int fd = openat(dir, "current", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, rows[i], strlen(rows[i])), strlen(rows[i]));
        close(fd);
        assert_int_equal(mkdirat(dir, "1", 0700), 0);
        assert_int_equal(hm_content_open(dir, &c, &err), -EBADMSG);
        assert_true(c.version == 0 && c.floor == UINT64_MAX && is_there(dir, "1"));
        close_folder(dir, path);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_judged),
        cmocka_unit_test(unpacking_is_whole_or_nothing),
        cmocka_unit_test(a_start_finds_what_is_current),
        cmocka_unit_test(a_damaged_current_takes_nothing_and_removes_nothing),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
