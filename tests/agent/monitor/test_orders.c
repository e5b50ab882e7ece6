/* Every way an order or a statement of time can be wrong, the counter over crashes, the identity.
 */
#include "agent/identity.h"
#include "agent/monitor/ledger.h"
#include "agent/monitor/verify.h"
#include "wire/trust.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
    struct hm_key *order_key, *other_key;
    uint8_t order_pub[HM_PUBKEY_BYTES], endpoint[16], key_sha256[HM_SHA256_BYTES];
    char dir[64];
    int dir_fd;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(hm_key_generate(&w->order_key), 0);
    assert_int_equal(hm_key_generate(&w->other_key), 0);
    hm_key_public(w->order_key, w->order_pub);
    memset(w->endpoint, 0xe1, sizeof w->endpoint);
    memset(w->key_sha256, 0x5a, sizeof w->key_sha256);
    snprintf(w->dir, sizeof w->dir, "/tmp/hm-orders-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->dir_fd = open(w->dir, O_RDONLY | O_DIRECTORY);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    close(w->dir_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
    hm_key_free(w->order_key);
    hm_key_free(w->other_key);
    free(w);
    return 0;
}

#define NOW 1000000ull
static const uint8_t id[16] = "order-number-one";
static const uint8_t other_endpoint[16] = "somebody else's", other_hash[32] = {1};

static struct hm_msg_order good_order(const struct world *w)
{
    return (struct hm_msg_order){
        .tenant = hm_slice_str("t1"),
        .endpoint = hm_slice(w->endpoint, 16),
        .endpoint_key = hm_slice(w->key_sha256, 32),
        .counter = 8,
        .id = hm_slice(id, 16),
        .kind = HM_ORDER_KILL,
        .issued_ms = NOW - 1000,
        .not_after_ms = NOW + 60000,
        .process_key = 77,
        .reason = hm_slice_str("test"),
        .actor = hm_slice_str("admin"),
    };
}

static struct hm_order_judge good_judge(const struct world *w)
{
    return (struct hm_order_judge){.order_key = w->order_pub,
                                   .endpoint = w->endpoint,
                                   .key_sha256 = w->key_sha256,
                                   .tenant = hm_slice_str("t1"),
                                   .begun = 7,
                                   .server_ms = NOW};
}

static void sign(const struct hm_key *k, const char *domain, const struct hm_msg_order *o,
                 struct hm_buf *out)
{
    struct hm_buf payload = HM_BUF(8192);
    hm_msg_encode(&hm_desc_order, o, &payload);
    assert_int_equal(hm_stmt_sign(k, domain, hm_buf_slice(&payload), out), 0);
    hm_buf_done(&payload);
}

static void wrong_key(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    (void)w, (void)o, (void)j;
}
static void nothing(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    (void)w, (void)o, (void)j;
}
static void other_ep(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->endpoint = hm_slice(other_endpoint, 16);
}
static void other_key_hash(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->endpoint_key = hm_slice(other_hash, 32);
}
static void other_tenant(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->tenant = hm_slice_str("t2");
}
static void same_counter(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->counter = j->begun;
}
static void older_counter(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->counter = 3;
}
static void at_expiry(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    j->server_ms = o->not_after_ms;
}
static void before_expiry(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    j->server_ms = o->not_after_ms - 1;
}
static void no_time(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    j->server_ms = 0;
}
static void blocked(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    j->blocked = "damaged";
}
static void no_process(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->process_key = 0;
}
static void unknown_kind(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->kind = 99;
}
static void drill(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    o->kind = HM_ORDER_DRILL;
    o->process_key = 0;
    o->drill = hm_slice_str("reverse-shell");
}
static void practice_drill(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j)
{
    drill(w, o, j);
    j->practice = true;
}

