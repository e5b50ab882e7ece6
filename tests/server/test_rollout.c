/* When new content goes on and when it comes back: rows with a clock of their own, and the rows of
 * the control database behind them. */
#include "server/core/control_core.h"
#include "server/core/rollout.h"
#include "server/core/sql.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void stages_follow_the_table(void **state)
{
    static const struct {
        enum hm_stage from;
        enum hm_rollout_event event;
        enum hm_stage to;
    } rows[] = {
        {HM_STAGE_CANARY, HM_ROLLOUT_WAIT, HM_STAGE_CANARY},
        {HM_STAGE_CANARY, HM_ROLLOUT_SOAKED, HM_STAGE_EARLY},
        {HM_STAGE_EARLY, HM_ROLLOUT_SOAKED, HM_STAGE_ALL},
        {HM_STAGE_ALL, HM_ROLLOUT_SOAKED, HM_STAGE_IDLE},
        {HM_STAGE_CANARY, HM_ROLLOUT_BAD, HM_STAGE_RETURNING},
        {HM_STAGE_EARLY, HM_ROLLOUT_BAD, HM_STAGE_RETURNING},
        {HM_STAGE_ALL, HM_ROLLOUT_BAD, HM_STAGE_RETURNING},
        {HM_STAGE_RETURNING, HM_ROLLOUT_SOAKED, HM_STAGE_RETURNING},
        {HM_STAGE_RETURNING, HM_ROLLOUT_BAD, HM_STAGE_RETURNING},
        {HM_STAGE_RETURNING, HM_ROLLOUT_RETURNED, HM_STAGE_IDLE},
        {HM_STAGE_IDLE, HM_ROLLOUT_BAD, HM_STAGE_IDLE},
        {HM_STAGE_IDLE, HM_ROLLOUT_SOAKED, HM_STAGE_IDLE},
    };
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_rollout_next(rows[i].from, rows[i].event), rows[i].to);
}

static void rings_are_judged(void **state)
{
    enum { W = HM_ROLLOUT_WAIT, S = HM_ROLLOUT_SOAKED, B = HM_ROLLOUT_BAD };
    static const struct {
        const char *what;
        enum hm_stage stage;
        uint64_t after_s;
        struct hm_ring_health h;
        int want;
        const char *why;
    } rows[] = {
        {"nothing is rolled out", HM_STAGE_IDLE, 9999, {.endpoints = 5, .refused = 5}, W, ""},
        {"an empty ring", HM_STAGE_CANARY, 0, {0}, S, ""},
        {"all away", HM_STAGE_CANARY, 9999, {.endpoints = 3}, W, ""},
        {"healthy, too early",
         HM_STAGE_CANARY,
         99,
         {.endpoints = 2, .connected = 2, .have = 2},
         W,
         ""},
        {"healthy, soaked",
         HM_STAGE_CANARY,
         100,
         {.endpoints = 2, .connected = 2, .have = 2},
         S,
         ""},
        {"one has it not yet",
         HM_STAGE_CANARY,
         500,
         {.endpoints = 2, .connected = 2, .have = 1},
         W,
         ""},
        {"one is away", HM_STAGE_CANARY, 500, {.endpoints = 2, .connected = 1, .have = 1}, S, ""},
        {"one canary refuses",
         HM_STAGE_CANARY,
         0,
         {.endpoints = 50, .connected = 50, .have = 49, .refused = 1},
         B,
         "1 of 50"},
        {"one of fifty refuses later",
         HM_STAGE_EARLY,
         500,
         {.endpoints = 50, .connected = 50, .have = 49, .refused = 1},
         S,
         ""},
        {"three of fifty",
         HM_STAGE_EARLY,
         0,
         {.endpoints = 50, .connected = 50, .have = 47, .refused = 3},
         B,
         "did not take"},
        {"rules refused there",
         HM_STAGE_CANARY,
         0,
         {.endpoints = 2, .connected = 2, .have = 2, .worse = 1},
         B,
         "more of its rules"},
        {"engines end",
         HM_STAGE_CANARY,
         0,
         {.endpoints = 2, .connected = 2, .have = 2, .restarted = 1},
         B,
         "engine of 1"},
        {"one falls silent",
         HM_STAGE_ALL,
         0,
         {.endpoints = 2, .connected = 0, .have = 2, .silent = 1},
         W,
         ""},
        {"half falls silent",
         HM_STAGE_ALL,
         0,
         {.endpoints = 4, .connected = 1, .have = 4, .silent = 3},
         B,
         "fell silent"},
        {"as many alerts as ever",
         HM_STAGE_CANARY,
         100,
         {.endpoints = 1, .connected = 1, .have = 1, .alerts = 100, .usual = 100},
         S,
         ""},
        {"a few more",
         HM_STAGE_CANARY,
         100,
         {.endpoints = 1, .connected = 1, .have = 1, .alerts = 19, .usual = 0},
         S,
         ""},
        {"a jump from nothing",
         HM_STAGE_CANARY,
         10,
         {.endpoints = 1, .connected = 1, .have = 1, .alerts = 20, .usual = 0},
         B,
         "20 alerts where 0"},
        {"a jump below the factor",
         HM_STAGE_CANARY,
         10,
         {.endpoints = 9, .connected = 9, .have = 9, .alerts = 500, .usual = 100},
         W,
         ""},
        {"a jump above it",
         HM_STAGE_CANARY,
         10,
         {.endpoints = 9, .connected = 9, .have = 9, .alerts = 501, .usual = 100},
         B,
         "501 alerts"},
        {"while it returns", HM_STAGE_RETURNING, 10, {.endpoints = 9, .refused = 9}, W, ""},
    };
    struct hm_rollout r = {
        .candidate = 2, .since_ms = 1000000, .soak_s = 100, .alert_factor = 5, .alert_least = 20};
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_rollout_why why = {0};
        r.stage = rows[i].stage;
        int got = hm_rollout_judge(&r, &rows[i].h, r.since_ms + rows[i].after_s * 1000, &why);
        if (got != rows[i].want || !strstr(why.en, rows[i].why) || (got == B) != (why.ja[0] != 0))
            fail_msg("%s: %d %s", rows[i].what, got, why.en);
    }
}

