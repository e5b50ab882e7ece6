/* bench store, hunt: journal records to Parquet, and questions over them. Prints the metrics of the
 * budget table as JSON lines. Usage: bench_store EVENTS (default 1,000,000). */
#include "base/clock.h"
#include "../tests/server/world.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int add_bytes(void *ctx, const char *tenant, const char *file, uint64_t bytes)
{
    *(uint64_t *)ctx += bytes;
    return 0;
}

static void store(struct world *w, uint64_t n)
{
    uint64_t bytes = 0;
    double cpu = cpu_us(), wall = (double)hm_clock_mono_ns();
    world_store_all(w);
    cpu = cpu_us() - cpu;
    wall = ((double)hm_clock_mono_ns() - wall) / 1e9;
    if (hm_segment_all(w->c, add_bytes, &bytes))
        abort();
    printf("{\"bench\":\"store\",\"metric\":\"bytes_per_event\",\"value\":%.1f}\n",
           (double)bytes / (double)n);
    printf("{\"bench\":\"store\",\"metric\":\"cpu_us_per_event\",\"value\":%.2f}\n",
           cpu / (double)n);
    printf("{\"bench\":\"store\",\"metric\":\"events_per_s\",\"value\":%.0f}\n", (double)n / wall);
}

static void ask(struct world *w, const char *metric, const struct hm_hunt_query *q)
{
    struct hunt_answer a;
    double wall = (double)hm_clock_mono_ns();
    world_hunt(w, q, &a);
    wall = ((double)hm_clock_mono_ns() - wall) / 1e6;
    printf("{\"bench\":\"hunt\",\"metric\":\"%s\",\"value\":%.0f,\"unit\":\"ms\",\"rows\":%" PRIu64
           ",\"done\":%s}\n",
           metric, wall, a.rows, a.done ? "true" : "false");
    hunt_answer_done(&a);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-p") == 0)
        return hm_hunt_main(argc, argv);
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct world *w = world_new();
    struct feed *f = feed_new(w->log, "default", 1);
    feed_many(f, n);
    feed_close_batches(f);
    store(w, n);
    ask(w, "newest_100_ms", &(struct hm_hunt_query){.tenant = "default"});
    ask(w, "substring_rare_ms", &(struct hm_hunt_query){.tenant = "default", .q = "--FLAG 777"});
    ask(w, "substring_absent_ms",
        &(struct hm_hunt_query){.tenant = "default", .q = "nothing like it"});
    ask(w, "process_ms",
        &(struct hm_hunt_query){.tenant = "default", .process_key = 0xabc00000ull + 500});
    feed_free(f);
    world_free(w);
    return 0;
}
