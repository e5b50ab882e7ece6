/* The strict reader before evhttp: every byte of a connection passes here first, and both must
 * agree where a request ends. Owns the framing rules of RFC 9112 as we accept them; refuses to know
 * routes, users and sockets. evhttp alone takes a doubled Content-Length, "gzip, chunked", bare
 * line feeds and folded headers: each a way to smuggle a request past someone.
 * Threads: none of its own. */
#pragma once
#include "base/buf.h"

enum hm_guard_state { HM_GUARD_HEAD, HM_GUARD_BODY, HM_GUARD_BAD };

struct hm_guard {
    enum hm_guard_state state;
    struct hm_buf head; /* the head so far */
    uint64_t body_left;
    uint64_t requests; /* whole ones */
    int status;        /* when BAD: 400, 411, 413, 431, 501 */
    const char *why;
};

void hm_guard_init(struct hm_guard *g);
void hm_guard_done(struct hm_guard *g);
/* Look at the next bytes. Once BAD it stays BAD. */
void hm_guard_feed(struct hm_guard *g, struct hm_slice bytes);
/* Nothing half-read: the connection rests between two requests. */
bool hm_guard_idle(const struct hm_guard *g);

/* Check a whole head (it ends in CRLF CRLF). Returns 0 and the length of the body, or the HTTP
 * status to refuse it with; *ret_why says why. */
int hm_guard_head(struct hm_slice head, uint64_t *ret_body, const char **ret_why);
