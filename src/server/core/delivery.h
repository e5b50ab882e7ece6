/* What delivery.c and carry.c share. Private to this folder. */
#pragma once
#include "server/core/core.h"
#include "wire/bundle.h"
#include "wire/order.h"

struct hm_delivery_job { /* the job under way, copied out of its row */
    char tenant[HM_TENANT_MAX], kind[16], layer[HM_CONTENT_NAME_MAX + 1], then[16], actor[128];
    char note[HM_TEXT_MAX], spec[32 * 1024];
    uint8_t id[HM_ID_BYTES];
    /* filled while it is carried out */
    uint64_t ask, version, size, rules, refused, created_ms;
    uint8_t sha256[HM_SHA256_BYTES];
    char report[128 * 1024];
    char trusted[HM_CONTENT_NAME_MAX + 1]; /* server whose bundle it is, "" our own upload */
    uint64_t trusted_version;
};

/* carry.c: a bundle that was carried in: whose is it, is it whole, is it newer. upload: the file.
 * A pack needs nothing. Errors: negative errno with words for people. */
int hm_carry_check(struct hm_core *k, struct hm_delivery_job *j, int upload,
                   struct hm_error *err) HM_CHECK;

/* source.c */
void hm_source_plan(struct hm_core *k); /* a source that is due becomes a job */
void hm_source_ended(struct hm_core *k, const struct hm_delivery_job *j, const char *state,
                     const char *text);
