/* Test support: texts → collection, with the problems that were told. */
#pragma once
#include "detect/sigma/collection.h"
#include "detect/sigma/placeholder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct reading {
    struct hm_names *names;
    struct hm_sigma_collection *c;
    int problems;
    struct hm_rule_problem first; /* the first problem */
    bool tell;                    /* print them */
};

static inline void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    struct reading *r = ctx;
    if (r->problems++ == 0)
        r->first = *p;
    if (r->tell)
        print_message("%s:%u:%u: %s\n", p->path, p->error.line, p->error.column, p->error.text);
}

static inline void reading_open(struct reading *r, const struct hm_placeholders *lists)
{
    *r = (struct reading){.names = hm_names_new()};
    struct hm_sigma_options o = {.names = r->names, .placeholders = lists};
    assert_non_null(r->names);
    assert_int_equal(hm_sigma_collection_new(&o, &r->c), 0);
}

static inline void reading_add(struct reading *r, const char *text)
{
    assert_int_equal(hm_sigma_collection_add(r->c, "t.yml", hm_slice_str(text), on_problem, r), 0);
}

static inline void reading_finish(struct reading *r)
{
    assert_int_equal(hm_sigma_collection_finish(r->c, on_problem, r), 0);
}

static inline void reading_close(struct reading *r)
{
    hm_sigma_collection_free(r->c);
    hm_names_free(r->names);
}

/* A rule around a detection section. */
static inline void reading_detection(struct reading *r, const char *detection,
                                     const struct hm_placeholders *lists)
{
    char *text = NULL;
    reading_open(r, lists);
    assert_true(asprintf(&text,
                         "title: t\nid: one\nlogsource: {category: process_creation}\n"
                         "detection:\n%s",
                         detection) > 0);
    reading_add(r, text);
    free(text);
    reading_finish(r);
}
