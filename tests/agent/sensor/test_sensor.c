/* What of the sensor needs no kernel and no root: records that must be refused, the consumer's
 * pace, the report's words. The rest is tests/behaviour. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"
#include "agent/sensor/calls.h"
#include "agent/sensor/report.h"
#include "agent/sensor/ring.h"
#include "event/event.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

union record {
    struct hm_rec_header h;
    struct hm_rec_exec exec;
    struct hm_rec_fork fork;
    struct hm_rec_exit exit;
    struct hm_rec_net net;
    struct hm_rec_call call;
    uint8_t bytes[1024];
};

static union record make(uint16_t type, uint32_t len)
{
    union record r = {.h = {.type = type, .version = HM_RECORD_VERSION, .length = len}};
    return r;
}

static union record make_exec(void)
{
    union record r = make(HM_REC_EXEC, sizeof r.exec + 16);
    r.exec.path = (struct hm_rec_str){sizeof r.exec, 9};
    r.exec.args = (struct hm_rec_str){sizeof r.exec + 9, 7};
    memcpy(r.bytes + sizeof r.exec, "/bin/echoecho\0hi", 16);
    return r;
}

static union record make_net(void)
{
    union record r = make(HM_REC_CONNECT, sizeof r.net);
    r.net.family = 4;
    r.net.direction = HM_NET_OUTBOUND;
    return r;
}

static int check(const union record *r, size_t len)
{
    return hm_record_check(hm_slice(r, len));
}

static void test_good_records(void **state)
{
    union record e = make_exec(), n = make_net();
    union record f = make(HM_REC_FORK, sizeof f.fork), x = make(HM_REC_EXIT, sizeof x.exit);
    assert_int_equal(check(&e, e.h.length), 0);
    assert_int_equal(check(&n, n.h.length), 0);
    assert_int_equal(check(&f, f.h.length), 0);
    assert_int_equal(check(&x, x.h.length), 0);
    union record c = make(HM_REC_CALL, sizeof c.call);
    assert_int_equal(check(&c, c.h.length), 0);
    assert_true(hm_slice_eq(hm_record_str(&e.h, e.exec.path), hm_slice_str("/bin/echo")));
    assert_true(hm_slice_eq(hm_record_str(&e.h, e.exec.args), hm_slice("echo\0hi", 7)));
    assert_int_equal(hm_record_str(&e.h, e.exec.env).len, 0);
}

static void test_every_cut_is_refused(void **state)
{
    union record all[] = {make_exec(), make_net(), make(HM_REC_FORK, sizeof(struct hm_rec_fork)),
                          make(HM_REC_EXIT, sizeof(struct hm_rec_exit)),
                          make(HM_REC_CALL, sizeof(struct hm_rec_call))};
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        for (uint32_t len = 0; len < all[i].h.length; len++) {
            union record r = all[i];
            assert_int_equal(check(&r, len), -EBADMSG); /* the ring says less than the record */
            r.h.length = len;
            assert_int_equal(check(&r, len), -EBADMSG); /* both say too little */
        }
}