static void endpoints_stay_in_their_ring(void **state)
{
    struct hm_rollout r = {.canary_percent = 5, .early_percent = 25, .canary_group = "canary"};
    size_t n[HM_RING_COUNT] = {0};
    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        uint8_t id[HM_ID_BYTES] = {0};
        memcpy(id, &i, sizeof i);
        enum hm_ring ring = hm_ring_of(&r, id, "office");
        assert_int_equal(ring, hm_ring_of(&r, id, "home"));
        assert_int_equal(hm_ring_of(&r, id, "canary"), HM_RING_CANARY);
        n[ring]++;
    }
    assert_in_range(n[HM_RING_CANARY], 400, 600);
    assert_in_range(n[HM_RING_EARLY], 2300, 2700);
    /* Who has the candidate in which stage. */
    static const bool has[HM_STAGE_COUNT][HM_RING_COUNT] = {
        [HM_STAGE_CANARY] = {true, false, false},
        [HM_STAGE_EARLY] = {true, true, false},
        [HM_STAGE_ALL] = {true, true, true}};
    r.stable = 7;
    r.candidate = 9;
    for (int s = 0; s < HM_STAGE_COUNT; s++)
        for (int ring = 0; ring < HM_RING_COUNT; ring++) {
            r.stage = (enum hm_stage)s;
            assert_int_equal(hm_rollout_target(&r, (enum hm_ring)ring), has[s][ring] ? 9 : 7);
        }
}

/* ---- with a database ---- */

static struct hm_control *open_control(char *path)
{
    struct hm_control_first first;
    struct hm_control *c = NULL;
    struct hm_error err = {0};
    snprintf(path, 64, "/tmp/hm-rollout.XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    if (hm_control_init(path, &first, &err) || hm_control_open(path, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static void close_control(struct hm_control *c, const char *path)
{
    static const char *const more[] = {"", "-wal", "-shm"};
    char name[64];
    hm_control_close(c);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, more[i]);
        unlink(name);
    }
}

static void add_version(struct hm_control *c, uint64_t v, const char *origin)
{
    struct hm_content_version_row r = {.tenant = "default",
                                       .version = v,
                                       .created_ms = v,
                                       .actor = "t",
                                       .origin = origin,
                                       .note = "",
                                       .size = 1,
                                       .stmt = hm_slice_str("s"),
                                       .report = ""};
    assert_int_equal(hm_content_version_add(c, &r), 0);
}

static int take_job(void *ctx, const struct hm_content_job_row *r)
{
    snprintf(ctx, 64, "%s %s %s", r->kind, r->spec, r->then);
    return 0;
}

