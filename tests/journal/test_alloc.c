/* Memory that runs out at every single allocation in turn: whatever happens is an error or success,
 * never a crash, a leak or a wrong record. An own program: malloc is wrapped by the linker. */
#include "test_alloc.h"
#include "base/arena.h"
#include "base/compress.h"
#include "base/map.h"
#include "journal/journal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static long countdown = -1; /* fails when it reaches 0; negative: never */
static unsigned failures;

static int fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return 0;
    failures++;
    return 1;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
    return fails() ? NULL : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int same(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    MUST(hm_slice_eq(hm_event_str(e, HM_F_PROCESS_IMAGE), hm_slice_str("/bin/true")));
    ++*(unsigned *)ctx;
    return 0;
}

/* Every scenario answers 0 or -ENOMEM and cleans up after itself. */
static int scenario_batch(const char *dir)
{
    struct hm_batch_head h = {.epoch = 1};
    struct hm_batch_writer *w = hm_batch_writer_new(&h);
    struct hm_buf out = HM_BUF(HM_BATCH_MAX_BYTES), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_buf json = HM_BUF(1 << 20);
    static struct hm_event e;
    unsigned put = 0, seen = 0;
    int r = w ? 0 : -ENOMEM;

    for (int i = 0; r >= 0 && i < 200; i++) {
        hm_event_clear(&e);
        hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/true"));
        r = hm_batch_add(w, &e);
        put += r >= 0;
    }
    if (w && put && hm_batch_close(w, &out) == 0) { /* what was accepted before is still good */
        int e2 = hm_batch_each(hm_buf_slice(&out), &raw, same, &seen);
        MUST(e2 == -ENOMEM ? seen == 0 : e2 == 0 && seen == put);
        r = e2 < 0 ? e2 : r;
    }
    hm_event_to_json(&e, &json);
    r = json.error ? json.error : r;
    hm_batch_writer_free(w);
    hm_buf_done(&out);
    hm_buf_done(&raw);
    hm_buf_done(&json);
    return r < 0 ? r : 0;
}

static int scenario_log(const char *dir)
{
    struct hm_log_options o = {.segment_bytes = 100};
    struct hm_log *l = NULL;
    struct hm_log_reader *rd = NULL;
    struct hm_slice s;
    uint64_t n;
    int r = hm_log_open(dir, &o, &l, NULL, NULL);

    for (int i = 0; r == 0 && i < 20; i++)
        r = hm_log_append(l, hm_slice_str("/bin/true"), NULL);
    if (r == 0)
        r = hm_log_reader_open(dir, &rd, NULL);
    while (r == 0 && (r = hm_log_reader_next(rd, &n, &s)) == 1) {
        MUST(hm_slice_eq(s, hm_slice_str("/bin/true")));
        r = 0;
        if (n + 1 == hm_log_next(l))
            break;
    }
    hm_log_reader_close(rd);
    hm_log_close(l);
    return r;
}

static int scenario_journal(const char *dir)
{
    struct hm_journal_options o = {.boot = 1, .quota_bytes = 10 << 20};
    struct hm_journal *j = NULL;
    static struct hm_event e;
    int r = hm_journal_open(dir, &o, &j, NULL, NULL);

    for (int i = 0; r == 0 && i < 30; i++) {
        hm_event_clear(&e);
        hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/true"));
        r = hm_journal_put(j, (enum hm_lane)(i % 10 == 0), &e);
    }
    if (r == 0 && (r = hm_journal_tick(j, 0, 0)) > 0)
        r = 0;
    hm_journal_close(j);
    return r;
}

static int scenario_containers(const char *dir)
{
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_map *m = hm_map_new(8, 1000);
    int r = a && m ? 0 : -ENOMEM;

    for (uint64_t i = 0; r == 0 && i < 500; i++) {
        uint64_t *v = hm_map_put(m, i, NULL);
        void *p = hm_arena_alloc(a, 100);
        if (!v || !p)
            r = -ENOMEM;
        if (v)
            *v = i;
    }
    for (uint64_t i = 0; m && i < hm_map_count(m); i++)
        MUST(hm_map_get(m, i));
    hm_arena_free(a);
    hm_map_free(m);
    return r;
}

static void run_all(const char *name, int (*scenario)(const char *dir), const char *folder)
{
    long n = 0;
    unsigned before = failures;
    char dir[600];

    for (;; n++) { /* one allocation later each time, until none fails any more */
        unsigned had = failures;
        snprintf(dir, sizeof dir, "%s-%s-%ld", folder, name, n);
        countdown = n;
        int r = scenario(dir);
        countdown = -1;
        if (r != 0 && r != -ENOMEM)
            fprintf(stderr, "%s, allocation %ld: %d\n", name, n, r);
        MUST(r == 0 || r == -ENOMEM);
        MUST(scenario(dir) == 0); /* what it left behind is good for the next start */
        if (failures == had)
            break;
    }
    printf("%s: %u allocations failed in turn\n", name, failures - before);
    MUST(failures > before);
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    run_all("batch", scenario_batch, argv[1]);
    run_all("containers", scenario_containers, argv[1]);
    run_all("log", scenario_log, argv[1]);
    run_all("journal", scenario_journal, argv[1]);
    return 0;
}
