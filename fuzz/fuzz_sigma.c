/* Rule text → rule set → match: whatever the text, it loads or is refused. */
#include "detect/limits.h"
#include "detect/sigma/rule.h"

static int drop_regex(void *ctx, struct hm_pattern *p)
{
    hm_pattern_done(p);
    *p = (struct hm_pattern){.kind = HM_PATTERN_EMPTY};
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hm_event e;
    struct hm_arena *a = hm_arena_new(64 << 20);
    struct hm_yaml *doc = NULL;
    struct hm_error err = {0};
    struct hm_sigma s = {.arena = a, .err = &err, .own_regex = drop_regex};
    struct hm_sigma_rule rule;
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/sh"));
    hm_event_set_u64(&e, HM_F_DST_PORT, 443);
    if (a && !hm_yaml_parse(hm_slice(data, size), 0, a, &doc, &err) && doc &&
        !hm_sigma_rule(&s, doc, "fuzz", 0, &rule) && rule.condition)
        hm_node_match(rule.condition, &e);
    hm_arena_free(a);
    return 0;
}