static void test_lies_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        uint8_t value;
    } rows[] = {
        {"version", offsetof(struct hm_rec_header, version), HM_RECORD_VERSION + 1},
        {"type", offsetof(struct hm_rec_header, type), 99},
        {"type none", offsetof(struct hm_rec_header, type), 0},
        {"length", offsetof(struct hm_rec_header, length) + 3, 1},
        {"string before the tail", offsetof(struct hm_rec_exec, path), 8},
        {"string past the end", offsetof(struct hm_rec_exec, args) + 2, 8},
        {"string far past the end", offsetof(struct hm_rec_exec, args) + 3, 0xff},
        {"descriptor kind", offsetof(struct hm_rec_exec, stdio) + 1, HM_STDIO_OTHER + 1},
        {"family", offsetof(struct hm_rec_exec, stdio_family), 5},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        union record r = make_exec();
        r.bytes[rows[i].offset] = rows[i].value;
        if (check(&r, sizeof r.exec + 16) != -EBADMSG)
            fail_msg("%s was accepted", rows[i].name);
    }
    union record n = make_net();
    n.net.direction = 0;
    assert_int_equal(check(&n, sizeof n.net), -EBADMSG);
    n = make_net();
    n.net.family = 2;
    assert_int_equal(check(&n, sizeof n.net), -EBADMSG);
    n = make(HM_REC_CALL, sizeof n.call);
    n.call.call = hm_rare_count; /* beyond the table */
    assert_int_equal(check(&n, sizeof n.call), -EBADMSG);
    n = make(HM_REC_CALL, sizeof n.call);
    n.call.arg_count = 5;
    assert_int_equal(check(&n, sizeof n.call), -EBADMSG);
    n = make_exec();
    assert_int_equal(hm_record_check(hm_slice(n.bytes + 4, 240)), -EBADMSG); /* not aligned */
}

static void test_pace_sleeps_only_after_two_empty_looks(void **state)
{
    struct hm_ring_pace p = {0};
    assert_int_equal(hm_ring_pace(&p, 5), 2);
    assert_int_equal(hm_ring_pace(&p, 0), 2);
    assert_int_equal(hm_ring_pace(&p, 0), HM_SENSOR_IDLE_MS);
    assert_int_equal(hm_ring_pace(&p, 0), HM_SENSOR_IDLE_MS);
    assert_int_equal(hm_ring_pace(&p, 1), 2);
}

static void test_ring_refuses_other_descriptors(void **state)
{
    struct hm_ring *r = NULL;
    struct hm_error err = {0};
    hm_autoclose int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(hm_ring_open(fd, &r, &err), -EINVAL);
    assert_int_equal(hm_ring_open(-1, &r, &err), -ENOENT);
    assert_null(r);
}

static void test_every_program_has_a_name_and_a_class(void **state)
{
    for (int p = HM_PROG_EXEC; p <= HM_PROG_DNS; p++) {
        assert_true(hm_sensor_prog_name((enum hm_sensor_prog)p)[0] != 0);
        assert_true(hm_sensor_prog_class((enum hm_sensor_prog)p) != 0);
    }
    assert_int_equal(hm_sensor_prog_class(HM_PROG_COUNT), 0);
    assert_string_equal(hm_record_type_name(HM_REC_CLOSE), "close");
    assert_string_equal(hm_record_type_name(11), "unknown");
}

/* Logs are monitor's: said as seen or as not seen when an agent runs, and not at all otherwise. */
static void test_report_of_what_stands_beside(void **state)
{
    static const struct {
        struct hm_sensor_beside beside;
        const char *there, *not_there;
    } rows[] = {
        {{.logs = 2, .audit = true}, "\"name\":\"logs\"", "what services log"},
        {{.journal = true}, "\"name\":\"journal\"", "what services log"},
        {{.audit = true}, "what services log", "\"name\":\"logs\""},
        {{.logs = 1}, "not open to us", "\"name\":\"audit\""},
    };
    struct hm_probe_results all = {0};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        const struct hm_report r = {.probes = &all, .beside = &rows[i].beside, .problem = ""};
        struct hm_buf out = HM_BUF(64 * 1024);
        hm_report_json(&r, &out);
        assert_non_null(memmem(out.data, out.len, rows[i].there, strlen(rows[i].there)));
        assert_null(memmem(out.data, out.len, rows[i].not_there, strlen(rows[i].not_there)));
        hm_buf_done(&out);
    }
}