static const struct {
    const char *name;
    void (*change)(const struct world *w, struct hm_msg_order *o, struct hm_order_judge *j);
    uint64_t state;
    bool genuine;
} rows[] = {
    {"a good order", nothing, 0, true},
    {"signed by another key", wrong_key, HM_ORDER_REFUSED, false},
    {"for another endpoint", other_ep, HM_ORDER_REFUSED, false},
    {"for another key of that endpoint", other_key_hash, HM_ORDER_REFUSED, false},
    {"of another tenant", other_tenant, HM_ORDER_REFUSED, false},
    {"replayed", same_counter, HM_ORDER_REFUSED, false},
    {"older than the last", older_counter, HM_ORDER_REFUSED, false},
    {"expired to the millisecond", at_expiry, HM_ORDER_EXPIRED, true},
    {"a millisecond before it expires", before_expiry, 0, true},
    {"without signed time", no_time, HM_ORDER_REFUSED, true},
    {"with a damaged counter", blocked, HM_ORDER_REFUSED, true},
    {"a kill without a process", no_process, HM_ORDER_REFUSED, false},
    {"of a kind nobody knows", unknown_kind, HM_ORDER_REFUSED, false},
    {"a drill on a real endpoint", drill, HM_ORDER_REFUSED, true},
    {"a drill on a practice endpoint", practice_drill, 0, true},
};

static void orders_are_judged(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_msg_order o = good_order(w), got;
        struct hm_order_judge j = good_judge(w);
        struct hm_buf stmt = HM_BUF(16384);
        rows[i].change(w, &o, &j);
        sign(rows[i].change == wrong_key ? w->other_key : w->order_key, HM_DOMAIN_ORDER, &o, &stmt);
        struct hm_order_verdict v = hm_order_verify(&j, hm_buf_slice(&stmt), &got);
        if (v.state != rows[i].state || v.genuine != rows[i].genuine || (v.state && !v.reason))
            fail_msg("%s: state %llu, genuine %d", rows[i].name, (unsigned long long)v.state,
                     v.genuine);
        if (v.state == 0)
            assert_int_equal(got.counter, o.counter);
        hm_buf_done(&stmt);
    }
}

