/* Owns numbers and parts of times in SQL, by the rules of walk.c and instant.c. */
#include "detect/sql/parts.h"
#include <errno.h>

static const char *sign(enum hm_ast_op op)
{
    return op == HM_AST_LT ? "<" : op == HM_AST_LTE ? "<=" : op == HM_AST_GT ? ">" : ">=";
}

static void bound(struct hm_sql_build *b, const struct hm_ast_test *t, bool real)
{
    hm_buf_printf(&b->out->text, " %s ", sign(t->op));
    if (t->number.real || real)
        hm_sql_real(b, t->number.real ? t->number.d : (double)t->number.i);
    else
        hm_sql_integer(b, t->number.i);
}

/* Integers are compared exactly as long as both are ones. */
static void number(struct hm_sql_build *b, const struct hm_ast_test *t, const char *x,
                   const struct hm_sql_value *v)
{
    hm_sql_put(b, "CASE ");
    if (v->number) {
        hm_buf_printf(&b->out->text, "WHEN %s IS NOT NULL THEN %s", v->number, v->number);
        bound(b, t, false);
    }
    hm_buf_printf(&b->out->text,
                  " WHEN regexp_full_match(%s, '-?[0-9]+') AND TRY_CAST(%s AS BIGINT) IS NOT NULL "
                  "THEN TRY_CAST(%s AS BIGINT)",
                  x, x, x);
    bound(b, t, false);
    hm_buf_printf(&b->out->text,
                  " WHEN regexp_full_match(%s, '-?[0-9]|-?[0-9][0-9+.eE-]*[0-9]') "
                  "THEN TRY_CAST(%s AS DOUBLE)",
                  x, x);
    bound(b, t, true);
    hm_sql_put(b, " ELSE FALSE END");
}

static const char *const parts[] = {"", "minute", "hour", "day", "week", "month", "year"};

/* One comparison, or any of the numbers of an ANY_OF. */
static int part_is(struct hm_sql_build *b, const struct hm_ast_test *t, const char *time)
{
    size_t n = 0;
    if (t->op != HM_AST_ANY_OF) {
        hm_buf_printf(&b->out->text, "COALESCE(date_part('%s', %s)", parts[t->part], time);
        bound(b, t, false);
        hm_sql_put(b, ", FALSE)");
        return 0;
    }
    hm_buf_printf(&b->out->text, "COALESCE(date_part('%s', %s) IN (", parts[t->part], time);
    for (size_t i = 0; i < t->count; i++) {
        if (!t->patterns[i].is_number)
            continue;
        hm_sql_put(b, n++ ? ", " : "");
        hm_sql_integer(b, (int64_t)t->patterns[i].number);
    }
    hm_sql_put(b, n ? "), FALSE)" : "-1), FALSE)");
    return 0;
}

int hm_sql_compare(struct hm_sql_build *b, const struct hm_ast_test *t, const char *x,
                   const struct hm_sql_value *v)
{
    if (t->part == HM_PART_NONE) {
        number(b, t, x, v);
        return 0;
    }
    if (!v->time)
        return hm_sql_refuse(b, "a part of a time needs a column of times");
    return part_is(b, t, v->time);
}
