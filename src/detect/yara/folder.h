/* Every *.yar and *.yara beneath a folder, in name order: descriptors, never texts, so that who
 * walks (root) does not parse and who parses does not open. */
#pragma once
#include "base/cleanup.h"

/* Calls each(ctx, path, fd) with a regular file opened for reading and its path beneath the folder;
 * fd is closed afterwards. Symbolic links are not followed. Stops on non-zero and returns it.
 * Errors:  the folder cannot be read; -E2BIG more than HM_YARA_FILES_MAX. */
int hm_yara_folder_each(int dir_fd, int (*each)(void *ctx, const char *path, int fd),
                        void *ctx) HM_CHECK;