static void publishing_and_returning(void **state)
{
    char path[64], job[64];
    struct hm_control *c = open_control(path);
    struct hm_rollout r;
    (void)state;
    assert_int_equal(hm_content_publish(c, "default", 1, false, 0, "t"), -ENOENT);
    assert_int_equal(hm_content_rollback(c, "default", 0, "x", "t"), -ENOENT);
    add_version(c, 1, "import:a");
    add_version(c, 2, "import:a");
    add_version(c, 3, "import:a");
    assert_int_equal(hm_content_publish(c, "default", 2, true, 0, "t"), 0);
    assert_int_equal(hm_content_publish(c, "default", 2, true, 0, "t"), -EALREADY);
    assert_int_equal(hm_content_publish(c, "default", 1, false, 0, "t"), -EPROTO);
    assert_int_equal(hm_content_publish(c, "default", 3, false, 60, "t"), 0);
    assert_int_equal(hm_rollout_get(c, "default", &r), 0);
    assert_true(r.stable == 2 && r.candidate == 3 && r.stage == HM_STAGE_CANARY && r.soak_s == 60);
    /* The candidate is taken back: the stable one's body comes as a new version. */
    assert_int_equal(hm_content_rollback(c, "default", 0, "bad", "automatic"), 0);
    assert_int_equal(hm_rollout_get(c, "default", &r), 0);
    assert_true(r.stage == HM_STAGE_RETURNING && hm_rollout_target(&r, HM_RING_CANARY) == 2);
    assert_string_equal(r.reason, "bad");
    assert_int_equal(hm_content_job_next(c, take_job, job), 0);
    assert_string_equal(job, "rollback 2 stable");
    assert_int_equal(hm_content_publish(c, "default", 3, false, 0, "t"), -EBUSY);
    assert_int_equal(hm_content_rollback(c, "default", 0, "bad", "t"), -EBUSY);
    close_control(c, path);
}

static void the_first_version_goes_back_to_the_package(void **state)
{
    char path[64], job[64];
    struct hm_control *c = open_control(path);
    (void)state;
    add_version(c, 1, "import:a");
    assert_int_equal(hm_content_publish(c, "default", 1, false, 0, "t"), 0);
    assert_int_equal(hm_content_rollback(c, "default", 0, "bad", "t"), 0);
    assert_int_equal(hm_content_job_next(c, take_job, job), 0);
    assert_string_equal(job, "packaged 0 stable");
    close_control(c, path);
}

static int count(void *ctx, struct hm_slice data)
{
    *(size_t *)ctx += data.len;
    return 0;
}

static void uploads_come_in_order(void **state)
{
    char path[64];
    uint8_t id[HM_ID_BYTES];
    size_t n = 0;
    struct hm_control *c = open_control(path);
    struct hm_content_job_new j = {"import", "site", "", "", "t", ""};
    (void)state;
    j.layer = "hinomi";
    assert_int_equal(hm_content_job_create(c, "default", &j, id), -EINVAL);
    j.layer = "../x";
    assert_int_equal(hm_content_job_create(c, "default", &j, id), -EINVAL);
    j.layer = "site";
    assert_int_equal(hm_content_job_create(c, "default", &j, id), 0);
    assert_int_equal(hm_content_job_ready(c, "default", id), -ENOENT); /* nothing was sent */
    assert_int_equal(hm_content_job_append(c, "default", id, 0, hm_slice_str("abc")), 0);
    assert_int_equal(hm_content_job_append(c, "default", id, 0, hm_slice_str("abc")), -EINVAL);
    assert_int_equal(hm_content_job_append(c, "default", id, 4, hm_slice_str("e")), -EINVAL);
    assert_int_equal(hm_content_job_append(c, "other", id, 3, hm_slice_str("d")), -EINVAL);
    assert_int_equal(hm_content_job_append(c, "default", id, 3, hm_slice_str("d")), 0);
    assert_int_equal(hm_content_job_ready(c, "default", id), 0);
    assert_int_equal(hm_content_job_append(c, "default", id, 4, hm_slice_str("e")), -EINVAL);
    assert_int_equal(hm_content_upload(c, "default", id, count, &n), 0);
    assert_int_equal(n, 4);
    /* The worker ends twice: it is not tried for ever. */
    assert_int_equal(hm_content_job_run(c, "default", id), 0);
    assert_int_equal(hm_content_job_again(c), 0);
    assert_int_equal(hm_content_job_run(c, "default", id), 0);
    assert_int_equal(hm_content_job_again(c), 0);
    assert_int_equal(hm_content_job_run(c, "default", id), -ENOENT);
    close_control(c, path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_follow_the_table),
        cmocka_unit_test(rings_are_judged),
        cmocka_unit_test(endpoints_stay_in_their_ring),
        cmocka_unit_test(publishing_and_returning),
        cmocka_unit_test(the_first_version_goes_back_to_the_package),
        cmocka_unit_test(uploads_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
