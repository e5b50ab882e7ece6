/* Rare system calls in the engine: the tables of sensor and rules agree, a record becomes an event
 * that a rule for auditd's records finds, and arguments of an exec keep their bounds. */
#include "rig.h"
#include "agent/sensor/calls.h"
#include "detect/coverage.h"
#include "detect/view/args.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void the_tables_name_the_same_calls(void **state)
{
    (void)state;
    const char *call;
    size_t n = 0;
    for (size_t i = 0; (call = hm_call_at(i)); i++, n++) {
        bool there = false;
        for (uint32_t k = 0; k < hm_rare_count; k++)
            there |= strcmp(hm_rare_name(k), call) == 0;
        if (!there)
            fail_msg("%s is in auditd.def and not in calls.def", call);
    }
    assert_int_equal(n, hm_rare_count);
}

static void a_call_becomes_an_event_and_an_alert(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){
        .rules_yaml = "title: t\nid: 00000000-0000-4000-8000-000000000009\nlevel: low\n"
                      "logsource: {product: linux, service: auditd}\n"
                      "detection:\n  s:\n    type: SYSCALL\n    SYSCALL: personality\n"
                      "    a0: 40000\n    exe: /tmp/x\n  condition: s\n"});
    _Alignas(8) struct hm_rec_call c = {.h = {.type = HM_REC_CALL,
                                              .version = HM_RECORD_VERSION,
                                              .length = sizeof c,
                                              .boot_ns = 9,
                                              .tgid = 30,
                                              .start_ns = 1,
                                              .euid = 7,
                                              .loginuid = UINT32_MAX},
                                        .call = HM_CALL_personality,
                                        .number = SYS_personality,
                                        .arg_count = 1,
                                        .args = {0x40000}};
    rig_exec(
        r, &(struct rig_exec){
               .pid = 30, .start_ns = 1, .boot_ns = 2, .path = "/tmp/x", .args = "x", .uid = 1000});
    assert_int_equal(hm_core_record(r->core, hm_slice(&c, sizeof c)), 0);
    rig_read(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_SYSCALL_CALL, 0);
    rig_assert_text(e, HM_F_SYSCALL_NAME, "personality");
    rig_assert_text(e, HM_F_PROCESS_IMAGE, "/tmp/x");
    assert_int_equal(hm_event_u64(e, HM_F_SYSCALL_A0), 0x40000);
    assert_int_equal(hm_event_u64(e, HM_F_USER_EUID), 7);
    assert_false(hm_event_has(e, HM_F_SYSCALL_A1));
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    assert_true(hm_ruleset_wants_call(r->rules, "personality"));
    assert_false(hm_ruleset_wants_call(r->rules, "mknod"));
    rig_free(r);
}

/* The rig puts a NUL for each space: an argument with a space in it is built by hand here. */
static void arguments_keep_their_bounds(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    uint8_t raw[4096];
    _Alignas(8) uint8_t record[4096];
    struct rig_exec x = {.pid = 31,
                         .start_ns = 1,
                         .boot_ns = 2,
                         .path = "/bin/sh",
                         .args = "sh -c id;_ls",
                         .uid = 1000};
    size_t n = rig_exec_bytes(&x, raw, sizeof raw);
    uint8_t *at = memmem(raw, n, "id;_ls", 6);
    assert_non_null(at);
    at[3] = ' ';
    memcpy(record, raw, n);
    assert_int_equal(hm_core_record(r->core, hm_slice(record, n)), 0);
    rig_read(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_PROCESS_EXEC, 0);
    struct hm_args args = {0};
    struct hm_slice arg;
    rig_assert_text(e, HM_F_PROCESS_COMMAND_LINE, "sh -c id; ls");
    assert_true(hm_args_at(&args, e, 2, &arg));
    assert_true(hm_slice_eq(arg, hm_slice_str("id; ls")));
    assert_false(hm_args_at(&args, e, 3, &arg));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_name_the_same_calls),
        cmocka_unit_test(a_call_becomes_an_event_and_an_alert),
        cmocka_unit_test(arguments_keep_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