/* Without any sensor the report must say so, in both languages, and stay JSON. */
static void test_report_without_a_sensor(void **state)
{
    struct hm_probe_results none;
    for (int i = 0; i < HM_PROBE_COUNT; i++)
        none.error[i] = -ENOENT;
    const struct hm_report r = {.probes = &none, .problem = "no \"kernel\""};
    struct hm_buf out = HM_BUF(64 * 1024), text = HM_BUF(64 * 1024);
    hm_report_json(&r, &out);
    cJSON *j = cJSON_ParseWithLength((const char *)out.data, out.len);
    assert_non_null(j);
    assert_int_equal(cJSON_GetObjectItem(j, "tier")->valueint, 3);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(j, "attached")));
    assert_string_equal(cJSON_GetObjectItem(j, "problem")->valuestring, "no \"kernel\"");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(j, "active")), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(j, "probed")), HM_PROBE_COUNT);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(j, "blind")),
                     cJSON_GetArraySize(cJSON_GetObjectItem(j, "blind_ja")));
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(j, "blind")) >= 5);
    hm_report_text(&r, HM_LANG_JA, &text);
    assert_int_equal(text.error, 0);
    assert_non_null(memmem(text.data, text.len, "見えないもの", strlen("見えないもの")));
    cJSON_Delete(j);
    hm_buf_done(&out);
    hm_buf_done(&text);
}

static bool lists_files(const struct hm_report *r)
{
    struct hm_buf out = HM_BUF(64 * 1024), en = HM_BUF(64 * 1024), ja = HM_BUF(64 * 1024);
    hm_report_json(r, &out);
    hm_report_text(r, HM_LANG_EN, &en);
    hm_report_text(r, HM_LANG_JA, &ja);
    cJSON *j = cJSON_ParseWithLength((const char *)out.data, out.len), *part;
    int found = 0, blind = 0;
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(j, "active")) found +=
        strcmp(cJSON_GetObjectItem(part, "name")->valuestring, "files") == 0 &&
        cJSON_GetObjectItem(part, "detail")->valuestring[0] &&
        cJSON_GetObjectItem(part, "detail_ja")->valuestring[0];
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(j, "blind")) blind +=
        strncmp(part->valuestring, "file changes", 12) == 0;
    assert_true((memmem(en.data, en.len, "renamed", 7) != NULL) == (found == 1));
    assert_true((memmem(ja.data, ja.len, "機密ファイル", strlen("機密ファイル")) != NULL) ==
                (found == 1));
    assert_int_equal(found + blind, 1); /* seen or not seen, never both or neither */
    cJSON_Delete(j);
    hm_buf_done(&out);
    hm_buf_done(&en);
    hm_buf_done(&ja);
    return found == 1;
}

/* Marks are monitor's: the report says what it was told, and why not. */
static void test_report_of_watched_files(void **state)
{
    struct hm_probe_results all = {0}, none = {0};
    (void)state;
    none.error[HM_PROBE_FANOTIFY_NAME] = -ENOSYS;
    assert_true(lists_files(&(struct hm_report){.probes = &all, .files = true, .problem = ""}));
    assert_false(lists_files(&(struct hm_report){.probes = &all, .problem = ""}));
    assert_false(lists_files(&(struct hm_report){.probes = &none, .problem = ""}));
}

static void test_tier_needs_every_hook(void **state)
{
    struct hm_probe_results r = {0};
    assert_int_equal(hm_probe_tier(&r), 2);
    r.error[HM_PROBE_LSM] = -EPERM;
    assert_int_equal(hm_probe_tier(&r), 1);
    r.error[HM_PROBE_BTF] = -ENOENT;
    assert_int_equal(hm_probe_tier(&r), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_records),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_lies_are_refused),
        cmocka_unit_test(test_pace_sleeps_only_after_two_empty_looks),
        cmocka_unit_test(test_ring_refuses_other_descriptors),
        cmocka_unit_test(test_every_program_has_a_name_and_a_class),
        cmocka_unit_test(test_report_of_what_stands_beside),
        cmocka_unit_test(test_report_without_a_sensor),
        cmocka_unit_test(test_report_of_watched_files),
        cmocka_unit_test(test_tier_needs_every_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
