/* A real gateway process on loopback, with the test program as its supervisor and its core, and
 * peers that do what agents (and others) do. Owns no judgement: tests assert. */
#pragma once
#include "journal/journal.h"
#include "server/config.h"
#include "server/pki.h"
#include "wire/frame.h"
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/types.h>

/* What the test's core answers, and what it heard. Guarded by lock. */
struct core {
    pthread_mutex_t lock;
    pthread_t thread;
    int fd, wake[2];
    int next_fd;     /* handed over by set_core() */
    bool stop, mute; /* mute: hears, does not answer */
    uint8_t revoked[16];
    uint64_t connects, enrolls, disconnects, forks, missing, stored;
    const char *state; /* signer's keys for enrolment */
};

struct world {
    char dir[64], state[128];
    bool mounted;
    struct hm_server_config config;
    int listener, port;
    pid_t gateway;
    int pidfd, sock; /* of the gateway */
    char log[160];   /* the gateway's standard error */
    struct core core;
    EVP_PKEY *ca_key;
    X509 *ca;
};
/* tmpfs_mib: 0, or the size of a file system of its own (the caller has a private mount namespace).
 */
int world_make(struct world *w, int tmpfs_mib);
void world_end(struct world *w);
int gateway_start(struct world *w);
void gateway_stop(struct world *w, bool kill_it); /* kill_it: SIGKILL, else clean */
void core_reconnect(struct world *w);             /* as if core had died and come back */
/* Times `text` is in the gateway's log. */
int log_count(const struct world *w, const char *text);
int log_wait(const struct world *w, const char *text,
             int want); /* until it is there, at most 3 s */

/* An endpoint's key and certificate. */
struct identity {
    uint8_t id[16];
    EVP_PKEY *key;
    X509 *cert;
};
void identity_make(EVP_PKEY *ca_key, X509 *ca, uint8_t tag, struct identity *ret);
void identity_done(struct identity *i);

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    struct hm_buf in;
};
/* 0: the handshake ended well on our side (in TLS 1.3 the server may still refuse). */
int client_open(struct world *w, const struct identity *id, const char *alpn, SSL_SESSION *session,
                struct client *ret);
void client_close(struct client *c);
int client_send(struct client *c, const struct hm_msg_desc *d, const void *msg);
int client_raw(struct client *c, const void *p, size_t len);
/* Next frame within 5 s: its number, 0 when the peer closed, -1 on time-out. */
int client_recv(struct client *c, struct hm_slice *ret_payload);
/* HELLO, and its answer: HM_MSG_WELCOME, HM_MSG_REFUSED or 0. */
int client_hello(struct client *c, const uint8_t id[16], uint64_t epoch,
                 struct hm_slice *ret_payload);

struct hm_batch_writer *writer_new(const uint8_t id[16], uint64_t epoch, uint64_t lane);
/* One batch of n small events. */
void batch_make(struct hm_batch_writer *w, int n, struct hm_buf *out);
