/* The loop side of the process: what listener, streams, files and the tail share. One thread. */
#pragma once
#include "server/api/pool.h"
#include "server/api/shared.h"

struct event_base;
struct evhttp_request;
struct hm_listener;
struct hm_streams;
struct hm_tail;
struct hm_api {
    struct event_base *base;
    struct hm_shared shared;
    struct hm_pools *pools;
    struct hm_listener *listener;
    struct hm_streams *streams;
    struct hm_tail *tail;
    void (*poke)(struct hm_api *api, const char *table);
};

/* ---- listener.c: TLS, evhttp, from request to call and back -----------------------------------*/
struct hm_listener_keys {
    const char *key_pem, *cert_pem; /* cert: leaf, then the CA's */
};
int hm_listener_new(struct hm_api *api, int listen_fd, const struct hm_listener_keys *keys,
                    struct hm_listener **ret_l, struct hm_error *err) HM_CHECK;
void hm_listener_free(struct hm_listener *l);
/* Put a finished call's answer on the wire (pools' done). */
void hm_listener_done(void *ctx, struct hm_call *c, void *tag);

/* ---- reply.c ----------------------------------------------------------------------------------*/
void hm_reply_headers(struct evhttp_request *req); /* the security headers of every answer */
void hm_reply_problem(struct evhttp_request *req, enum hm_problem_id id, enum hm_lang lang);
void hm_reply_call(struct evhttp_request *req, const struct hm_call *c);
/* NULL: English. ret_said (or NULL): whether the header names one of ours. */
enum hm_lang hm_reply_language(const char *accept_language, bool *ret_said);

/* ---- files.c: the console's files and the agent's package -------------------------------------*/
/* Answers the request, whatever the path (decoded) is. */
void hm_files_serve(struct hm_api *api, struct evhttp_request *req, const char *path,
                    enum hm_lang lang);
/* A type by the name's ending. */
const char *hm_files_type(const char *path);

/* ---- conn.c: what a connection is allowed to cost
 * ----------------------------------------------*/
/* Seconds until the connection is cut unless called again; 0: never. */
void hm_conn_deadline(struct evhttp_request *req, unsigned seconds);
/* Bytes that were answered and not yet taken by the client. */
size_t hm_conn_unread(struct evhttp_request *req);
void hm_conn_cut(struct evhttp_request *req);
