/* The counter of orders on disk: what was begun, what was done. Synced before anybody acts. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct hm_counter {
    int dir_fd;           /* the folder orders/ */
    uint64_t begun, done; /* begun > done: the agent ended in the middle */
    uint64_t kind;
    uint8_t id[16];
};
/* Read the file; one that is not there counts from 0.
 * Errors: -EBADMSG damaged: no order may be carried out then, or replays would pass. */
int hm_counter_open(int dir_fd, struct hm_counter *ret_c, struct hm_error *err) HM_CHECK;
/* On disk when it returns 0; nothing has changed when it does not. */
int hm_counter_begin(struct hm_counter *c, uint64_t counter, uint64_t kind,
                     const uint8_t id[16]) HM_CHECK;
int hm_counter_done(struct hm_counter *c) HM_CHECK;
/* Write a small file whole, synced, or not at all. */
int hm_file_replace(int dir_fd, const char *name, const void *data, size_t len) HM_CHECK;
