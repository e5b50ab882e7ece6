/* docs/events.md is what the table says today. */
#include "test_event.h"
#include <stdio.h>

static void events_md_is_up_to_date(void **state)
{
    struct hm_buf want = HM_BUF(1 << 20), have = HM_BUF(1 << 20);
    FILE *f = fopen(HM_EVENTS_MD, "rb");
    char chunk[4096];

    assert_non_null(f);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        hm_buf_put(&have, chunk, n);
    fclose(f);
    hm_schema_markdown(&want);
    if (!hm_slice_eq(hm_buf_slice(&want), hm_buf_slice(&have)))
        fail_msg("docs/events.md is old: build/tools/hm-schema markdown > docs/events.md");
    hm_buf_done(&want);
    hm_buf_done(&have);
}

static void proto_names_every_field_once(void **state)
{
    struct hm_buf b = HM_BUF(1 << 20);

    hm_schema_proto(&b);
    hm_buf_put_u8(&b, 0);
    assert_int_equal(b.error, 0);
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        char want[100];
        snprintf(want, sizeof want, " %s = %u; // ", hm_fields[f].column, hm_fields[f].number);
        char *at = strstr((char *)b.data, want);
        assert_non_null(at);
        assert_null(strstr(at + 1, want));
    }
    hm_buf_done(&b);
}

int test_schema(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_md_is_up_to_date),
        cmocka_unit_test(proto_names_every_field_once),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
