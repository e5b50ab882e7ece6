/* See request.h. */
#include "request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <cmocka.h>

struct world world;
struct serve serve;

void send_request(struct request q, struct reply *ret)
{
    size_t len = q.body ? strlen(q.body) : 0, cap = len + 4096;
    char *bytes = malloc(cap), length[96] = "";
    bool has_body = strcmp(q.method, "POST") == 0 || strcmp(q.method, "PATCH") == 0 ||
                    strcmp(q.method, "PUT") == 0;

    assert_non_null(bytes);
    if (has_body)
        snprintf(length, sizeof length, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 len);
    snprintf(bytes, cap, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s", q.method, q.path,
             length, q.headers ? q.headers : "", q.body ? q.body : "");
    https_once(serve.port, bytes, ret);
    free(bytes);
}

int status_of(struct request q)
{
    struct reply r;
    int status;

    send_request(q, &r);
    status = r.status;
    reply_done(&r);
    return status;
}

const char *bearer(void)
{
    static char line[160];

    snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", world.first.api_token);
    return line;
}

void open_stream(struct https *h, const char *path, const char *headers)
{
    char bytes[1024];

    snprintf(bytes, sizeof bytes, "GET %s HTTP/1.1\r\n" H "%s%s\r\n", path, bearer(), headers);
    https_open(h, serve.port);
    https_write(h, bytes, strlen(bytes));
}

size_t drain_stream(struct https *h)
{
    char buf[65536];
    size_t total = 0;
    int n;

    setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1},
               sizeof(struct timeval));
    while ((n = SSL_read(h->ssl, buf, sizeof buf)) > 0)
        total += (size_t)n;
    setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 30},
               sizeof(struct timeval));
    return total;
}

bool wait_text(struct https *h, const char *text)
{
    char buf[65536];
    size_t len = 0;
    time_t end = time(NULL) + 10;

    while (time(NULL) < end && len < sizeof buf - 1) {
        int n = SSL_read(h->ssl, buf + len, (int)(sizeof buf - 1 - len));
        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = 0;
        if (strstr(buf, text))
            return true;
    }
    return false;
}

int set_up(void **state)
{
    (void)state;
    world_make(&world);
    world_journal(&world, (const char *const[]){"first"}, 1);
    serve_start(&serve, &world);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    serve_stop(&serve);
    world_free(&world);
    return 0;
}