/* A signature for one purpose is no signature for another; a single flipped bit is none at all. */
static void forgeries_are_refused_bit_by_bit(void **state)
{
    struct world *w = *state;
    struct hm_msg_order o = good_order(w), got;
    struct hm_order_judge j = good_judge(w);
    struct hm_buf stmt = HM_BUF(16384), time = HM_BUF(16384);
    sign(w->order_key, HM_DOMAIN_TIME, &o, &time);
    assert_int_equal(hm_order_verify(&j, hm_buf_slice(&time), &got).state, HM_ORDER_REFUSED);
    sign(w->order_key, HM_DOMAIN_ORDER, &o, &stmt);
    for (size_t i = 0; i < stmt.len; i++) {
        stmt.data[i] ^= 1;
        if (hm_order_verify(&j, hm_buf_slice(&stmt), &got).state == 0)
            fail_msg("byte %zu changed and it still passes", i);
        stmt.data[i] ^= 1;
        assert_true(hm_order_verify(&j, hm_slice(stmt.data, i), &got).state != 0); /* cut short */
    }
    assert_int_equal(hm_order_verify(&j, hm_buf_slice(&stmt), &got).state, 0);
    hm_buf_done(&stmt);
    hm_buf_done(&time);
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void sign_time(const struct world *w, const uint8_t ep[16], const uint8_t *nonce,
                      uint64_t ms, struct hm_buf *out)
{
    struct hm_buf payload = HM_BUF(1024);
    struct hm_msg_time_stmt t = {
        .endpoint = hm_slice(ep, 16), .nonce = hm_slice(nonce, 16), .server_ms = ms};
    hm_msg_encode(&hm_desc_time_stmt, &t, &payload);
    hm_buf_clear(out);
    assert_int_equal(hm_stmt_sign(w->order_key, HM_DOMAIN_TIME, hm_buf_slice(&payload), out), 0);
    hm_buf_done(&payload);
}

static void time_is_taken_once_fresh_and_for_us(void **state)
{
    struct world *w = *state;
    struct hm_signed_time t = {0};
    struct hm_buf stmt = HM_BUF(4096);
    uint8_t nonce[16], second[16];
    const uint64_t s = 1000000000;
    assert_int_equal(hm_signed_time_ms(&t, 5 * s), 0);
    assert_int_equal(hm_signed_time_nonce(&t, 10 * s, nonce), 0);
    sign_time(w, other_endpoint, nonce, NOW, &stmt);
    assert_int_equal(
        hm_signed_time_accept(&t, w->order_pub, w->endpoint, hm_buf_slice(&stmt), 11 * s),
        -EBADMSG);
    sign_time(w, w->endpoint, other_endpoint, NOW, &stmt); /* a nonce we never made */
    assert_int_equal(
        hm_signed_time_accept(&t, w->order_pub, w->endpoint, hm_buf_slice(&stmt), 11 * s), -ESTALE);
    sign_time(w, w->endpoint, nonce, NOW, &stmt);
    assert_int_equal(
        hm_signed_time_accept(&t, w->order_pub, w->endpoint, hm_buf_slice(&stmt), 11 * s), 0);
    assert_int_equal(hm_signed_time_ms(&t, 11 * s), NOW);
    /* the boot clock carries it on, whatever the wall clock is set to */
    assert_int_equal(hm_signed_time_ms(&t, 71 * s), NOW + 60000);
    /* the same statement again does not turn it back */
    assert_int_equal(
        hm_signed_time_accept(&t, w->order_pub, w->endpoint, hm_buf_slice(&stmt), 71 * s), -ESTALE);
    assert_int_equal(hm_signed_time_ms(&t, 71 * s), NOW + 60000);
    /* an answer that was held back for minutes is refused */
    assert_int_equal(hm_signed_time_nonce(&t, 80 * s, second), 0);
    sign_time(w, w->endpoint, second, NOW + 69000, &stmt);
    assert_int_equal(
        hm_signed_time_accept(&t, w->order_pub, w->endpoint, hm_buf_slice(&stmt), 400 * s),
        -ESTALE);
    uint8_t other_pub[HM_PUBKEY_BYTES];
    hm_key_public(w->other_key, other_pub);
    assert_int_equal(hm_signed_time_accept(&t, other_pub, w->endpoint, hm_buf_slice(&stmt), 81 * s),
                     -EKEYREJECTED);
    hm_buf_done(&stmt);
}

/* ---- the counter ------------------------------------------------------------------------------
 */

static void counter_survives_a_crash_between_begun_and_done(void **state)
{
    struct world *w = *state;
    struct hm_counter c, after;
    struct hm_error err;
    assert_int_equal(hm_counter_open(w->dir_fd, &c, &err), 0);
    assert_int_equal(c.begun, 0);
    assert_int_equal(hm_counter_begin(&c, 4, HM_ORDER_KILL, id), 0);
    assert_int_equal(hm_counter_done(&c), 0);
    assert_int_equal(hm_counter_begin(&c, 5, HM_ORDER_ISOLATE, id), 0);
    /* here the agent dies: the next one reads what is on disk */
    assert_int_equal(hm_counter_open(w->dir_fd, &after, &err), 0);
    assert_int_equal(after.begun, 5);
    assert_int_equal(after.done, 4);
    assert_int_equal(after.kind, HM_ORDER_ISOLATE);
    assert_memory_equal(after.id, id, 16);
    assert_int_equal(hm_counter_begin(&after, 5, HM_ORDER_ISOLATE, id),
                     -EALREADY); /* never twice */
    assert_int_equal(hm_counter_begin(&after, 4, HM_ORDER_ISOLATE, id), -EALREADY);
    assert_int_equal(hm_counter_done(&after), 0);
    assert_int_equal(hm_counter_open(w->dir_fd, &c, &err), 0);
    assert_int_equal(c.done, 5);
}

static void damaged_counter_is_an_error_not_a_zero(void **state)
{
    struct world *w = *state;
    static const char *const texts[] = {
        "", "begun 5", "begun 5 done 9 kind 1 id 6f726465722d6e756d6265722d6f6e65\n",
        "begun 5 done 5 kind 1 id 6f726465722d6e756d6265722d6f6e65\nmore",
        "begun x done 5 kind 1 id 6f726465722d6e756d6265722d6f6e65\n"};
    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++) {
        struct hm_counter c;
        struct hm_error err;
        assert_int_equal(hm_file_replace(w->dir_fd, "counter", texts[i], strlen(texts[i])), 0);
        if (hm_counter_open(w->dir_fd, &c, &err) != -EBADMSG)
            fail_msg("accepted: %s", texts[i]);
    }
}

