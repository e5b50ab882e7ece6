/* Owns how rules change while the engine runs: the new set is built by a thread while the old one
 * goes on matching, and takes its place between two events. A set that does not hold together is
 * refused and the old one stays. The thread touches its own result and nothing of the engine. */
#include "agent/engine/limits.h"
#include "agent/engine/process.h"
#include "agent/messages.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct hm_reload {
    pthread_t thread;
    _Atomic bool done;
    int dir_fd;
    uint64_t version, refused, took_ms;
    struct hm_ruleset *rules; /* NULL: result is why */
    struct hm_intel_sets *intel;
    int result;
    struct hm_buf problems; /* JSON objects, comma between */
    struct hm_buf policy;   /* rules.policy, empty when there is none */
};

static void add_problem(struct hm_reload *l, const char *source, uint32_t line, const char *text)
{
    if (l->refused++ >= HM_RELOAD_PROBLEMS_MAX)
        return;
    size_t before = l->problems.len;
    hm_buf_printf(&l->problems, "%s{\"source\":\"", before ? "," : "");
    hm_json_escape(hm_slice_str(source), &l->problems);
    hm_buf_printf(&l->problems, "\",\"line\":%u,\"text\":\"", line);
    hm_json_escape(hm_slice_str(text), &l->problems);
    hm_buf_puts(&l->problems, "\"}");
    if (l->problems.error) { /* full: what is whole stays */
        l->problems.len = before;
        l->problems.error = 0;
    }
}

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    hm_warn("rule %s line %u: %s", p->path, p->error.line, p->error.text);
    add_problem(ctx, p->path, p->error.line, p->error.text);
}

static void on_bad_set(void *ctx, const char *path, const char *why)
{
    hm_warn("indicators %s: %s", path, why);
    add_problem(ctx, path, 0, why);
}

static void read_policy(struct hm_reload *l)
{
    uint8_t part[4096];
    ssize_t n;
    hm_autoclose int fd = openat(l->dir_fd, "rules.policy", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0)
        hm_buf_put(&l->policy, part, (size_t)n);
}

static void *build(void *arg)
{
    struct hm_reload *l = arg;
    uint64_t began = hm_clock_mono_ns();
    read_policy(l);
    l->result = hm_ruleset_load(l->dir_fd, on_problem, l, &l->rules);
    if (l->result == 0)
        l->result = hm_intel_sets_load(l->dir_fd, on_bad_set, l, &l->intel);
    l->took_ms = (hm_clock_mono_ns() - began) / 1000000;
    atomic_store(&l->done, true);
    return NULL;
}

static struct hm_reload *begin(uint64_t version, int dir_fd)
{
    struct hm_reload *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->version = version;
    l->dir_fd = dir_fd;
    l->problems = HM_BUF(HM_RELOAD_TEXT_BYTES);
    l->policy = HM_BUF(HM_COSTS_POLICY_BYTES);
    return l;
}

static void end(struct hm_reload *l)
{
    if (!l)
        return;
    if (l->dir_fd >= 0)
        close(l->dir_fd);
    hm_ruleset_free(l->rules);
    hm_intel_sets_free(l->intel);
    hm_buf_done(&l->problems);
    hm_buf_done(&l->policy);
    free(l);
}

/* NULL: these rules may become active. One rule that is refused stops nobody; a set of which most
 * are refused was made for another program, and no rules at all are never what somebody wanted. */
static const char *objection(const struct hm_reload *l)
{
    size_t n = l->rules ? hm_ruleset_count(l->rules) : 0;
    if (l->result < 0)
        return strerror(-l->result);
    if (n == 0)
        return "there is no rule in it that this agent can use";
    return l->refused > n ? "more of its rules are refused than loaded" : NULL;
}

