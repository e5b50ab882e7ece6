/* Owns what waits for a peer: packets in order, their descriptors, and the ceiling over both.
 * Refuses to know who the peer is and what to do when it stays slow. */
#include "proc/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct packet {
    struct packet *next;
    int fds[HM_IPC_MAX_FDS];
    int fd_count;
    size_t len;
    uint8_t bytes[];
};
struct hm_outbox {
    struct packet *first, **last;
    size_t count, bytes, max_messages, max_bytes;
};

struct hm_outbox *hm_outbox_new(size_t max_messages, size_t max_bytes)
{
    struct hm_outbox *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->last = &o->first;
    o->max_messages = max_messages;
    o->max_bytes = max_bytes;
    return o;
}

static void packet_free(struct packet *p)
{
    for (int i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    free(p);
}

static void drop_first(struct hm_outbox *o)
{
    struct packet *p = o->first;
    o->first = p->next;
    if (!o->first)
        o->last = &o->first;
    o->count--;
    o->bytes -= p->len;
    packet_free(p);
}

void hm_outbox_free(struct hm_outbox *o)
{
    while (o && o->first)
        drop_first(o);
    free(o);
}

size_t hm_outbox_count(const struct hm_outbox *o)
{
    return o->count;
}

static int copy_fds(struct packet *p, const int *fds, int fd_count)
{
    for (; p->fd_count < fd_count; p->fd_count++) {
        p->fds[p->fd_count] = fcntl(fds[p->fd_count], F_DUPFD_CLOEXEC, 0);
        if (p->fds[p->fd_count] < 0)
            return -errno;
    }
    return 0;
}

static int queue(struct hm_outbox *o, struct hm_slice bytes, const int *fds, int fd_count)
{
    if (o->count >= o->max_messages || o->bytes + bytes.len > o->max_bytes)
        return -ENOSPC;
    struct packet *p = malloc(sizeof *p + bytes.len);
    if (!p)
        return -ENOMEM;
    *p = (struct packet){.len = bytes.len};
    memcpy(p->bytes, bytes.p, bytes.len);
    int r = copy_fds(p, fds, fd_count);
    if (r < 0) {
        packet_free(p);
        return r;
    }
    *o->last = p;
    o->last = &p->next;
    o->count++;
    o->bytes += p->len;
    return 0;
}

int hm_outbox_put(struct hm_outbox *o, int fd, const struct hm_msg_desc *d, const void *msg,
                  const int *fds, int fd_count)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_IPC_MAX_BYTES);
    if (fd_count < 0 || fd_count > HM_IPC_MAX_FDS)
        return -EINVAL;
    int r = hm_ipc_encode(d, msg, &b);
    if (r < 0)
        return r;
    r = -EAGAIN;
    if (fd >= 0 && !o->first)
        r = hm_ipc_send_packet(fd, hm_buf_slice(&b), fds, fd_count);
    return r == -EAGAIN ? queue(o, hm_buf_slice(&b), fds, fd_count) : r;
}

int hm_outbox_flush(struct hm_outbox *o, int fd)
{
    while (o->first) {
        struct packet *p = o->first;
        int r = hm_ipc_send_packet(fd, hm_slice(p->bytes, p->len), p->fds, p->fd_count);
        if (r < 0)
            return r == -EAGAIN ? 1 : r;
        drop_first(o);
    }
    return 0;
}
