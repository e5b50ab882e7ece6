/* A server for one practice endpoint, played by the test: real TLS, real statements, and orders as
 * good or as bad as the test wants them. Owns no judgement. */
#pragma once
#include "event/event.h"
#include "wire/message.h"
#include "wire/order.h"
#include <openssl/ssl.h>
#include <sys/types.h>

struct seen { /* what the test looks at in an event */
    uint64_t class, action, state, kind, counter, key, parent_key, pid;
    bool from_socket, has_id;
    uint8_t sha256[32];
    bool has_sha256;
    char image[256], path[256], detail[8192], rule[128];
};
#define SEEN_MAX 20000

struct server {
    char dir[64];
    int listener, port, fd;
    SSL_CTX *ctx;
    SSL *ssl;
    struct hm_buf in, raw;
    struct hm_key *order_key, *other_key;
    uint8_t endpoint[16], key_sha256[32];
    uint64_t clock_skew_ms, batches, hellos;
    struct seen *seen;
    size_t seen_count;
};

int server_make(struct server *s); /* also writes the endpoint's identity to dir/state */
void server_end(struct server *s);
/* Serve for a while; returns at once when something new was seen. */
void server_pump(struct server *s, int ms);
struct hm_msg_order server_order(const struct server *s, uint64_t counter, uint64_t kind);
int server_push(struct server *s, const struct hm_key *k, const struct hm_msg_order *o);
uint64_t server_now_ms(const struct server *s);
