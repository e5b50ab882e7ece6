/* Consumer of a BPF ring buffer without libbpf. Owns the two mappings and the order of loads and
 * stores on them (Documentation/bpf/ringbuf.rst); knows nothing of what the records mean.
 *
 * The producer side is mapped read-only, and its positions are the kernel's: still, a length that
 * does not fit is an error here, not a read out of bounds. */
#include "agent/sensor/ring.h"
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/mman.h>

struct hm_ring {
    unsigned long *consumer;       /* our position, read by the kernel */
    const unsigned long *producer; /* the kernel's position */
    const uint8_t *data;           /* mapped twice in a row, so that a record never wraps */
    uint64_t size, page, next;
};

/* The number behind name in text; 0: not there. */
static uint64_t number_after(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

/* fdinfo instead of bpf(2): it answers a process that has no privilege. */
static int ring_size(int fd, uint64_t *ret_size)
{
    char path[64], text[1024] = {0};
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    hm_autoclose int info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0)
        return -errno;
    if (read(info, text, sizeof text - 1) <= 0)
        return -EIO;
    uint64_t size = number_after(text, "max_entries:");
    if (number_after(text, "map_type:") != BPF_MAP_TYPE_RINGBUF || size == 0 ||
        (size & (size - 1)) != 0)
        return -EINVAL;
    *ret_size = size;
    return 0;
}

static int map_ring(struct hm_ring *r, int fd)
{
    void *c = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (c == MAP_FAILED)
        return -errno;
    void *p = mmap(NULL, r->page + 2 * r->size, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
    if (p == MAP_FAILED) {
        int e = -errno;
        munmap(c, r->page);
        return e;
    }
    r->consumer = c;
    r->producer = p;
    r->data = (const uint8_t *)p + r->page;
    return 0;
}

static int open_into(struct hm_ring *r, int map_fd, struct hm_error *err)
{
    r->page = (uint64_t)sysconf(_SC_PAGESIZE);
    int e = ring_size(map_fd, &r->size);
    if (e < 0)
        return hm_fail(err, e, "ring: descriptor %d is no ring buffer", map_fd);
    e = map_ring(r, map_fd);
    return e < 0 ? hm_fail(err, e, "ring: mmap: %s", strerror(-e)) : 0;
}

int hm_ring_open(int map_fd, struct hm_ring **ret_ring, struct hm_error *err)
{
    struct hm_ring *r = calloc(1, sizeof *r);
    if (!r)
        return hm_fail(err, -ENOMEM, "ring: out of memory");
    int e = open_into(r, map_fd, err);
    if (e < 0)
        free(r);
    else
        *ret_ring = r;
    return e;
}

void hm_ring_close(struct hm_ring *r)
{
    if (!r)
        return;
    munmap(r->consumer, r->page);
    munmap((void *)(uintptr_t)r->producer, r->page + 2 * r->size);
    free(r);
}

static uint64_t record_room(uint32_t len)
{
    return ((uint64_t)len + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
}

int hm_ring_peek(struct hm_ring *r, struct hm_slice *ret_data)
{
    for (;;) {
        uint64_t pos = *r->consumer; /* ours alone to write */
        uint64_t end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
        if (pos >= end)
            return 0;
        const uint8_t *p = r->data + (pos & (r->size - 1));
        uint32_t word = __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
        if (word & BPF_RINGBUF_BUSY_BIT)
            return 0;
        uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        if (record_room(len) > end - pos)
            return -EBADMSG;
        r->next = pos + record_room(len);
        if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
            *ret_data = hm_slice(p + BPF_RINGBUF_HDR_SZ, len);
            return 1;
        }
        hm_ring_take(r);
    }
}

void hm_ring_take(struct hm_ring *r)
{
    if (r->next > *r->consumer)
        __atomic_store_n(r->consumer, r->next, __ATOMIC_RELEASE);
}

uint64_t hm_ring_backlog(const struct hm_ring *r)
{
    return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) - *r->consumer;
}

/* The kernel side stays silent for 2 ms after a wake-up, so what came in that time is found by
 * looking, not by waiting. Two empty looks: one could race with a record being committed. */
int hm_ring_pace(struct hm_ring_pace *p, uint64_t drained)
{
    if (drained)
        p->empty = 0;
    else if (p->empty < 2)
        p->empty++;
    return p->empty < 2 ? (int)(HM_SENSOR_WAKE_NS / 1000000) : HM_SENSOR_IDLE_MS;
}

const volatile struct hm_sensor_counter *hm_counters_map(int fd)
{
    void *p =
        mmap(NULL, HM_PROG_COUNT * sizeof(struct hm_sensor_counter), PROT_READ, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

void hm_counters_unmap(const volatile struct hm_sensor_counter *c)
{
    if (c)
        munmap((void *)(uintptr_t)c, HM_PROG_COUNT * sizeof(struct hm_sensor_counter));
}
