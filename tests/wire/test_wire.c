/* The codec of messages, frames, signed statements, orders. */
#include "agent/messages.h"
#include "server/messages.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/order.h"
#include "wire/trust.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* ---- tables ---- */

#define M(ID, num, name) &hm_desc_##name,
#define U(name, n, f)
#define B(name, n, f)
#define END(ID, name)
static const struct hm_msg_desc *const wire_descs[] = {
#include "wire/messages.def"
};
static const struct hm_msg_desc *const agent_descs[] = {
#include "agent/messages.def"
};
static const struct hm_msg_desc *const server_descs[] = {
#include "server/messages.def"
};
#undef M
#undef U
#undef B
#undef END

static void check_table(const struct hm_msg_desc *const *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (uint32_t f = 1; f < t[i]->field_count; f++)
            assert_true(t[i]->fields[f].number > t[i]->fields[f - 1].number);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(t[i]->number, t[k]->number);
    }
}

static void tables_ascend_and_numbers_are_used_once(void **state)
{
    (void)state;
    check_table(wire_descs, HM_ARRAY_LEN(wire_descs));
    check_table(agent_descs, HM_ARRAY_LEN(agent_descs));
    check_table(server_descs, HM_ARRAY_LEN(server_descs));
}

/* Every message of every table: all fields set, encoded, decoded, encoded again. */
static void round_trip(const struct hm_msg_desc *d)
{
    uint8_t msg[512], back[512];
    struct hm_buf a = HM_BUF(4096), b = HM_BUF(4096);

    assert_true(d->size <= sizeof msg);
    memset(msg, 0, sizeof msg);
    for (uint32_t i = 0; i < d->field_count; i++) {
        uint64_t v = UINT64_C(1) << (i * 7 % 64);
        struct hm_slice s = hm_slice_str("value");
        if (d->fields[i].type == HM_MSG_U64)
            memcpy(msg + d->fields[i].offset, &v, sizeof v);
        else
            memcpy(msg + d->fields[i].offset, &s, sizeof s);
    }
    hm_msg_encode(d, msg, &a);
    assert_int_equal(a.error, 0);
    assert_int_equal(hm_msg_decode(d, hm_buf_slice(&a), back), 0);
    hm_msg_encode(d, back, &b);
    assert_true(hm_slice_eq(hm_buf_slice(&a), hm_buf_slice(&b)));
    for (size_t cut = 1; cut < a.len; cut++) { /* a prefix is another message or none */
        struct hm_buf c = HM_BUF(4096);
        if (hm_msg_decode(d, hm_slice(a.data, cut), back) == 0) {
            hm_msg_encode(d, back, &c);
            assert_true(hm_slice_eq(hm_slice(a.data, cut), hm_buf_slice(&c)));
        }
        hm_buf_done(&c);
    }
    hm_buf_done(&a);
    hm_buf_done(&b);
}

static void every_message_comes_back_as_it_went(void **state)
{
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(wire_descs); i++)
        round_trip(wire_descs[i]);
    for (size_t i = 0; i < HM_ARRAY_LEN(agent_descs); i++)
        round_trip(agent_descs[i]);
    for (size_t i = 0; i < HM_ARRAY_LEN(server_descs); i++)
        round_trip(server_descs[i]);
}

static void what_is_not_canonical_is_refused(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        int expected;
    } rows[] = {
        {"empty is all zeros", "", 0, 0},
        {"epoch 5", "\x08\x05", 2, 0},
        {"epoch 5, lane 1, next 9", "\x08\x05\x10\x01\x18\x09", 6, 0},
        {"a zero that should be left out", "\x08\x00", 2, -EBADMSG},
        {"varint longer than needed", "\x08\x85\x00", 3, -EBADMSG},
        {"tag longer than needed", "\x88\x00\x05", 3, -EBADMSG},
        {"fields out of order", "\x10\x01\x08\x05", 4, -EBADMSG},
        {"a field twice", "\x08\x05\x08\x06", 4, -EBADMSG},
        {"unknown field", "\x20\x01", 2, -EBADMSG},
        {"field number 0", "\x00\x01", 2, -EBADMSG},
        {"bytes where a number belongs", "\x0a\x01x", 3, -EBADMSG},
        {"fixed64 wire type", "\x09\x01\x00\x00\x00\x00\x00\x00\x00", 9, -EBADMSG},
        {"varint cut short", "\x08\x85", 2, -EBADMSG},
        {"tag alone", "\x08", 1, -EBADMSG},
        {"varint of 11 bytes", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, -EBADMSG},
        {"varint over 64 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, -EBADMSG},
    };
    struct hm_msg_ack m;

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        int r = hm_msg_decode(&hm_desc_ack, hm_slice(rows[i].bytes, rows[i].len), &m);
        if (r != rows[i].expected)
            fail_msg("%s: %d", rows[i].name, r);
    }
}

