/* Owns the one thread of the uplink: getaddrinfo() may take half a minute. */
#include "agent/uplink/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

struct job {
    char host[256], port[8];
    int fd;
};

int hm_resolve_split(const char *server, char host[256], char port[8])
{
    const char *colon = strrchr(server, ':');
    if (!colon || colon == server || strlen(colon + 1) == 0 || strlen(colon + 1) >= 8)
        return -EINVAL;
    size_t len = (size_t)(colon - server);
    if (server[0] == '[' && server[len - 1] == ']')
        server++, len -= 2;
    if (len == 0 || len >= 256)
        return -EINVAL;
    memcpy(host, server, len);
    host[len] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return 0;
}

static int look_up(const char *host, const char *port, int flags, struct hm_addrs *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list;

    if (getaddrinfo(host, port, &hints, &list))
        return -ENOENT;
    ret->n = 0;
    for (const struct addrinfo *a = list; a && ret->n < HM_UPLINK_ADDRS_MAX; a = a->ai_next)
        if (a->ai_addrlen <= sizeof ret->v[0])
            memcpy(&ret->v[ret->n++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
    return ret->n ? 0 : -ENOENT;
}

static void *resolve_main(void *arg)
{
    struct job *j = arg;
    struct hm_addrs a = {.n = 0};

    if (look_up(j->host, j->port, 0, &a))
        a.n = 0;
    if (write(j->fd, &a, sizeof a) < 0) {
        /* nobody waits any more */
    }
    close(j->fd);
    free(j);
    return NULL;
}

/* The job belongs to the thread from here on, or is freed. */
static int start_thread(struct job *j)
{
    pthread_t t;
    int r = pthread_create(&t, NULL, resolve_main, j);
    if (r == 0)
        pthread_detach(t);
    else
        free(j);
    return -r;
}

static int start_job(const struct job *what, int *ret_fd)
{
    int fds[2];
    struct job *j = malloc(sizeof *j);

    if (!j)
        return -ENOMEM;
    *j = *what;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        free(j);
        return -errno;
    }
    j->fd = fds[1];
    int r = start_thread(j);
    if (r) {
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    *ret_fd = fds[0];
    return 0;
}

int hm_resolve_begin(const char *server, struct hm_addrs *ret_addrs, int *ret_fd)
{
    struct job what = {.fd = -1};

    int r = hm_resolve_split(server, what.host, what.port);
    if (r)
        return r;
    if (look_up(what.host, what.port, AI_NUMERICHOST | AI_NUMERICSERV, ret_addrs) == 0)
        return 0;
    /* One write of a whole struct: smaller than PIPE_BUF, so it arrives whole. */
    _Static_assert(sizeof(struct hm_addrs) <= 4096, "fits a pipe's atomic write");
    r = start_job(&what, ret_fd);
    return r ? r : 1;
}

int hm_resolve_take(int fd, struct hm_addrs *ret_addrs)
{
    struct hm_addrs a;

    if (read(fd, &a, sizeof a) != (ssize_t)sizeof a || a.n == 0)
        return -ENOENT;
    *ret_addrs = a;
    return 0;
}
