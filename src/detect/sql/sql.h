/* A syntax tree as the condition of a SELECT in DuckDB's dialect. Every value of the rule is a
 * bound parameter; the text holds only our own words and what the schema says. Each atom is TRUE or
 * FALSE, never NULL, so that NOT means what it means to the matcher. Knows no DuckDB library. */
#pragma once
#include "detect/ast.h"

struct hm_sql_value {    /* how one field is read; expressions are SQL, NULL = not possible */
    const char *text;    /* VARCHAR, NULL when the field is absent or null */
    const char *list;    /* or VARCHAR[]: any item may match; items that are NULL count as null */
    const char *present; /* BOOLEAN: it is there, whatever it is; NULL: text or list is not NULL */
    const char *number;  /* an integer type, for fields that hold numbers only */
    const char *ip;      /* BLOB of 4 or 16 bytes */
    const char *time;    /* TIMESTAMP in UTC */
};
struct hm_sql_schema {
    /* false: such events have no such field. Expressions are put in arena; names that come from
     * rules must not get into them. */
    bool (*field)(void *ctx, const char *name, struct hm_arena *a, struct hm_sql_value *ret_v);
    const char *(*keywords)(void *ctx, struct hm_arena *a); /* VARCHAR[]: the event's texts */
    bool strict; /* a field that such events do not have is an error; else it reads as absent */
    void *ctx;
};

enum hm_sql_type { HM_SQL_TEXT, HM_SQL_BLOB, HM_SQL_INTEGER, HM_SQL_REAL };
struct hm_sql_parameter { /* $1, $2, … */
    enum hm_sql_type type;
    struct hm_slice bytes;
    int64_t integer;
    double real;
};
struct hm_sql {
    struct hm_arena *arena;
    struct hm_buf text; /* the condition, NUL-terminated */
    size_t count, cap;
    struct hm_sql_parameter *parameters;
};
/* Owns:    *ret_s is the caller's; hm_sql_done().
 * Errors:  -ENOTSUP with place: what SQL cannot say, and why; -E2BIG over limits.h; -ENOMEM. */
int hm_sql_compile(const struct hm_ast *a, const struct hm_names *n,
                   const struct hm_sql_schema *schema, struct hm_sql *ret_s,
                   struct hm_error *err) HM_CHECK;
void hm_sql_done(struct hm_sql *s);

/* events.c: our own events as the store keeps them (columns of fields.def, names by the rules'
 * usual words). It reads as the view HM_VIEW_EVENT does. */
extern const struct hm_sql_schema hm_sql_events;
extern const char hm_sql_events_setup[]; /* run once a connection: the macros it needs */