static void lengths_that_lie_are_refused(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
    } rows[] = {
        {"longer than the message", "\x0a\x05hell", 6},
        {"longer than memory", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 12},
        {"empty bytes that should be left out", "\x0a\x00", 2},
        {"trailing byte", "\x0a\x01xy", 4},
    };
    struct hm_msg_batch m;

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        if (hm_msg_decode(&hm_desc_batch, hm_slice(rows[i].bytes, rows[i].len), &m) != -EBADMSG)
            fail_msg("%s was accepted", rows[i].name);
}

/* ---- frames ---- */

static void a_frame_is_seen_only_when_whole(void **state)
{
    struct hm_buf b = HM_BUF(4096);
    struct hm_msg_ping ping = {.id = 77}, back;
    uint16_t number;
    struct hm_slice payload;
    size_t used;

    (void)state;
    hm_frame_encode(&hm_desc_ping, &ping, &b);
    hm_frame_encode(&hm_desc_ping, &ping, &b);
    size_t one = b.len / 2;
    for (size_t n = 0; n < one; n++)
        assert_int_equal(hm_frame_peek(hm_slice(b.data, n), &number, &payload, &used), 0);
    assert_int_equal(hm_frame_peek(hm_buf_slice(&b), &number, &payload, &used), 1);
    assert_int_equal(number, HM_MSG_PING);
    assert_int_equal(used, one);
    assert_int_equal(hm_msg_decode(&hm_desc_ping, payload, &back), 0);
    assert_int_equal(back.id, 77);
    hm_buf_done(&b);
}

static void a_frame_over_the_maximum_is_refused_by_its_length_alone(void **state)
{
    uint16_t number;
    struct hm_slice payload;
    size_t used;
    static const uint8_t big[4] = {0x01, 0x00, 0x20, 0x00}, all[4] = {0xff, 0xff, 0xff, 0xff},
                         tiny[4] = {1, 0, 0, 0}, most[4] = {0, 0, 0x20, 0};

    (void)state;
    assert_int_equal(hm_frame_peek(hm_slice(big, 4), &number, &payload, &used), -EMSGSIZE);
    assert_int_equal(hm_frame_peek(hm_slice(all, 4), &number, &payload, &used), -EMSGSIZE);
    assert_int_equal(hm_frame_peek(hm_slice(tiny, 4), &number, &payload, &used), -EBADMSG);
    assert_int_equal(hm_frame_peek(hm_slice(most, 4), &number, &payload, &used), 0);
}

static void a_message_too_big_for_a_frame_leaves_the_buffer_as_it_was(void **state)
{
    struct hm_buf b = HM_BUF(8u << 20);
    struct hm_msg_batch m;
    uint8_t *data = calloc(1, HM_FRAME_MAX);

    (void)state;
    assert_non_null(data);
    m.data = hm_slice(data, HM_FRAME_MAX);
    hm_buf_puts(&b, "before");
    hm_frame_encode(&hm_desc_batch, &m, &b);
    assert_int_equal(b.error, -E2BIG);
    assert_int_equal(b.len, 6);
    hm_buf_done(&b);
    free(data);
}

/* ---- statements ---- */

static struct hm_key *new_key(uint8_t pub[HM_PUBKEY_BYTES])
{
    struct hm_key *k;
    assert_int_equal(hm_key_generate(&k), 0);
    hm_key_public(k, pub);
    return k;
}

