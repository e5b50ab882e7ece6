/* A page of rows that are ordered by a time, newest first. Owns where it may be cut: the next page
 * begins strictly before a time, so no page ends between two rows of one moment. */
#pragma once
#include "server/api/call.h"

#define HM_PAGE_MAX 500
struct hm_page {
    struct hm_jw *j;
    size_t count;
    size_t begin[HM_PAGE_MAX + 1]; /* where each row begins in the answer */
    uint64_t ns[HM_PAGE_MAX + 1];
};
/* A new page in the call's arena; NULL: out of memory. */
struct hm_page *hm_page_new(struct hm_call *c, struct hm_jw *j);
/* Before each row is written; false: the page is full, write nothing. */
bool hm_page_row(struct hm_page *p, uint64_t ns);
/* After the last: takes back what is over the limit and writes "next". The array is still open. */
void hm_page_end(struct hm_page *p, size_t limit);
/* Parses a "next" of ours. false: it is none. */
bool hm_page_before(const char *text, uint64_t *ret_ns);
