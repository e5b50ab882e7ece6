/* The detection rules as they load from the rules folder, and those that were refused. Compiled at
 * most once in a while: a page that is reloaded must not cost a compilation each time. */
#include "detect/ruleset.h"
#include "server/api/route.h"
#include <errno.h>
#include <fcntl.h>

#define FRESH_MS    15000
#define PROBLEM_MAX 1000 /* listed; more are counted by the loader's log */

struct hm_rules_cache {
    struct hm_ruleset *rules;
    struct hm_rule_problem *problems;
    size_t problem_count;
    uint64_t loaded_ms;
};

void hm_rules_free(struct hm_rules_cache *r)
{
    if (!r)
        return;
    hm_ruleset_free(r->rules);
    free(r->problems);
    free(r);
}

static void take_problem(void *ctx, const struct hm_rule_problem *p)
{
    struct hm_rules_cache *r = ctx;

    if (r->problem_count < PROBLEM_MAX)
        r->problems[r->problem_count++] = *p;
}

static int load(int dir_fd, struct hm_rules_cache **ret)
{
    struct hm_rules_cache *r = calloc(1, sizeof *r);
    int e = -ENOMEM;

    if (r && (r->problems = calloc(PROBLEM_MAX, sizeof *r->problems)))
        e = hm_ruleset_load(dir_fd, take_problem, r, &r->rules);
    if (e) {
        hm_rules_free(r);
        return e;
    }
    r->loaded_ms = hm_control_now_ms();
    *ret = r;
    return 0;
}

static void write_rule(struct hm_jw *j, const struct hm_rule *r)
{
    static const char *const levels[] = {"informational", "informational", "low",
                                         "medium",        "high",          "critical"};

    hm_jw_obj(j, NULL);
    hm_jw_str(j, "id", r->id);
    hm_jw_str(j, "title", r->title);
    hm_jw_str(j, "title_ja", r->title_ja && *r->title_ja ? r->title_ja : r->title);
    hm_jw_str(j, "level", levels[r->severity <= 5 ? r->severity : 5]);
    hm_jw_words(j, "techniques", r->techniques);
    hm_jw_words(j, "tactics", r->tactics);
    hm_jw_str(j, "source", r->path);
    hm_jw_end_obj(j);
}

static void write_problem(struct hm_jw *j, const struct hm_rule_problem *p)
{
    hm_jw_obj(j, NULL);
    hm_jw_str(j, "source", p->path);
    hm_jw_u64(j, "line", p->error.line);
    hm_jw_u64(j, "column", p->error.column);
    hm_jw_str(j, "text", p->error.text);
    hm_jw_end_obj(j);
}

static void write_all(struct hm_jw *j, const struct hm_rules_cache *r)
{
    hm_jw_obj(j, NULL);
    hm_jw_arr(j, "items");
    for (size_t i = 0; i < hm_ruleset_count(r->rules); i++)
        write_rule(j, hm_ruleset_rule(r->rules, i));
    hm_jw_end_arr(j);
    hm_jw_arr(j, "problems");
    for (size_t i = 0; i < r->problem_count; i++)
        write_problem(j, &r->problems[i]);
    hm_jw_end_arr(j);
    hm_jw_end_obj(j);
}

void hm_handle_rules(struct hm_worker *w, struct hm_call *c)
{
    struct hm_shared *s = w->shared;
    struct hm_rules_cache *fresh = NULL;
    struct hm_jw j = hm_call_json(c, 200);
    int r = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->rules || hm_control_now_ms() - s->rules->loaded_ms > FRESH_MS) {
        r = load(s->rules_fd, &fresh);
        if (!r) {
            hm_rules_free(s->rules);
            s->rules = fresh;
        }
    }
    if (!r)
        write_all(&j, s->rules);
    pthread_mutex_unlock(&s->lock);
    if (r)
        hm_call_error(c, r);
}