static void a_statement_holds_for_its_key_and_domain_only(void **state)
{
    uint8_t pub[HM_PUBKEY_BYTES], other_pub[HM_PUBKEY_BYTES];
    struct hm_key *k = new_key(pub), *other = new_key(other_pub);
    struct hm_buf b = HM_BUF(4096);
    struct hm_slice payload;

    (void)state;
    assert_int_equal(hm_stmt_sign(k, HM_DOMAIN_TIME, hm_slice_str("now"), &b), 0);
    assert_int_equal(hm_stmt_verify(pub, HM_DOMAIN_TIME, hm_buf_slice(&b), &payload), 0);
    assert_true(hm_slice_eq(payload, hm_slice_str("now")));
    assert_int_equal(hm_stmt_verify(pub, HM_DOMAIN_ORDER, hm_buf_slice(&b), &payload),
                     -EKEYREJECTED);
    assert_int_equal(hm_stmt_verify(other_pub, HM_DOMAIN_TIME, hm_buf_slice(&b), &payload),
                     -EKEYREJECTED);
    hm_buf_done(&b);
    hm_key_free(k);
    hm_key_free(other);
}

static void no_flipped_bit_passes(void **state)
{
    uint8_t pub[HM_PUBKEY_BYTES];
    struct hm_key *k = new_key(pub);
    struct hm_buf b = HM_BUF(4096);
    struct hm_slice payload;

    (void)state;
    assert_int_equal(hm_stmt_sign(k, HM_DOMAIN_ORDER, hm_slice_str("an order"), &b), 0);
    for (size_t i = 0; i < b.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (uint8_t)(1 << bit);
            if (hm_stmt_verify(pub, HM_DOMAIN_ORDER, hm_buf_slice(&b), &payload) == 0)
                fail_msg("byte %zu bit %d", i, bit);
            b.data[i] ^= (uint8_t)(1 << bit);
        }
    hm_buf_done(&b);
    hm_key_free(k);
}

/* A signature over one domain must not be readable as one over another with a shifted border. */
static void the_border_between_domain_and_payload_is_signed(void **state)
{
    uint8_t pub[HM_PUBKEY_BYTES];
    struct hm_key *k = new_key(pub);
    struct hm_buf b = HM_BUF(4096), moved = HM_BUF(4096);
    struct hm_msg_signed_stmt m;
    struct hm_slice payload;

    (void)state;
    assert_int_equal(hm_stmt_sign(k, "a", hm_slice("b\0c", 3), &b), 0);
    assert_int_equal(hm_msg_decode(&hm_desc_signed_stmt, hm_buf_slice(&b), &m), 0);
    m.domain = hm_slice("a\0b", 3);
    m.payload = hm_slice_str("c");
    hm_msg_encode(&hm_desc_signed_stmt, &m, &moved);
    /* Our domains are texts without zero bytes, so such a statement has no domain to ask for. */
    assert_int_equal(hm_stmt_verify(pub, "a", hm_buf_slice(&moved), &payload), -EKEYREJECTED);
    hm_buf_done(&b);
    hm_buf_done(&moved);
    hm_key_free(k);
}

static void trust_goes_from_the_root_to_each_domain(void **state)
{
    uint8_t root_pub[HM_PUBKEY_BYTES], pub[HM_PUBKEY_BYTES], other_pub[HM_PUBKEY_BYTES];
    struct hm_key *root = new_key(root_pub), *k = new_key(pub), *other = new_key(other_pub);
    struct hm_buf set = HM_BUF(8192), swapped = HM_BUF(8192), forged = HM_BUF(8192);
    struct hm_msg_key_set m;
    struct hm_trust t;

    (void)state;
    assert_int_equal(hm_trust_make(root, pub, NULL, 7, &set), 0);
    assert_int_equal(hm_trust_open(root_pub, hm_buf_slice(&set), &t), 0);
    assert_memory_equal(t.order_key, pub, sizeof pub);
    assert_memory_equal(t.time_key, pub, sizeof pub);
    assert_int_equal(t.order_version, 7);
    assert_int_equal(hm_trust_open(other_pub, hm_buf_slice(&set), &t), -EKEYREJECTED);

    assert_int_equal(hm_msg_decode(&hm_desc_key_set, hm_buf_slice(&set), &m), 0);
    struct hm_msg_key_set s = {.order = m.time, .time = m.order};
    hm_msg_encode(&hm_desc_key_set, &s, &swapped);
    assert_int_equal(hm_trust_open(root_pub, hm_buf_slice(&swapped), &t), -EKEYREJECTED);

    assert_int_equal(hm_trust_make(other, other_pub, NULL, 8, &forged), 0);
    assert_int_equal(hm_trust_open(root_pub, hm_buf_slice(&forged), &t), -EKEYREJECTED);
    assert_int_equal(hm_trust_open(root_pub, hm_slice_str("x"), &t), -EBADMSG);
    hm_buf_done(&set);
    hm_buf_done(&swapped);
    hm_buf_done(&forged);
    hm_key_free(root);
    hm_key_free(k);
    hm_key_free(other);
}

