/* DNS answers: what is read from their bytes, what is refused, and the name a connection then has.
 */
#include "rig.h"
#include "agent/engine/dns.h"
#include "agent/engine/limits.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD    "\x12\x34\x81\x80\0\1"
#define NOTHING "\0\0\0\0"
#define ASK     "\4host\4test\0\0\1\0\1"
#define A_ROW   "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"

static int reads(const char *bytes, size_t len, struct hm_dns_answer *a)
{
    *a = (struct hm_dns_answer){.answers = HM_BUF(4096)};
    return hm_dns_read(hm_slice(bytes, len), a);
}

static void answers_are_read(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *name, *answers;
        unsigned type, rcode;
        size_t addresses;
    } rows[] = {
#define M(s) s, sizeof(s) - 1
        {M(HEAD "\0\1" NOTHING ASK A_ROW), "host.test", "192.0.2.7", 1, 0, 1},
        {M("\x12\x34\x81\x83\0\1\0\0" NOTHING ASK), "host.test", "", 1, 3, 0},
        {M(HEAD "\0\2" NOTHING ASK "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\7\4real\xc0\x11"
                "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"),
         "host.test", "real.test 192.0.2.7", 1, 0, 1},
        {M(HEAD "\0\1" NOTHING "\1x\0\0\x1c\0\1"
                "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
         "x", "2001:db8::1", 28, 0, 1},
        /* cut in the second record: the first one stands */
        {M(HEAD "\0\2" NOTHING ASK A_ROW "\xc0\x0c\0\1"), "host.test", "192.0.2.7", 1, 0, 1},
        /* bytes that would change a terminal or make another name */
        {M(HEAD "\0\0" NOTHING "\4a\x1b.\n\0\0\1\0\1"), "a???", "", 1, 0, 0},
#undef M
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_dns_answer a;
        assert_int_equal(reads(rows[i].bytes, rows[i].len, &a), 0);
        assert_string_equal(a.name, rows[i].name);
        assert_true(hm_slice_eq(hm_buf_slice(&a.answers), hm_slice_str(rows[i].answers)));
        assert_int_equal(a.type, rows[i].type);
        assert_int_equal(a.rcode, rows[i].rcode);
        assert_int_equal(a.address_count, rows[i].addresses);
        hm_buf_done(&a.answers);
    }
}

static void lies_are_refused(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
    } rows[] = {
#define M(s) s, sizeof(s) - 1
        {"a question", M("\x12\x34\x01\0\0\1\0\0" NOTHING ASK)},
        {"two questions", M("\x12\x34\x81\x80\0\2\0\0" NOTHING ASK ASK)},
        {"too short", M("\x12\x34\x81")},
        {"a pointer to itself", M(HEAD "\0\0" NOTHING "\xc0\x0c\0\1\0\1")},
        {"a pointer forward", M(HEAD "\0\0" NOTHING "\xc0\x20\0\1\0\1")},
        {"a label past the end", M(HEAD "\0\0" NOTHING "\x3fhost")},
        {"a label of a kind that is not", M(HEAD "\0\0" NOTHING "\x80host\0\0\1\0\1")},
        {"no type", M(HEAD "\0\0" NOTHING "\4host\0\0")},
#undef M
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_dns_answer a;
        if (reads(rows[i].bytes, rows[i].len, &a) != -EBADMSG)
            fail_msg("%s was read", rows[i].what);
        hm_buf_done(&a.answers);
    }
}

static void a_name_may_not_grow_past_its_room(void **state)
{
    /* a label of 63 letters that its successors point back to: each doubles nothing */
    char bytes[1024] = HEAD "\0\0" NOTHING;
    size_t at = 12;
    for (int i = 0; i < 5; i++) {
        bytes[at++] = 63;
        memset(bytes + at, 'a', 63);
        at += 63;
    }
    bytes[at++] = 0;
    memcpy(bytes + at, "\0\1\0\1", 4);
    struct hm_dns_answer a;
    assert_int_equal(reads(bytes, at + 4, &a), -EBADMSG);
    hm_buf_done(&a.answers);
}

static void dns_record(struct rig *r, const char *message, size_t len, uint64_t boot_ns)
{
    _Alignas(8) struct {
        struct hm_rec_dns d;
        char payload[512];
    } m = {.d = {.h = {.type = HM_REC_DNS,
                       .version = HM_RECORD_VERSION,
                       .length = (uint32_t)(sizeof m.d + len),
                       .boot_ns = boot_ns,
                       .tgid = 40,
                       .start_ns = 1},
                 .payload = {sizeof m.d, (uint16_t)len}}};
    memcpy(m.payload, message, len);
    assert_int_equal(hm_core_record(r->core, hm_slice(&m, sizeof m.d + len)), 0);
}

static void a_connection_has_the_name_that_led_to_it(void **state)
{
    static const char message[] = HEAD "\0\1" NOTHING ASK A_ROW;
    static const uint8_t ip[4] = {192, 0, 2, 7}, other[4] = {192, 0, 2, 8};
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){.pid = 40,
                                   .start_ns = 1,
                                   .boot_ns = 2,
                                   .path = "/bin/curl",
                                   .args = "curl",
                                   .uid = 1000});
    dns_record(r, message, sizeof message - 1, 1000);
    rig_connect(r, 40, 1, 2000, ip, 443, 0);
    rig_connect(r, 40, 1, 2001, other, 443, 0);
    rig_connect(r, 40, 1, 1000 + HM_DNS_NAME_NS + 1, ip, 443, 0);
    dns_record(r, "junk from port 53", 17, 3000);
    rig_read(r);
    const struct hm_event *q = rig_find(r, HM_ACTION_DNS_QUERY, 0);
    rig_assert_text(q, HM_F_DNS_QUERY_NAME, "host.test");
    rig_assert_text(q, HM_F_DNS_ANSWERS, "192.0.2.7");
    rig_assert_text(q, HM_F_PROCESS_IMAGE, "/bin/curl");
    assert_int_equal(rig_count(r, HM_ACTION_DNS_QUERY), 1);
    rig_assert_text(rig_find(r, HM_ACTION_NETWORK_CONNECT, 0), HM_F_DST_DOMAIN, "host.test");
    assert_false(hm_event_has(rig_find(r, HM_ACTION_NETWORK_CONNECT, 1), HM_F_DST_DOMAIN));
    assert_false(hm_event_has(rig_find(r, HM_ACTION_NETWORK_CONNECT, 2), HM_F_DST_DOMAIN));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(a_name_may_not_grow_past_its_room),
        cmocka_unit_test(a_connection_has_the_name_that_led_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
