/* The file that says which epoch a journal is in. Private to journal. */
#pragma once
#include "base/os.h"

/* 0; -ENOENT missing; -EBADMSG damaged or another endpoint's. */
int hm_epoch_read(const struct hm_dir *d, const uint8_t endpoint[16], uint64_t *ret_epoch) HM_CHECK;
/* A new random epoch, durable before it is returned. */
int hm_epoch_make(const struct hm_dir *d, const uint8_t endpoint[16], uint64_t *ret_epoch) HM_CHECK;
