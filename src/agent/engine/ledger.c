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

static struct hm_ledger_gap gap_of(const struct hm_ledger_page *p, uint64_t boot)
{
    struct hm_ledger_gap g = {0};
    if (p->magic != MAGIC || p->taken <= p->kept)
        return g;
    g.records = p->taken - p->kept;
    g.since_ns = p->kept_ns;
    g.other_boot = p->boot != boot;
    return g;
}

int hm_ledger_open(int dir_fd, uint64_t boot, uint64_t instance, struct hm_ledger *ret_l,
                   struct hm_ledger_gap *ret_gap)
{
    struct hm_ledger_page *p = dir_fd >= 0 ? map(dir_fd) : NULL;
    int r = p || dir_fd < 0 ? 0 : -errno;
    *ret_l = (struct hm_ledger){.page = p};
    if (!p)
        p = &ret_l->own;
    *ret_gap = gap_of(p, boot);
    bool same = p->magic == MAGIC && p->boot == boot && p->instance == instance;
    if (!same)
        memset(p->reported, 0, sizeof p->reported);
    p->magic = MAGIC;
    p->boot = boot;
    p->instance = instance;
    p->taken = p->kept = 0;
    return r;
}

void hm_ledger_close(struct hm_ledger *l)
{
    if (l->page)
        munmap(l->page, sizeof *l->page);
    l->page = NULL;
}
