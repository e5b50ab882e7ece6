/* JSON: exact text for the contract, and validity whatever the bytes, judged by cJSON. */
#include "test_event.h"
#include <cjson/cJSON.h>
#include <stdlib.h>

static char *json_of(const struct hm_event *e)
{
    struct hm_buf b = HM_BUF(4 << 20);

    hm_event_to_json(e, &b);
    hm_buf_put_u8(&b, 0);
    assert_int_equal(b.error, 0);
    return (char *)b.data;
}

static void follows_the_contract(void **state)
{
    static const uint8_t ip[] = {203, 0, 113, 9}, sha[] = {0xde, 0xad, 0x00};
    static struct hm_event e;

    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_NETWORK);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_NETWORK_CONNECT);
    hm_event_set_u64(&e, HM_F_BOOT_NS, 12);
    hm_event_set_u64(&e, HM_F_WALL_NS, UINT64_C(1763762400123456789));
    hm_event_set_u64(&e, HM_F_PROCESS_KEY, 0xabc);
    hm_event_set_u64(&e, HM_F_PROCESS_PID, 4242);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/sh"));
    hm_event_set_u64(&e, HM_F_EPOCH, 1);
    hm_event_set(&e, HM_F_PROCESS_SHA256, hm_slice(sha, 3));
    hm_event_set(&e, HM_F_DST_IP, hm_slice(ip, 4));
    hm_event_set_u64(&e, HM_F_DST_PORT, 0);
    char *s = json_of(&e);
    assert_string_equal(
        s,
        "{\"class\":\"network\",\"action\":\"connect\",\"boot_ns\":\"12\","
        "\"time\":\"1763762400123456789\",\"@time\":\"2025-11-21T22:00:00.123Z\","
        "\"process.key\":\"0000000000000abc\",\"process.pid\":4242,\"process.image\":\"/bin/sh\","
        "\"epoch\":\"0000000000000001\",\"process.sha256\":\"dead00\",\"dst.ip\":\"203.0.113.9\","
        "\"dst.port\":0}");
    free(s);
}

static void escapes_hostile_bytes(void **state)
{
    static const struct {
        const char *in, *out;
        size_t len;
    } rows[] = {
        {"plain", "plain", 5},
        {"\"}],\\", "\\\"}],\\\\", 5},
        {"a\0b", "a\\u0000b", 3},
        {"\n\r\t\x1b[2J\x7f", "\\u000a\\u000d\\u0009\\u001b[2J\\u007f", 8},
        {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 6},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 4},
        {"\xff\xfe", "\\u00ff\\u00fe", 2},
        {"\xc0\xaf", "\\u00c0\\u00af", 2},                       /* overlong slash */
        {"\xe0\x80\xaf", "\\u00e0\\u0080\\u00af", 3},            /* overlong again */
        {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080", 3},            /* surrogate */
        {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080", 4}, /* past U+10FFFF */
        {"\xe6\x97", "\\u00e6\\u0097", 2},                       /* cut */
        {"\xe6\x97\xa5", "\\u00e6\\u0097", 2},   /* what follows is not ours to read */
        {"\xe6\x97\"", "\\u00e6\\u0097\\\"", 3}, /* cut before a quote */
        {"\x80", "\\u0080", 1},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf b = HM_BUF(1000);
        hm_json_escape(hm_slice(rows[i].in, rows[i].len), &b);
        hm_buf_put_u8(&b, 0);
        assert_string_equal((char *)b.data, rows[i].out);
        hm_buf_done(&b);
    }
}

/* All strings of all fields from random bytes: still valid, every name there, length readable. */
static void is_valid_whatever_the_bytes(void **state)
{
    static uint8_t store[HM_FIELD_COUNT][64];
    static struct hm_event e;

    for (uint64_t seed = 0; seed < 300; seed++) {
        fill_all(&e, seed, store);
        char *s = json_of(&e);
        cJSON *o = cJSON_ParseWithOpts(s, NULL, 1);
        if (!o)
            fail_msg("seed %d: %s", (int)seed, s);
        for (int f = 0; f < HM_FIELD_COUNT; f++)
            assert_non_null(cJSON_GetObjectItemCaseSensitive(o, hm_fields[f].name));
        cJSON_Delete(o);
        free(s);
    }
}

static void evidence_is_a_list_of_objects(void **state)
{
    static struct hm_event e, alert;
    struct hm_buf list = HM_BUF(1000);

    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("a"));
    hm_event_pack(&e, &list);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("b"));
    hm_event_set(&e, HM_F_ALERT_EVIDENCE, hm_buf_slice(&list)); /* a list within the list: bytes */
    hm_event_pack(&e, &list);
    hm_event_clear(&alert);
    hm_event_set(&alert, HM_F_ALERT_EVIDENCE, hm_buf_slice(&list));
    char *s = json_of(&alert);
    assert_string_equal(s,
                        "{\"alert.evidence\":[{\"process.image\":\"a\"},{\"process.image\":\"b\","
                        "\"alert.evidence\":\"03420161\"}]}");
    free(s);
    hm_event_set(&alert, HM_F_ALERT_EVIDENCE, hm_slice(list.data, list.len - 1));
    s = json_of(&alert); /* not a list of events: as it is */
    assert_int_equal(strncmp(s, "{\"alert.evidence\":\"0342016", 24), 0);
    free(s);
    hm_event_set(&alert, HM_F_ALERT_EVIDENCE, (struct hm_slice){0});
    s = json_of(&alert);
    assert_string_equal(s, "{\"alert.evidence\":[]}");
    free(s);
    hm_buf_done(&list);
}

static void unknown_fields_are_counted(void **state)
{
    static const uint8_t in[] = {0xb8, 0x01, 7};
    static struct hm_event e;

    assert_int_equal(hm_event_decode(hm_slice(in, sizeof in), &e), 0);
    char *s = json_of(&e);
    assert_string_equal(s, "{\"@unknown\":1}");
    free(s);
}

int test_json(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_contract),
        cmocka_unit_test(escapes_hostile_bytes),
        cmocka_unit_test(is_valid_whatever_the_bytes),
        cmocka_unit_test(evidence_is_a_list_of_objects),
        cmocka_unit_test(unknown_fields_are_counted),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
