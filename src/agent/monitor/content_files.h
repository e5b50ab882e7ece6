/* The folder content/ of the state folder: what is active, what was, and how a body becomes a
 * folder. Whatever moment monitor is killed in, `current` names a folder that is whole.
 *
 *   content/current   "version V floor F previous P key K\n", replaced by rename, synced
 *   content/<V>/      the parts of that version; never written to again
 *   content/<V>.new/  being unpacked      content/spool  body being received */
#pragma once
#include "base/error.h"
#include "wire/bundle.h"

#define HM_CONTENT_SPOOL "spool"

struct hm_content_current {
    uint64_t version;     /* active; 0: the package's rules */
    uint64_t floor;       /* nothing up to here is installed again */
    uint64_t previous;    /* to go back to should the engine not bear this one; 0: the package's */
    uint64_t key_version; /* of the content key, the highest seen */
};
/* Read `current`; a folder without it is version 0. Folders that are neither active nor previous,
 * and what an unpacking left behind, are removed.
 * Errors: -EBADMSG damaged: nothing is removed and version is 0, floor UINT64_MAX. */
int hm_content_open(int dir_fd, struct hm_content_current *ret_c, struct hm_error *err) HM_CHECK;
/* On disk when it returns 0; the one before is when it does not. */
int hm_content_store(int dir_fd, const struct hm_content_current *c) HM_CHECK;
/* The folder of a version; -ENOENT. Owns: the descriptor is the caller's. */
int hm_content_folder(int dir_fd, uint64_t version) HM_CHECK;
/* Unpack the body in `spool` to <version>/, synced, or leave nothing but <version>.new. */
int hm_content_unpack(int dir_fd, uint64_t version, uint64_t size, struct hm_error *err) HM_CHECK;
void hm_content_remove(int dir_fd, uint64_t version);