/* ---- orders ---- */

static struct hm_msg_order good_order(void)
{
    return (struct hm_msg_order){.tenant = hm_slice_str("default"),
                                 .endpoint = hm_slice_str("0123456789abcdef"),
                                 .endpoint_key = hm_slice_str("0123456789abcdef0123456789abcdef"),
                                 .counter = 1,
                                 .id = hm_slice_str("fedcba9876543210"),
                                 .kind = HM_ORDER_KILL,
                                 .issued_ms = 1000,
                                 .not_after_ms = 61000,
                                 .process_key = 5,
                                 .tree = 1};
}

static int check_order(const struct hm_msg_order *o)
{
    struct hm_buf b = HM_BUF(65536);
    struct hm_msg_order back;

    hm_msg_encode(&hm_desc_order, o, &b);
    assert_int_equal(b.error, 0);
    int r = hm_order_check(hm_buf_slice(&b), &back);
    hm_buf_done(&b);
    return r;
}

static void an_order_that_is_not_sound_is_refused(void **state)
{
    static char text[HM_ORDER_TEXT_MAX + 1];
    struct hm_msg_order o = good_order();

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(check_order(&o), 0);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        o = good_order();                                                                          \
        change;                                                                                    \
        if (check_order(&o) != -EBADMSG)                                                           \
            fail_msg("accepted: " #change);                                                        \
    } while (0)
    REFUSED(o.kind = 99);
    REFUSED(o.counter = 0);
    REFUSED(o.endpoint.len = 15);
    REFUSED(o.endpoint_key.len = 31);
    REFUSED(o.id.len = 8);
    REFUSED(o.tenant.len = 0);
    REFUSED(o.not_after_ms = 1000);
    REFUSED(o.not_after_ms = 999);
    REFUSED(o.not_after_ms = 1001 + HM_ORDER_LIFE_MAX_MS);
    REFUSED(o.process_key = 0);
    REFUSED(o.tree = 2);
    REFUSED(o.alert = hm_slice_str("short"));
    REFUSED(o.reason = hm_slice(text, sizeof text));
    REFUSED(o.drill = hm_slice_str("reverse-shell"));
    REFUSED(o.kind = HM_ORDER_DRILL);
#undef REFUSED
}

static void orders_have_names_and_undo(void **state)
{
    (void)state;
    assert_string_equal(hm_order_by_kind(HM_ORDER_KILL)->d3fend, "D3-PT");
    assert_int_equal(hm_order_by_kind(HM_ORDER_ISOLATE)->undo, HM_ORDER_RELEASE);
    assert_null(hm_order_by_kind(2));
    assert_int_equal(hm_order_by_name(hm_slice_str("drill"))->kind, HM_ORDER_DRILL);
    assert_null(hm_order_by_name(hm_slice_str("kil")));
    assert_string_equal(hm_order_state_name(HM_ORDER_EXPIRED), "expired");
    assert_string_equal(hm_order_state_name(0), "unknown");
    assert_string_equal(hm_order_state_name(999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_ascend_and_numbers_are_used_once),
        cmocka_unit_test(every_message_comes_back_as_it_went),
        cmocka_unit_test(what_is_not_canonical_is_refused),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(a_frame_is_seen_only_when_whole),
        cmocka_unit_test(a_frame_over_the_maximum_is_refused_by_its_length_alone),
        cmocka_unit_test(a_message_too_big_for_a_frame_leaves_the_buffer_as_it_was),
        cmocka_unit_test(a_statement_holds_for_its_key_and_domain_only),
        cmocka_unit_test(no_flipped_bit_passes),
        cmocka_unit_test(the_border_between_domain_and_payload_is_signed),
        cmocka_unit_test(trust_goes_from_the_root_to_each_domain),
        cmocka_unit_test(an_order_that_is_not_sound_is_refused),
        cmocka_unit_test(orders_have_names_and_undo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