/* A disk that cannot be written: the order must not begin. (A folder without write permission
 * stops root as little as anybody; a counter.new that is a folder does.) */
static void counter_that_cannot_be_written_changes_nothing(void **state)
{
    struct world *w = *state;
    struct hm_counter c;
    struct hm_error err;
    unlinkat(w->dir_fd, "counter", 0);
    assert_int_equal(hm_counter_open(w->dir_fd, &c, &err), 0);
    assert_int_equal(mkdirat(w->dir_fd, "counter.new", 0700), 0);
    assert_true(hm_counter_begin(&c, 1, HM_ORDER_KILL, id) < 0);
    assert_int_equal(c.begun, 0);
    assert_int_equal(unlinkat(w->dir_fd, "counter.new", AT_REMOVEDIR), 0);
    assert_int_equal(hm_counter_begin(&c, 1, HM_ORDER_KILL, id), 0);
}

/* ---- identity ---------------------------------------------------------------------------------
 */

static void identity_comes_back_as_it_was_written(void **state)
{
    struct world *w = *state;
    struct hm_identity a = {.server = "192.0.2.1:7443",
                            .tenant = "t1",
                            .group = "practice",
                            .key_set_len = 3,
                            .practice = true};
    struct hm_identity b;
    struct hm_error err;
    memcpy(a.key_set, "\x00\xff\x10", 3);
    memset(a.endpoint, 0xab, 16);
    memset(a.root_key, 4, sizeof a.root_key);
    struct hm_identity_files f = {hm_slice_str("KEY"), hm_slice_str("CRT"), hm_slice_str("CA")};
    assert_int_equal(hm_identity_load(w->dir_fd, &b, &err), -ENOENT);
    assert_int_equal(hm_identity_save(w->dir_fd, &a, &f, &err), 0);
    assert_int_equal(hm_identity_load(w->dir_fd, &b, &err), 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(hm_identity_save(w->dir_fd, &a, &f, &err), -EEXIST);
    struct stat st;
    assert_int_equal(fstatat(w->dir_fd, "identity/endpoint.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void damaged_identity_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "{\"server\":\"a:1\"}",
        "{\"server\":\"a:1\",}",
        "{\"endpoint\":\"zz\"}",
        "{\"server\":\"a\\u0041\"}",
        "[]",
        "{\"server\" \"a\"}",
    };
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++) {
        struct hm_identity b;
        if (hm_identity_parse(hm_slice_str(texts[i]), &b, NULL) != -EBADMSG)
            fail_msg("accepted: %s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_judged),
        cmocka_unit_test(forgeries_are_refused_bit_by_bit),
        cmocka_unit_test(time_is_taken_once_fresh_and_for_us),
        cmocka_unit_test(counter_survives_a_crash_between_begun_and_done),
        cmocka_unit_test(damaged_counter_is_an_error_not_a_zero),
        cmocka_unit_test(counter_that_cannot_be_written_changes_nothing),
        cmocka_unit_test(identity_comes_back_as_it_was_written),
        cmocka_unit_test(damaged_identity_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
