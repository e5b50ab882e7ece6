/* Processing pipelines: how the rules of the world fit the fields of one site, as data in the shape
 * that pySigma's users know, plus a section of ours (`logsources`) that says which JSON records
 * belong to a log source. Read once, immutable, shared by threads. */
#pragma once
#include "base/error.h"
#include "detect/logsource.h"

struct hm_pipeline;
/* Errors: -EINVAL with place (an unknown transformation, condition or key too); -E2BIG; -ENOMEM. */
int hm_pipeline_parse(struct hm_slice text, struct hm_pipeline **ret_p,
                      struct hm_error *err) HM_CHECK;
void hm_pipeline_free(struct hm_pipeline *p);
const char *hm_pipeline_name(const struct hm_pipeline *p);
int64_t hm_pipeline_priority(const struct hm_pipeline *p); /* lower ones are applied first */
/* Lives as long as the pipeline. Empty when it has no `logsources`. */
struct hm_source_table hm_pipeline_sources(const struct hm_pipeline *p);
