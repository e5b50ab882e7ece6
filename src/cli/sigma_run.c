/* A collection at work: its correlations as the runtime wants them. */
#include "cli/sigma.h"
#include <stdlib.h>

int hm_sigma_correlator(const struct hm_sigma_set *s,
                        void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx,
                        struct hm_sigma_running *ret_run)
{
    size_t n = hm_sigma_correlation_count(s->collection);
    *ret_run = (struct hm_sigma_running){0};
    if (n == 0)
        return 0;
    ret_run->items = calloc(n, sizeof *ret_run->items);
    if (!ret_run->items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct hm_sigma_correlation *c = hm_sigma_correlation_at(s->collection, i);
        ret_run->items[i] =
            (struct hm_correlate_item){c->info.id, c->info.version, &c->correlation};
    }
    struct hm_correlate_set set = {.rules = hm_sigma_rule_count(s->collection),
                                   .count = n,
                                   .items = ret_run->items,
                                   .names = s->names};
    return hm_correlator_new(&set, NULL, problem, ctx, &ret_run->correlator);
}

void hm_sigma_running_done(struct hm_sigma_running *r)
{
    hm_correlator_free(r->correlator);
    free(r->items);
    *r = (struct hm_sigma_running){0};
}
