/* See ledger.h. */
#include "agent/engine/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define MAGIC UINT64_C(0x31726467646c6d68) /* "hmldgdr1" */

static struct hm_ledger_page *map(int dir_fd)
{
    hm_autoclose int fd = openat(dir_fd, "ledger", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct hm_ledger_page)) < 0)
        return NULL;
    /* Real blocks now: a store into a hole of a full disk would be a SIGBUS later. */
    int r = posix_fallocate(fd, 0, sizeof(struct hm_ledger_page));
    if (r != 0) {
        errno = r;
        return NULL;
    }
    void *p = mmap(NULL, sizeof(struct hm_ledger_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct hm_ledger_past past_of(const struct hm_ledger_page *p, uint64_t boot)
{
    if (p->magic != MAGIC)
        return (struct hm_ledger_past){0};
    return (struct hm_ledger_past){.epoch = p->epoch,
                                   .next_seq = p->next_seq,
                                   .since_ns = p->kept_ns,
                                   .busy = p->busy == p->next_seq + 1,
                                   .other_boot = p->boot != boot};
}

int hm_ledger_open(int dir_fd, uint64_t boot, uint64_t instance, struct hm_ledger *ret_l,
                   struct hm_ledger_past *ret_past)
{
    struct hm_ledger_page *p = dir_fd >= 0 ? map(dir_fd) : NULL;
    int r = p || dir_fd < 0 ? 0 : -errno;
    *ret_l = (struct hm_ledger){.page = p};
    p = hm_ledger_page(ret_l);
    *ret_past = past_of(p, boot);
    if (p->magic != MAGIC || p->boot != boot || p->instance != instance)
        memset(p->reported, 0, sizeof p->reported);
    p->magic = MAGIC;
    p->boot = boot;
    p->instance = instance;
    p->busy = 0;
    return r;
}

void hm_ledger_close(struct hm_ledger *l)
{
    if (l->page)
        munmap(l->page, sizeof *l->page);
    l->page = NULL;
}

struct hm_ledger_page *hm_ledger_page(struct hm_ledger *l)
{
    return l->page ? l->page : &l->own;
}

uint64_t hm_ledger_missing(const struct hm_ledger_past *p, uint64_t epoch, uint64_t first_seq)
{
    /* Another epoch: the journal was damaged or forked, and says so itself. */
    if (!p->next_seq || p->epoch != epoch)
        return p->busy;
    /* seqs of a lane go in steps of two: the low bit is the lane */
    return (p->next_seq > first_seq ? (p->next_seq - first_seq) / 2 : 0) + p->busy;
}
