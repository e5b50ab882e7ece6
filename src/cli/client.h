/* HTTPS to one server whose CA is pinned. Owns the connection; refuses to know commands. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "cli/where.h"

struct hm_client;
struct hm_client *hm_client_new(const struct hm_where *w,
                                const char *language); /* NULL: no memory */
void hm_client_free(struct hm_client *c);
/* One request. Returns the HTTP status, or a negative errno: -ECONNREFUSED not reachable,
 * -EKEYREJECTED its certificate is not from the pinned CA. out gets the body. */
int hm_client_request(struct hm_client *c, const char *method, const char *path, const char *body,
                      struct hm_buf *out, struct hm_error *err) HM_CHECK;
/* Read a stream of server-sent events; each() gets name, id and data and stops it by non-zero.
 * Returns as above when it ends. */
int hm_client_stream(struct hm_client *c, const char *path, const char *last_id,
                     int (*each)(void *ctx, const char *event, const char *id, const char *data),
                     void *ctx, struct hm_error *err) HM_CHECK;
/* The certificates a server shows, as PEM, unverified: for `login` to compare with a fingerprint.
 */
int hm_client_chain(const char *url, struct hm_buf *ret_pem, struct hm_error *err) HM_CHECK;
/* The session cookie of the last answer, "" when it set none. */
const char *hm_client_cookie(const struct hm_client *c);
