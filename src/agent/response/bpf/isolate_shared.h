/* What isolation's two sides share. */
#pragma once
#include <linux/types.h>

#define HM_ISOLATE_ALLOW_MAX 64 /* addresses of the server, and of resolvers when it is a name */

struct hm_isolate_allow { /* IPv4 as ::ffff:a.b.c.d; port in network order */
    __u8 addr[16];
    __be16 port;
    __u8 proto, pad;
};
_Static_assert(sizeof(struct hm_isolate_allow) == 20, "a key without holes");
