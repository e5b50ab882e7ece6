/* Which server, which CA, which proof of identity: from `hinomi login`, or for root on the server's
 * own machine from its state folder. */
#pragma once
#include "base/error.h"

struct hm_where {
    char url[512]; /* https://HOST:PORT */
    char ca_pem[16 * 1024];
    char token[128]; /* bearer, or */
    char cookie[80], csrf[80];
};
/* -ENOENT: neither; err says what to do. --server overrides the address only. */
int hm_where_find(const char *server, struct hm_where *ret, struct hm_error *err) HM_CHECK;
/* What `login` keeps, mode 0600. */
int hm_where_save(const struct hm_where *w, struct hm_error *err) HM_CHECK;
int hm_where_forget(void) HM_CHECK;
