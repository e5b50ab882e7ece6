/* Which path a directory handle means: a bounded cache, filled by answers of monitor and by what
 * events tell. Owns handles, paths and their policy verdicts; refuses to know sockets and events.
 */
#pragma once
#include "agent/engine/fanotify.h"
#include "agent/engine/policy.h"

enum hm_dir_state {
    HM_DIR_NEW,   /* nobody was asked yet */
    HM_DIR_ASKED, /* the answer is on its way */
    HM_DIR_KNOWN,
    HM_DIR_GONE, /* it could not be named any more */
};
struct hm_dir {
    uint64_t id; /* for the question and its answer */
    enum hm_dir_state state;
    enum hm_policy_verdict verdict;
    struct hm_slice handle, path; /* the cache's */
    uint8_t fsid[8];
    /* the cache's own */
    uint64_t hash;
    bool used, again; /* again: something was renamed while the question was under way */
};
struct hm_dirs;

struct hm_dirs *hm_dirs_new(size_t max, const struct hm_policy *policy); /* NULL: out of memory */
void hm_dirs_free(struct hm_dirs *d);
/* Find or add; the pointer stays valid until the next call that adds. NULL: memory ended. */
struct hm_dir *hm_dirs_get(struct hm_dirs *d, const struct hm_fan_handle *h);
void hm_dirs_asked(struct hm_dir *dir);
/* An answer (empty path: gone). Returns the entry, NULL when nobody asked. It is HM_DIR_NEW again
 * when the answer may be out of date: ask once more. */
struct hm_dir *hm_dirs_answer(struct hm_dirs *d, uint64_t id, struct hm_slice path);
/* A directory that was just made, so that its files are named even if it is gone a moment later. */
void hm_dirs_learn(struct hm_dirs *d, const struct hm_fan_handle *h, struct hm_slice path);
/* A directory moved: every path at and beneath it moves along. */
void hm_dirs_renamed(struct hm_dirs *d, struct hm_slice from, struct hm_slice to);
/* A directory went: its handle may come to mean another one. */
void hm_dirs_removed(struct hm_dirs *d, struct hm_slice path);
/* The same when the event names the directory itself: no search. It was empty, so nothing was
 * beneath it. */
void hm_dirs_forget(struct hm_dirs *d, const struct hm_fan_handle *h);
/* Questions that were never answered are asked again: monitor was restarted. */
void hm_dirs_ask_again(struct hm_dirs *d);
const struct hm_policy *hm_dirs_policy(const struct hm_dirs *d);
size_t hm_dirs_count(const struct hm_dirs *d);
