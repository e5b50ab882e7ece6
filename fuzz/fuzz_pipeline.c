/* A pipeline file is read or refused; what is read is applied to a rule with a bit of everything.
 */
#include "detect/sigma/collection.h"
#include "detect/sigma/pipeline.h"

static const char rule[] =
    "title: t\nid: i\nname: n\nlevel: high\nlogsource: {product: windows, category: "
    "process_creation}\nfields: [A]\ndetection:\n s: {A|contains|all: [x, 'y*'], B|expand: "
    "'%v%', C: null, D|fieldref: A, E|neq: 1, F|re: a.b, G|exists: true}\n k: [x, y]\n"
    " condition: s and not k\n---\ntitle: c\nid: c\ncorrelation: {type: event_count, rules: [n], "
    "group-by: [A], timespan: 1m, condition: {gte: 2}}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_pipeline *p = NULL;
    struct hm_error err = {0};
    if (hm_pipeline_parse(hm_slice(data, size), &p, &err))
        return 0;
    const struct hm_pipeline *list[] = {p, NULL};
    struct hm_names *names = hm_names_new();
    struct hm_sigma_options o = {.names = names, .pipelines = list};
    struct hm_sigma_collection *c = NULL;
    if (names && !hm_sigma_collection_new(&o, &c) &&
        !hm_sigma_collection_add(c, "fuzz", hm_slice_str(rule), NULL, NULL) &&
        !hm_sigma_collection_finish(c, NULL, NULL) && hm_sigma_rule_count(c)) {
        struct hm_buf out = HM_BUF(1 << 20);
        hm_ast_print(hm_sigma_rule_at(c, 0)->condition, names, &out);
        hm_buf_done(&out);
    }
    hm_sigma_collection_free(c);
    hm_names_free(names);
    hm_pipeline_free(p);
    return 0;
}
