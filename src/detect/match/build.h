/* What the compiler's files share while a program is made: tests and entries found so far, kept
 * once however many rules name them. Private to this folder; gone when the program is there. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "detect/match/match.h"
#include "detect/match/program.h"

/* A condition in negation normal form over tests. */
enum hm_form_kind { HM_FORM_TRUE, HM_FORM_FALSE, HM_FORM_AND, HM_FORM_OR, HM_FORM_TEST };
struct hm_form {
    enum hm_form_kind kind;
    bool negated; /* TEST */
    uint32_t test;
    size_t count;
    struct hm_form **kids;
};

struct hm_ids { /* a growing list */
    uint32_t *ids;
    size_t count, cap;
};

struct hm_build_entry {
    uint32_t field; /* index in build.fields */
    enum hm_prog_entry_kind kind;
    bool cased, number_only;
    uint8_t prefix;
    struct hm_slice text; /* folded unless cased */
    struct hm_ids tests;
    uint32_t uses; /* how many tests name it: what many rules name is common in events too */
    /* filled by index.c */
    uint32_t literal, literal_len; /* the literal that the grams are taken from */
    uint32_t at;                   /* and where in it */
    uint64_t key;
    uint32_t class;
};
struct hm_build_test {
    uint32_t field; /* build field; HM_NO_INDEX for a lazy test without */
    double likely;  /* estimated share of events in which it holds */
    struct hm_ids entries, triggers;
    uint32_t lazy;    /* in build.lazy, or HM_NO_INDEX */
    uint32_t trigger; /* lazy: the test that stands for it as a trigger */
};
struct hm_build_field {
    uint32_t name;
    uint32_t exists, not_null; /* tests, HM_NO_INDEX until asked for */
    struct hm_ids entries;
};
struct hm_build_lazy {
    struct hm_lazy lazy;
    struct hm_slice text; /* REGEX */
    void *regex;          /* moved to the program */
};
struct hm_build_rule {
    struct hm_form *form;
    struct hm_ids triggers; /* empty: tried on each event of its sources */
    bool never;             /* its condition is false whatever the event */
    struct hm_span code;
};

struct hm_build {
    struct hm_arena *arena;
    struct hm_error *err;
    const struct hm_names *names;
    struct hm_map *field_of, *entry_of, *test_of, *lazy_of; /* hash → index + 1 */
    struct hm_build_field *fields;
    struct hm_build_entry *entries;
    struct hm_build_test *tests;
    struct hm_build_lazy *lazy;
    struct hm_build_rule *rules;
    size_t field_count, field_cap, entry_count, entry_cap, test_count, test_cap, lazy_count,
        lazy_cap, rule_count;
    const struct hm_program_rule *rule; /* at hand */
    size_t source_count, rule_words, field_words;
    uint64_t *source_rules, *source_fields; /* bits, a row a source */
    struct hm_buf section[HM_SECTION_COUNT];
};

/* --- atoms.c: one of each -------------------------------------------------------------------- */
int hm_ids_add(struct hm_ids *l, uint32_t id) HM_CHECK;
int hm_build_grow(void *array, size_t *cap, size_t count, size_t size) HM_CHECK;
int hm_build_field(struct hm_build *b, uint32_t name, uint32_t *ret_field) HM_CHECK;
int hm_build_entry(struct hm_build *b, const struct hm_build_entry *e, uint32_t *ret_e) HM_CHECK;
/* The test "any of these entries"; sorts ids. */
int hm_build_test(struct hm_build *b, uint32_t field, uint32_t *ids, size_t count,
                  uint32_t *ret_test) HM_CHECK;
int hm_build_lazy(struct hm_build *b, uint32_t field, const struct hm_build_lazy *l,
                  uint32_t *ret_test) HM_CHECK;
int hm_build_exists(struct hm_build *b, uint32_t field, uint32_t *ret_test) HM_CHECK;
int hm_build_not_null(struct hm_build *b, uint32_t field, uint32_t *ret_test) HM_CHECK;

/* --- lower.c: tree → form -------------------------------------------------------------------- */
int hm_build_lower(struct hm_build *b, const struct hm_ast *a, struct hm_form **ret_f) HM_CHECK;

/* --- regex.c --------------------------------------------------------------------------------- */
/* The literals one of which is in every text that matches; count 0: none is known. Folded. */
struct hm_literals {
    size_t count;
    struct hm_slice items[16];
};
int hm_regex_literals(struct hm_slice regex, bool caseless, struct hm_arena *a,
                      struct hm_literals *ret_l) HM_CHECK;
void *hm_regex_compile(const uint8_t *text, size_t len, bool i, bool m, bool s);
void hm_regex_free(void *regex);
size_t hm_regex_size(const void *regex);

/* --- trigger.c ------------------------------------------------------------------------------- */
void hm_build_likely(struct hm_build *b);
int hm_build_triggers(struct hm_build *b, struct hm_build_rule *r) HM_CHECK;

/* --- branch.c -------------------------------------------------------------------------------- */
int hm_build_code(struct hm_build *b, struct hm_build_rule *r) HM_CHECK;

/* --- index.c --------------------------------------------------------------------------------- */
int hm_build_index(struct hm_build *b) HM_CHECK; /* FIELDS, SLOTS, GRAMS, BITS, ENTRIES, TEXT */
