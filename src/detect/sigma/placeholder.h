/* Tenant-supplied lists for the placeholders of the expand modifier. A file is a YAML map of names
 * to lists of values; a value is a Sigma string, so that it may hold wildcards. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <stddef.h>

struct hm_yaml;
struct hm_placeholders;
struct hm_placeholders *hm_placeholders_new(void); /* NULL: out of memory */
void hm_placeholders_free(struct hm_placeholders *p);
/* Add the lists of one file. Errors: -EINVAL with place (a name that is there already too);
 * -E2BIG over limits.h; -ENOMEM. */
int hm_placeholders_add(struct hm_placeholders *p, struct hm_slice text,
                        struct hm_error *err) HM_CHECK;
/* One more list by hand (pipelines). Texts are copied. */
int hm_placeholders_put(struct hm_placeholders *p, const char *name, const char *const *values,
                        size_t count) HM_CHECK;
/* The same out of a YAML value: text or a list of texts. */
int hm_placeholders_add_list(struct hm_placeholders *p, const struct hm_yaml *key,
                             const struct hm_yaml *value, struct hm_error *err) HM_CHECK;
/* Values of a name. NULL: not known. */
const char *const *hm_placeholders_get(const struct hm_placeholders *p, const char *name,
                                       size_t *ret_count);
