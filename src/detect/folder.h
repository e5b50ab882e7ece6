/* Every rule file beneath a folder, in name order, so that every machine loads the same set. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

/* Calls each(ctx, path, text) for every *.yml and *.yaml; path is relative to the folder; stops on
 * non-zero and returns it. Files over limits.h are given with text.p == NULL. Symbolic links are
 * not followed. Errors: the folder cannot be read, out of memory. */
int hm_folder_each(int dir_fd, int (*each)(void *ctx, const char *path, struct hm_slice text),
                   void *ctx) HM_CHECK;
