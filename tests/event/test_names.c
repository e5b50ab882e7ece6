/* Names and numbers: looked up both ways, unique, and the table's own rules. */
#include "test_event.h"
#include <stdio.h>

static void names_lead_to_their_row(void **state)
{
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        assert_int_equal(hm_field_by_name(hm_slice_str(hm_fields[f].name)), f);
        for (int g = 0; g < f; g++)
            assert_string_not_equal(hm_fields[g].column, hm_fields[f].column);
        assert_true(strlen(hm_fields[f].meaning) > 0);
        for (const char *c = hm_fields[f].column; *c; c++)
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
    }
    assert_int_equal(hm_field_by_name(hm_slice_str("process.imag")), -1);
    assert_int_equal(hm_field_by_name(hm_slice_str("Process.image")), -1);
    assert_int_equal(hm_field_by_name(hm_slice_str("")), -1);
    assert_string_equal(hm_fields[HM_F_PROCESS_COMMAND_LINE].column, "process_command_line");
    assert_string_equal(hm_fields[HM_F_WALL_NS].column, "time");
}

static void sigma_names_are_exact_and_the_first_row_wins(void **state)
{
    static const struct {
        const char *sigma;
        int field;
    } rows[] = {
        {"Image", HM_F_PROCESS_IMAGE},
        {"exe", HM_F_PROCESS_IMAGE},
        {"CommandLine", HM_F_PROCESS_COMMAND_LINE},
        {"TargetFilename", HM_F_FILE_PATH},
        {"sha256", HM_F_PROCESS_SHA256},
        {"Hashes", HM_F_PROCESS_SHA256},
        {"image", -1},
        {"Imag", -1},
        {"Image exe", -1},
        {"", -1},
        {" ", -1},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_field_by_sigma(hm_slice_str(rows[i].sigma)), rows[i].field);
    for (int f = 0; f < HM_FIELD_COUNT;
         f++) { /* whatever stands in the table is found, never later */
        char names[200], *save = NULL;
        snprintf(names, sizeof names, "%s", hm_fields[f].sigma);
        for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
            int got = hm_field_by_sigma(hm_slice_str(n));
            assert_true(got >= 0 && got <= f);
        }
    }
}

static void classes_and_actions_go_both_ways(void **state)
{
#define C(num, id, name, ocsf)                                                                     \
    assert_string_equal(hm_class_name(num), name);                                                 \
    assert_int_equal(hm_class_by_name(hm_slice_str(name)), num);
#include "event/classes.def"
#undef C
#define A(num, id, class, name)                                                                    \
    assert_string_equal(hm_action_name(num), name);                                                \
    assert_int_equal(hm_action_by_name(HM_CLASS_##class, hm_slice_str(name)), num);                \
    assert_int_equal((num) / 100, HM_CLASS_##class);
#include "event/actions.def"
#undef A
    assert_string_equal(hm_class_name(0), "unknown");
    assert_string_equal(hm_action_name(UINT64_MAX), "unknown");
    assert_int_equal(hm_class_by_name(hm_slice_str("unknown")), 0);
    assert_int_equal(hm_action_by_name(HM_CLASS_FILE, hm_slice_str("exec")), 0);
}

static void envelope_and_presence(void **state)
{
    static struct hm_event e;
    int envelope = 0;

    for (int f = 0; f < HM_FIELD_COUNT; f++)
        envelope += hm_fields[f].envelope;
    assert_int_equal(envelope, 7);
    assert_true(hm_fields[HM_F_TENANT].envelope && hm_fields[HM_F_BATCH].envelope);
    assert_false(hm_fields[HM_F_PROCESS_NAME].envelope);
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_FOREIGN_TEXT, 0);
    assert_true(hm_event_has(&e, HM_F_FOREIGN_TEXT));
    hm_event_unset(&e, HM_F_FOREIGN_TEXT);
    assert_false(hm_event_has(&e, HM_F_FOREIGN_TEXT));
    e.v[HM_F_SEQ].u64 = 7;
    assert_true(hm_event_u64(&e, HM_F_SEQ) == 0); /* absent reads as 0 whatever lies there */
    assert_int_equal(hm_event_str(&e, HM_F_PROCESS_IMAGE).len, 0);
}

int test_names(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_their_row),
        cmocka_unit_test(sigma_names_are_exact_and_the_first_row_wins),
        cmocka_unit_test(classes_and_actions_go_both_ways),
        cmocka_unit_test(envelope_and_presence),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
