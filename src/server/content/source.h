/* Pulling a source: what the files of a "fetch" job share. Private to this folder. */
#pragma once
#include "server/content/content.h"
#include <cjson/cJSON.h>

struct hm_source {
    const char *name, *kind;
    const cJSON *spec;   /* as the administrator described it */
    const cJSON *memory; /* what the last pull left behind */
    uint64_t items;      /* of the last good pull */
    cJSON *next;         /* memory of this pull */
};
const char *hm_source_text(const struct hm_source *s, const char *name); /* "" when it is not set */
bool hm_source_flag(const struct hm_source *s, const char *name);

/* ---- fetch.c: one request, guarded ---- */
struct hm_reply {
    long status;
    struct hm_buf body;
    char etag[256], modified[128], added_first[64], added_last[64];
};
struct hm_request {
    const char *url, *accept;
    const char *etag, *modified; /* of the last answer; "" none */
};
/* Private, loopback and link-local addresses are refused, also after a redirect or by a name that
 * changes its mind, unless the source may have them.
 * Errors: -EACCES such an address; -ETIMEDOUT, -ECONNREFUSED, -E2BIG, -EIO, with words. */
int hm_fetch(const struct hm_source *s, const struct hm_request *q, struct hm_reply *ret_reply,
             struct hm_error *err) HM_CHECK;
void hm_reply_done(struct hm_reply *r);
bool hm_fetch_address_ok(const void *sockaddr, bool private_ok);

/* ---- taxii.c ---- */
/* All objects of the collection as one STIX bundle: those kept from before and what is new. */
int hm_taxii_pull(struct hm_content_job *j, struct hm_source *s, struct hm_buf *ret_bundle,
                  struct hm_error *err) HM_CHECK;

/* ---- feed.c ---- */
/* Feeds become the layer's blob; what is no indicator is counted, what is cut off or has lost half
 * of itself is refused. */
struct hm_feed {
    struct hm_slice bytes;
    const char *name; /* of the file, to tell the format by; may be NULL */
};
int hm_feeds_build(struct hm_content_job *j, const struct hm_source *s, const char *layer,
                   const struct hm_feed *feeds, size_t n, struct hm_error *err) HM_CHECK;

/* ---- source.c ---- */
/* 0: parts were added; 1: nothing new. */
int hm_source_pull(struct hm_content_job *j, struct hm_error *err) HM_CHECK;
