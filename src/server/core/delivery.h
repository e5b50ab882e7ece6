/* What the files of delivery share. Private to this folder. */
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

#define HM_DELIVERY_GIVEN 64
struct hm_delivery_given {
    char tenant[HM_TENANT_MAX];
    uint64_t version;
};
struct hm_delivery {
    int dir_fd;                                        /* core/content */
    struct hm_map *offered;                            /* offer.c */
    struct hm_delivery_given given[HM_DELIVERY_GIVEN]; /* files the present gateway has */
    size_t given_next;
    uint64_t asks, began_ms, ticks;
    bool running, signing;
    struct hm_delivery_job job;
};

/* body.c: the files core/content/<tenant>/<version>.body */
int hm_body_open(const struct hm_delivery *d, const char *tenant, uint64_t version) HM_CHECK;
/* Copy what was built beside the versions; fills the job's size and SHA-256. */
int hm_body_keep(struct hm_delivery *d, struct hm_delivery_job *j, int from) HM_CHECK;
int hm_body_name(const struct hm_delivery *d, const char *tenant, uint64_t version) HM_CHECK;

/* offer.c */
struct hm_map *hm_offers_new(void);
/* watch.c: judge every roll-out. */
void hm_delivery_watch(struct hm_core *k);

/* carry.c: a bundle that was carried in: whose is it, is it whole, is it newer. upload: the file.
 * A pack needs nothing. Errors: negative errno with words for people. */
int hm_carry_check(struct hm_core *k, struct hm_delivery_job *j, int upload,
                   struct hm_error *err) HM_CHECK;

/* source.c */
void hm_source_plan(struct hm_core *k); /* a source that is due becomes a job */
void hm_source_ended(struct hm_core *k, const struct hm_delivery_job *j, const char *state,
                     const char *text);
