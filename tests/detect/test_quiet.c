/* A recorded working day (tests/e2e/quiet: package installation, a C build, a browser, cron) is
 * replayed: of the rules that ship, nothing above "low" may match it. And the replay is no idle
 * one: what the day holds is counted, and a strange event in it is noticed. */
#include "event_from.h"
#include "detect/ruleset.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <cmocka.h>

#define DAY_MAX_BYTES (64u << 20)
#define LOW           2

struct replay {
    struct hm_ruleset *rules;
    struct hm_match_scratch *scratch;
    char *day;
    const char *line; /* being replayed */
    unsigned events, execs, files, low, loud;
};

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    (void)ctx;
    fail_msg("%s: %s", p->path, p->error.text);
}

static char *unpack(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_true(st.st_size > 0 && st.st_size <= 1024 * 1024); /* the record stays small */
    char *packed = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, packed, (size_t)st.st_size), st.st_size);
    close(fd);
    unsigned long long len = ZSTD_getFrameContentSize(packed, (size_t)st.st_size);
    assert_true(len > 0 && len < DAY_MAX_BYTES);
    char *text = malloc(len + 1);
    assert_int_equal(ZSTD_decompress(text, len, packed, (size_t)st.st_size), len);
    text[len] = 0;
    free(packed);
    return text;
}

static void put(struct hm_event *e, struct hm_arena *a, const cJSON *m)
{
    char number[32];
    snprintf(number, sizeof number, "%.0f", m->valuedouble);
    event_put(e, a, m->string, cJSON_IsString(m) ? m->valuestring : number);
}

static void event_of(const char *line, struct hm_event *e, struct hm_arena *a)
{
    cJSON *j = cJSON_Parse(line);
    const cJSON *m, *class = cJSON_GetObjectItemCaseSensitive(j, "class"),
                    *action = cJSON_GetObjectItemCaseSensitive(j, "action");
    assert_true(cJSON_IsString(class) && cJSON_IsString(action));
    hm_event_clear(e);
    uint64_t number = hm_class_by_name(hm_slice_str(class->valuestring));
    hm_event_set_u64(e, HM_F_CLASS, number);
    hm_event_set_u64(e, HM_F_ACTION, hm_action_by_name(number, hm_slice_str(action->valuestring)));
    assert_true(hm_event_u64(e, HM_F_ACTION) != 0);
    cJSON_ArrayForEach(m, j)
    {
        if (m != class && m != action)
            put(e, a, m);
    }
    cJSON_Delete(j);
}

static void on_hit(void *ctx, const struct hm_rule *r)
{
    struct replay *p = ctx;
    if (r->severity <= LOW) {
        p->low++;
        return;
    }
    p->loud++;
    print_error("%s: %.300s\n", r->title, p->line);
}

static void replay_line(struct replay *p, const char *line)
{
    static struct hm_event e;
    struct hm_arena *a = hm_arena_new(1 << 20);
    p->line = line;
    event_of(line, &e, a);
    p->events++;
    p->execs += hm_event_u64(&e, HM_F_ACTION) == HM_ACTION_PROCESS_EXEC;
    p->files += hm_event_u64(&e, HM_F_CLASS) == HM_CLASS_FILE;
    hm_ruleset_match(p->rules, p->scratch, &e, on_hit, p);
    hm_arena_free(a);
}

static int setup(void **state)
{
    static struct replay p;
    int fd = open(HM_RULES_DIR, O_RDONLY | O_DIRECTORY);
    assert_int_equal(hm_ruleset_load(fd, on_problem, NULL, &p.rules), 0);
    close(fd);
    p.scratch = hm_match_scratch_new(p.rules);
    p.day = unpack(HM_QUIET_DIR "/day.ndjson.zst");
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct replay *p = *state;
    hm_match_scratch_free(p->scratch);
    hm_ruleset_free(p->rules);
    free(p->day);
    return 0;
}

static void a_working_day_raises_nothing_above_low(void **state)
{
    struct replay *p = *state;
    p->events = p->execs = p->files = p->low = p->loud = 0;
    char *end;
    for (char *line = p->day; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        replay_line(p, line);
    }
    print_message("%u events: %u program starts, %u file events; %u of low severity matched\n",
                  p->events, p->execs, p->files, p->low);
    assert_int_equal(p->loud, 0);
    assert_true(p->execs > 1000 && p->files > 1000 && p->low > 0);
}

static void a_strange_event_in_it_is_noticed(void **state)
{
    struct replay *p = *state;
    p->loud = 0;
    replay_line(p, "{\"class\":\"process\",\"action\":\"exec\",\"process.image\":\"/dev/shm/x\","
                   "\"process.command_line\":\"./x\",\"user.name\":\"hanako\"}");
    replay_line(p, "{\"class\":\"file\",\"action\":\"write\",\"process.image\":\"/usr/bin/tee\","
                   "\"file.path\":\"/etc/ld.so.preload\"}");
    assert_int_equal(p->loud, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_working_day_raises_nothing_above_low),
        cmocka_unit_test(a_strange_event_in_it_is_noticed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
