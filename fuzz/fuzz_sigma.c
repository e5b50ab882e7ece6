/* Rule text → trees → rule set → match, and the set as bytes and back: whatever the text, it loads
 * or is refused. */
#include "detect/ast.h"
#include "detect/sigma/collection.h"

static void ignore(void *ctx, const struct hm_rule_problem *p)
{
}

static void use(const struct hm_sigma_collection *c, struct hm_names *names)
{
    static struct hm_event e;
    struct hm_ruleset_options o = {.target = HM_TARGET_EVENTS};
    struct hm_ruleset *rs = NULL, *again = NULL;
    struct hm_error err = {0};
    const uint32_t *rules;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/sh"));
    hm_event_set_u64(&e, HM_F_DST_PORT, 443);
    if (hm_ruleset_build(c, names, &o, &rs, &err))
        return;
    struct hm_buf blob = HM_BUF(64 << 20);
    struct hm_match_scratch *s = hm_match_scratch_sized(rs, 4096);
    size_t n = s ? hm_ruleset_match_event(rs, s, &e, &rules) : 0;
    hm_match_scratch_free(s);
    if (!hm_ruleset_write(rs, &blob) && !hm_ruleset_open(hm_buf_slice(&blob), &again)) {
        struct hm_match_scratch *t = hm_match_scratch_sized(again, 0);
        if (s && t && hm_ruleset_match_event(again, t, &e, &rules) != n)
            __builtin_trap();
        hm_match_scratch_free(t);
        hm_ruleset_free(again);
    }
    hm_buf_done(&blob);
    hm_ruleset_free(rs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_sigma_options o = {.names = hm_names_new()};
    struct hm_sigma_collection *c = NULL;
    if (o.names && !hm_sigma_collection_new(&o, &c) &&
        !hm_sigma_collection_add(c, "fuzz", hm_slice(data, size), ignore, NULL) &&
        !hm_sigma_collection_finish(c, ignore, NULL))
        use(c, o.names);
    hm_sigma_collection_free(c);
    hm_names_free(o.names);
    return 0;
}