static void tell(struct hm_engine *g, const struct hm_reload *l, const struct hm_ruleset *rules,
                 const char *error)
{
    struct hm_buf list hm_auto(hm_buf_done) = HM_BUF(HM_RELOAD_TEXT_BYTES + 2);
    hm_buf_put_u8(&list, '[');
    hm_buf_put(&list, l->problems.data, l->problems.len);
    hm_buf_put_u8(&list, ']');
    struct hm_msg_content_loaded m = {.version = l->version,
                                      .active = error == NULL,
                                      .rules = rules ? hm_ruleset_count(rules) : 0,
                                      .refused = l->refused,
                                      .load_ms = l->took_ms,
                                      .problems = hm_buf_slice(&list),
                                      .error = hm_slice_str(error)};
    if (!hm_engine_tell(g, &hm_desc_content_loaded, &m))
        hm_warn("monitor could not be told what became of content version %llu",
                (unsigned long long)l->version);
}

/* At the start there is nothing to keep: what loads is used, and its problems are reported. */
int hm_engine_first_rules(struct hm_engine *g, uint64_t version, struct hm_error *err)
{
    struct hm_reload *l = begin(version, -1);
    if (!l)
        return hm_fail(err, -ENOMEM, "out of memory");
    l->dir_fd = g->fds[HM_ENGINE_RULES];
    build(l);
    l->dir_fd = -1; /* the engine's own */
    if (l->result < 0) {
        int r = hm_fail(err, l->result, "rules folder: %s", strerror(-l->result));
        end(l);
        return r;
    }
    g->rules = hm_steal(&l->rules);
    g->intel = hm_steal(&l->intel);
    g->reload = l; /* kept until monitor is told; its policy goes to the core */
    return 0;
}

void hm_engine_told_rules(struct hm_engine *g)
{
    if (hm_core_set_rules(g->core, g->rules, hm_buf_slice(&g->reload->policy)) < 0)
        hm_warn("out of memory: the policy of the rules does not count");
    tell(g, g->reload, g->rules, NULL);
    end(hm_steal(&g->reload));
}

static void refuse(struct hm_engine *g, uint64_t version, const char *why)
{
    struct hm_reload l = {.version = version};
    tell(g, &l, NULL, why);
}

int hm_engine_reload(struct hm_engine *g, uint64_t version, int dir_fd)
{
    struct hm_reload *l = g->reload ? NULL : begin(version, dir_fd);
    if (!l) {
        close(dir_fd);
        refuse(g, version, g->reload ? "other rules are being built" : "out of memory");
        return 0;
    }
    int r = pthread_create(&l->thread, NULL, build, l);
    if (r) {
        end(l);
        refuse(g, version, strerror(r));
        return 0;
    }
    g->reload = l;
    return 0;
}

void hm_engine_reload_tick(struct hm_engine *g)
{
    if (!g->reload || !atomic_load(&g->reload->done))
        return;
    struct hm_reload *l = hm_steal(&g->reload);
    pthread_join(l->thread, NULL);
    const char *no = objection(l);
    if (!no && hm_core_set_rules(g->core, l->rules, hm_buf_slice(&l->policy)) < 0)
        no = "out of memory";
    tell(g, l, l->rules, no);
    if (!no) {
        hm_info("content version %llu: %zu rules and %llu indicators are active, %llu refused, "
                "built in %llu ms",
                (unsigned long long)l->version, hm_ruleset_count(l->rules),
                (unsigned long long)hm_intel_sets_count(l->intel), (unsigned long long)l->refused,
                (unsigned long long)l->took_ms);
        struct hm_ruleset *old = g->rules;
        struct hm_intel_sets *old_intel = g->intel;
        hm_core_set_intel(g->core, l->intel);
        g->rules = hm_steal(&l->rules);
        g->intel = hm_steal(&l->intel);
        hm_ruleset_free(old);
        hm_intel_sets_free(old_intel);
        hm_engine_say_calls(g);
    } else {
        hm_warn("content version %llu is refused: %s", (unsigned long long)l->version, no);
    }
    end(l);
}

void hm_engine_reload_done(struct hm_engine *g)
{
    if (g->reload && g->reload->thread)
        pthread_join(g->reload->thread, NULL);
    end(hm_steal(&g->reload));
}
