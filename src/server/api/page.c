/* See page.h. */
#include "server/api/page.h"
#include <inttypes.h>
#include <stdio.h>

struct hm_page *hm_page_new(struct hm_call *c, struct hm_jw *j)
{
    struct hm_page *p = hm_arena_alloc(c->arena, sizeof *p);
    if (p)
        p->j = j;
    return p;
}

bool hm_page_row(struct hm_page *p, uint64_t ns)
{
    if (p->count > HM_PAGE_MAX)
        return false;
    p->begin[p->count] = p->j->out->len;
    p->ns[p->count++] = ns;
    return true;
}

/* It ends before rows of one moment, or, when all are from one moment, after that moment. */
static uint64_t cut(struct hm_page *p, size_t limit)
{
    size_t n = limit;

    if (p->count <= limit)
        return 0;
    while (n > 0 && p->ns[n - 1] == p->ns[limit])
        n--;
    if (n == 0)
        return p->ns[limit]; /* keep them all; goes on before that moment */
    p->j->out->len = p->begin[n];
    return p->ns[n - 1];
}

void hm_page_end(struct hm_page *p, size_t limit)
{
    uint64_t before = cut(p, limit);
    char next[24];

    hm_jw_end_arr(p->j);
    snprintf(next, sizeof next, "%" PRIu64, before);
    before ? hm_jw_str(p->j, "next", next) : hm_jw_null(p->j, "next");
}

bool hm_page_before(const char *text, uint64_t *ret_ns)
{
    char rest;
    return sscanf(text, "%19" SCNu64 "%c", ret_ns, &rest) == 1 && *ret_ns;
}
