/* Inside of the SQL compiler. */
#pragma once
#include "detect/sql/sql.h"

struct hm_sql_build {
    struct hm_sql *out;
    const struct hm_names *names;
    const struct hm_sql_schema *schema;
    struct hm_error *err;
    struct hm_place place; /* of the test being compiled */
    bool folded;           /* texts at hand are folded already */
};
int hm_sql_refuse(struct hm_sql_build *b, const char *why) HM_CHECK;
void hm_sql_put(struct hm_sql_build *b, const char *text);
/* A parameter's number, "$n" appended. */
int hm_sql_text(struct hm_sql_build *b, struct hm_slice text) HM_CHECK; /* UTF-8 only */
int hm_sql_blob(struct hm_sql_build *b, struct hm_slice bytes) HM_CHECK;
void hm_sql_integer(struct hm_sql_build *b, int64_t v);
void hm_sql_real(struct hm_sql_build *b, double v);
/* x with ASCII letters folded, unless cased. */
void hm_sql_folded(struct hm_sql_build *b, const char *x, bool cased);

/* pattern.c: x is a VARCHAR that is not NULL. */
int hm_sql_pattern(struct hm_sql_build *b, const struct hm_pattern *p, const char *x,
                   const struct hm_sql_value *v) HM_CHECK;
/* regex.c: RE2's words for a PCRE2 expression, in arena. -ENOTSUP: *ret_why. */
int hm_sql_regex(const struct hm_pattern *p, struct hm_arena *a, const char **ret,
                 const char **ret_why) HM_CHECK;
/* number.c: numbers, times. */
int hm_sql_compare(struct hm_sql_build *b, const struct hm_ast_test *t, const char *x,
                   const struct hm_sql_value *v) HM_CHECK;
