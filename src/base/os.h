/* The few file operations that POSIX and Windows do differently: os_posix.c, os_windows.c. Every
 * function answers 0 (or what it says) or a negative errno. Knows no format. */
#pragma once
#include "base/cleanup.h"
#include "base/slice.h"
#include <sys/types.h>

struct hm_dir; /* an open directory */
/* Opens, and makes it (mode 0750) when `create` and its parent exists. */
int hm_dir_open(const char *path, bool create, struct hm_dir **ret_d) HM_CHECK;
int hm_dir_from_fd(int fd, struct hm_dir **ret_d) HM_CHECK; /* dup()s; -ENOSYS on Windows */
void hm_dir_close(struct hm_dir *d);
int hm_dir_sync(const struct hm_dir *d) HM_CHECK; /* names made in it survive a power loss */
/* Calls each() for every name; stops on non-zero and returns it. */
int hm_dir_list(const struct hm_dir *d, int (*each)(void *ctx, const char *name),
                void *ctx) HM_CHECK;
int hm_dir_remove(const struct hm_dir *d, const char *name) HM_CHECK;
int hm_dir_rename(const struct hm_dir *d, const char *from, const char *to) HM_CHECK; /* replaces */

enum hm_open { HM_OPEN_READ, HM_OPEN_WRITE, HM_OPEN_NEW, HM_OPEN_REPLACE };
/* A descriptor, close-on-exec, mode 0640. WRITE: exists; NEW: must not exist; REPLACE: emptied. */
int hm_dir_file(const struct hm_dir *d, const char *name, enum hm_open how) HM_CHECK;
/* Opens or makes name and holds it exclusively until it is closed; -EBUSY: another has it. */
int hm_dir_lock(const struct hm_dir *d, const char *name) HM_CHECK;

/* Bytes read, fewer only at the end of the file. */
ssize_t hm_file_read_at(int fd, void *p, size_t len, uint64_t offset) HM_CHECK;
/* All of s, or an error with an unknown part written. Full disks and limits are -ENOSPC. */
int hm_file_write_at(int fd, struct hm_slice s, uint64_t offset) HM_CHECK;
int hm_file_truncate(int fd, uint64_t size) HM_CHECK;
int hm_file_sync(int fd) HM_CHECK;
int hm_file_dup(int fd) HM_CHECK; /* a descriptor, close-on-exec */
int64_t hm_file_size(int fd) HM_CHECK;
