/* Owns how a listening socket is made; refuses to know who listens. */
#include "server/supervisor/listen.h"

#include "server/supervisor/limits.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int split(const char *where, char host[256], const char **ret_port)
{
    const char *colon = strrchr(where, ':');
    if (!colon)
        return -EINVAL;
    size_t len = (size_t)(colon - where);
    if (len >= 2 && where[0] == '[' && where[len - 1] == ']')
        where++, len -= 2;
    if (len >= 256)
        return -EINVAL;
    memcpy(host, where, len);
    host[len] = 0;
    *ret_port = colon + 1;
    return 0;
}

static int bind_one(const struct addrinfo *ai)
{
    int on = 1;
    hm_autoclose int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, HM_LISTEN_BACKLOG) < 0)
        return -errno;
    return hm_steal_fd(&fd);
}

int hm_listen_open(const char *where, int *ret_fd, struct hm_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    char host[256];
    const char *port;

    if (split(where, host, &port) || getaddrinfo(host[0] ? host : NULL, port, &hints, &list))
        return hm_fail(err, -EINVAL, "%s is not an address to listen on", where);
    int fd = bind_one(list);
    freeaddrinfo(list);
    if (fd < 0)
        return hm_fail(err, fd, "cannot listen on %s: %s", where, strerror(-fd));
    *ret_fd = fd;
    return 0;
}
