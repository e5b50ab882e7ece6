/* See https.h. */
#include "https.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

void https_open(struct https *h, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval tv = {.tv_sec = 30};

    *h = (struct https){.port = port, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    MUST(h->fd >= 0 && connect(h->fd, (struct sockaddr *)&a, sizeof a) == 0);
    setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    h->ctx = SSL_CTX_new(TLS_client_method());
    h->ssl = SSL_new(h->ctx);
    MUST(h->ssl && SSL_set_fd(h->ssl, h->fd) == 1 && SSL_connect(h->ssl) == 1);
}

void https_close(struct https *h)
{
    SSL_free(h->ssl);
    SSL_CTX_free(h->ctx);
    close(h->fd);
}

void https_write(struct https *h, const void *p, size_t len)
{
    int n = len ? SSL_write(h->ssl, p, (int)len) : 0;

    (void)n; /* the server may have hung up: what it answers is what counts */
}

static size_t content_length(const char *head)
{
    const char *p = strcasestr(head, "\r\ncontent-length:");

    return p ? (size_t)strtoul(p + 17, NULL, 10) : 0;
}

void https_read(struct https *h, struct reply *r)
{
    size_t cap = 1 << 16, len = 0, want = 0, head = 0;
    char *buf = calloc(1, cap + 1);
    int n = 1;

    memset(r, 0, sizeof *r);
    while (!head || len < head + want) {
        if (len == cap) {
            cap *= 2;
            MUST((buf = realloc(buf, cap + 1)));
        }
        n = SSL_read(h->ssl, buf + len,
                     head ? (int)(head + want - len < cap - len ? head + want - len : cap - len)
                          : 1);
        if (n <= 0)
            break;
        len += (size_t)n;
        buf[len] = 0;
        char *end = head ? NULL : strstr(buf, "\r\n\r\n");
        if (end) {
            head = (size_t)(end - buf) + 4;
            want = content_length(buf);
        }
    }
    r->closed = n <= 0;
    r->head = calloc(1, head + 1);
    r->body = calloc(1, len - head + 1);
    MUST(r->head && r->body);
    memcpy(r->head, buf, head);
    memcpy(r->body, buf + head, len - head);
    r->body_len = len - head;
    if (head)
        MUST(sscanf(r->head, "HTTP/%*d.%*d %d", &r->status) == 1);
    free(buf);
}

void https_once(int port, const char *bytes, struct reply *ret)
{
    struct https h;

    https_open(&h, port);
    https_write(&h, bytes, strlen(bytes));
    https_read(&h, ret);
    https_close(&h);
}

void reply_done(struct reply *r)
{
    free(r->head);
    free(r->body);
    memset(r, 0, sizeof *r);
}

const char *reply_header(const struct reply *r, const char *name)
{
    static char value[4096];
    char key[128];

    snprintf(key, sizeof key, "\r\n%s: ", name);
    const char *p = strcasestr(r->head, key);
    if (!p)
        return NULL;
    p += strlen(key);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r"), p);
    return value;
}

bool https_drain(struct https *h, int seconds, char *buf, size_t len)
{
    struct timeval tv = {.tv_sec = seconds};
    size_t n = 0;
    int r = 1;

    setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    while (n < len - 1 && (r = SSL_read(h->ssl, buf + n, (int)(len - 1 - n))) > 0)
        n += (size_t)r;
    buf[n] = 0;
    return SSL_get_error(h->ssl, r) != SSL_ERROR_WANT_READ;
}
