/* What is to be scanned, what waits for an answer, and which executables have one. Owns the queue
 * and the cache of verdicts; asks through its caller, refuses to know events and rules. A verdict
 * is of a file (device, inode, change) under one version of the rules: a known-clean program costs
 * a look-up. */
#pragma once
#include "agent/engine/fanotify.h"
#include "agent/engine/hashes.h"

enum hm_scan_kind { HM_SCAN_IMAGE, HM_SCAN_SCRIPT, HM_SCAN_WRITTEN, HM_SCAN_MEMORY };
#define HM_SCAN_WAITERS 8 /* processes that started the same file before the answer */
struct hm_scan_job {
    uint64_t id; /* 0: free */
    enum hm_scan_kind kind;
    uint64_t process_key, start_ns; /* who runs it, who wrote it, whose memory */
    uint32_t pid;
    struct hm_hash_key key;      /* IMAGE */
    struct hm_slice path;        /* the queue's */
    struct hm_fan_handle target; /* WRITTEN; the queue's; empty: by path */
    uint64_t waiters[HM_SCAN_WAITERS];
    size_t waiter_count;
    /* the queue's own */
    uint64_t order, since_ns;
    bool asked, done, again; /* done: only cooling; again: written once more meanwhile */
    uint8_t *bytes;
};
struct hm_scan_ops { /* false: not now; it is asked again */
    bool (*file)(void *ctx, const struct hm_scan_job *j);
    bool (*memory)(void *ctx, const struct hm_scan_job *j);
    void *ctx;
};
struct hm_scan_counts {
    uint64_t dropped; /* there was no room to wait: not scanned */
    uint64_t scanned, failed, gone;
};
struct hm_scans;

struct hm_scans *hm_scans_new(const struct hm_scan_ops *ops); /* NULL: out of memory */
void hm_scans_free(struct hm_scans *s);
/* inspect has these rules now (0: none). Another version forgets every verdict. */
void hm_scans_rules(struct hm_scans *s, uint64_t version, uint64_t rules);
/* Wishes; each does nothing while there are no rules, or when the verdict is known. */
void hm_scans_image(struct hm_scans *s, const struct hm_hash_key *k, uint64_t process_key,
                    uint32_t pid, struct hm_slice path, uint64_t now_ns);
void hm_scans_written(struct hm_scans *s, const struct hm_fan_handle *target, struct hm_slice path,
                      uint64_t process_key, uint32_t pid, uint64_t now_ns);
/* path: absolute, as the process sees it. */
void hm_scans_script(struct hm_scans *s, struct hm_slice path, uint64_t process_key, uint32_t pid,
                     uint64_t now_ns);
void hm_scans_memory(struct hm_scans *s, uint64_t process_key, uint32_t pid, uint64_t start_ns,
                     uint64_t now_ns);
/* The job that was answered, until hm_scans_release(). NULL: nobody asked. */
const struct hm_scan_job *hm_scans_take(struct hm_scans *s, uint64_t id);
/* verdict of the file that was really opened: false forgets it, so that the next start asks again.
 */
void hm_scans_release(struct hm_scans *s, uint64_t id, const struct hm_hash_key *opened,
                      bool known);
void hm_scans_tick(struct hm_scans *s, uint64_t now_ns); /* asks what waits */
struct hm_scan_counts *hm_scans_counts(struct hm_scans *s);
