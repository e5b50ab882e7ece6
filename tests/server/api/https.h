/* A client that sends exactly the bytes a test wants, over real TLS. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct https {
    int port, fd;
    SSL_CTX *ctx;
    SSL *ssl;
};
struct reply {
    int status;
    char *head, *body; /* NUL-terminated; free with reply_done() */
    size_t body_len;
    bool closed; /* the server ended the connection after it */
};
void https_open(struct https *h, int port);
void https_close(struct https *h);
void https_write(struct https *h, const void *p, size_t len);
/* One answer (by Content-Length, or until the end). status 0: the connection ended without one. */
void https_read(struct https *h, struct reply *ret);
/* Connect, send, read one answer, close. */
void https_once(int port, const char *bytes, struct reply *ret);
void reply_done(struct reply *r);
/* The value of a header, or NULL; points into a static buffer. */
const char *reply_header(const struct reply *r, const char *name);
/* Everything until the server ends the connection; false when it is still open after so long. */
bool https_drain(struct https *h, int seconds, char *buf, size_t len);
