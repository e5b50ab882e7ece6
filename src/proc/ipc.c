/* Owns the packet format between our processes: one SOCK_SEQPACKET packet is one message, with its
 * descriptors beside it. Refuses to know what the messages mean. */
#include "proc/proc.h"
#include "base/cursor.h"
#include "proc/limits.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES 4

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * HM_IPC_MAX_FDS)];
};

static void set_buffers(int fd)
{
    int bytes = HM_IPC_SOCKET_BYTES;
    /* FORCE needs CAP_NET_ADMIN; the plain option is cut to wmem_max, which one message fits. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* A connected pair. Owns: both ends are the caller's. Errors: negative errno of socketpair(2). */
int hm_ipc_pair(int ret_fds[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    set_buffers(fds[0]);
    set_buffers(fds[1]);
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static int send_errno(int e)
{
    switch (e) {
    case EAGAIN:
    case ENOBUFS:
    case ETOOMANYREFS: /* too many descriptors in flight: the peer is slow */
        return -EAGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return -ECONNRESET;
    default:
        return -e;
    }
}

/* See proc.h. */
int hm_ipc_send_packet(int fd, struct hm_slice packet, const int *fds, int fd_count)
{
    if (fd_count < 0 || fd_count > HM_IPC_MAX_FDS)
        return -EINVAL;
    union control control = {0};
    struct iovec iov = {(void *)packet.p, packet.len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count > 0) {
        h.msg_control = control.bytes;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)fd_count);
    }
    ssize_t n;
    do
        n = sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? send_errno(errno) : 0;
}

/* See proc.h. out must have room for HM_IPC_MAX_BYTES. */
int hm_ipc_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out)
{
    hm_buf_put_le16(out, (uint16_t)d->number);
    hm_buf_put_le16(out, 0);
    hm_msg_encode(d, msg, out);
    return out->error;
}

/* Send one message. Owns: nothing is taken; descriptors stay the caller's.
 * Errors: -EAGAIN peer slow, -ECONNRESET closed, -E2BIG over HM_IPC_MAX_BYTES, -EINVAL fd_count.
 * Threads: reentrant. */
int hm_ipc_send(int fd, const struct hm_msg_desc *d, const void *msg, const int *fds, int fd_count)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_IPC_MAX_BYTES);
    int r = hm_ipc_encode(d, msg, &b);
    return r < 0 ? r : hm_ipc_send_packet(fd, hm_buf_slice(&b), fds, fd_count);
}

static void take_fds(struct msghdr *h, struct hm_ipc_msg *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (m->fd_count < HM_IPC_MAX_FDS)
                m->fds[m->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

static int refuse(struct hm_ipc_msg *m)
{
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
    return -EBADMSG;
}

/* Receive one message. Owns: ret_msg->fds are the caller's; the payload lives in buf.
 * Errors: 0 would block, -ECONNRESET closed, -EBADMSG malformed (its descriptors are closed).
 * Threads: reentrant. */
int hm_ipc_recv(int fd, struct hm_buf *buf, struct hm_ipc_msg *ret_msg)
{
    hm_buf_clear(buf);
    uint8_t *room = hm_buf_extend(buf, HM_IPC_MAX_BYTES);
    if (!room)
        return buf->error;
    union control control;
    struct iovec iov = {room, HM_IPC_MAX_BYTES};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : errno == ECONNRESET ? -ECONNRESET : -errno;
    struct hm_ipc_msg m = {0};
    take_fds(&h, &m);
    buf->len = (size_t)n;
    if (n == 0 && m.fd_count == 0)
        return -ECONNRESET;
    struct hm_cursor c = hm_cursor(hm_buf_slice(buf));
    m.number = hm_cursor_le16(&c);
    uint16_t zero = hm_cursor_le16(&c);
    if (c.error || zero != 0 || h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return refuse(&m);
    m.payload = hm_slice(room + HEADER_BYTES, (size_t)n - HEADER_BYTES);
    *ret_msg = m;
    return 1;
}
