/* User names by id, from one bounded reading of passwd(5). No NSS: that would load libraries and
 * open sockets in a process that may do neither. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

struct hm_users;
/* Lines that are not "name:x:uid:…" are skipped; the first name of an id wins.
 * Errors: -ENOMEM. */
int hm_users_parse(struct hm_slice passwd, struct hm_users **ret_u) HM_CHECK;
int hm_users_read(int fd, struct hm_users **ret_u) HM_CHECK; /* reads to its ceiling */
void hm_users_free(struct hm_users *u);
struct hm_slice hm_users_name(const struct hm_users *u, uint32_t uid); /* empty: not known */
