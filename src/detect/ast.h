/* The syntax tree of a detection: what every rule language is parsed to, and what the matcher's
 * compiler, the SQL compiler, `explain` and `coverage` read. Plain immutable data in an arena.
 *
 * Modifiers are gone here: they were turned into patterns (`base64offset` → three CONTAINS,
 * `windash` → the variants, `all` → AND of tests, `neq` → NOT). Field names are those of the event
 * (after pipelines), as ids of one table (`hm_names`) per rule set. Knows nothing of YAML. */
#pragma once
#include "base/buf.h"
#include "detect/pattern.h"

/* --- names.c: field names ↔ dense ids, one table a rule set ---------------------------------- */
#define HM_NAME_NONE UINT32_MAX
struct hm_names;
struct hm_names *hm_names_new(void); /* NULL: out of memory; at most HM_NAMES_MAX (limits.h) */
void hm_names_free(struct hm_names *n);
/* Id of the name, made when new. HM_NAME_NONE: out of memory or over the limit. */
uint32_t hm_names_intern(struct hm_names *n, struct hm_slice name);
uint32_t hm_names_find(const struct hm_names *n, struct hm_slice name); /* HM_NAME_NONE: absent */
const char *hm_names_text(const struct hm_names *n, uint32_t id);
size_t hm_names_count(const struct hm_names *n);

struct hm_place {
    uint32_t line, column; /* 1-based, in the rule's file */
};

enum hm_ast_op {
    HM_AST_ANY_OF, /* the value matches any of the patterns */
    HM_AST_LT,
    HM_AST_LTE,
    HM_AST_GT,
    HM_AST_GTE,      /* the value, read as a number, compared with `number` */
    HM_AST_EXISTS,   /* the field is in the event, whatever its value (null counts as there) */
    HM_AST_FIELDREF, /* equals the field `other`; affix: starts with, ends with, contains it */
};
/* The specification's time modifiers: the value is read as a time (ISO 8601 or epoch), in UTC, and
 * this part of it is what is compared. */
enum hm_ast_part {
    HM_PART_NONE,
    HM_PART_MINUTE,
    HM_PART_HOUR,
    HM_PART_DAY,
    HM_PART_WEEK,
    HM_PART_MONTH,
    HM_PART_YEAR
};

struct hm_ast_number { /* exact for every integer that fits */
    bool real;
    int64_t i;
    double d;
};
struct hm_ast_test {
    uint32_t field; /* HM_NAME_NONE: keywords, any text of the event */
    enum hm_ast_op op;
    enum hm_ast_part part;
    struct hm_ast_number number; /* LT .. GTE */
    uint32_t other;              /* FIELDREF */
    enum hm_affix affix;         /* FIELDREF */
    bool cased;                  /* FIELDREF */
    size_t count;
    struct hm_pattern *patterns; /* ANY_OF */
};

enum hm_ast_kind { HM_AST_AND, HM_AST_OR, HM_AST_NOT, HM_AST_TEST };
struct hm_ast {
    enum hm_ast_kind kind;
    struct hm_place place;
    const char *search; /* name of the search that begins here, else NULL */
    size_t count;       /* AND, OR: 0 or more (an empty AND is true, an empty OR false); NOT: 1 */
    struct hm_ast **kids;
    struct hm_ast_test test;
};

/* print.c: the tree in words, on one line. Errors: those of the buffer. Threads: reentrant. */
void hm_ast_print(const struct hm_ast *a, const struct hm_names *n, struct hm_buf *out);
