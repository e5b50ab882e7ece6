/* See ledger.h. One line of text, replaced by rename. */
#include "agent/monitor/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "counter"

int hm_file_replace(int dir_fd, const char *name, const void *data, size_t len)
{
    char aside[64];
    snprintf(aside, sizeof aside, "%s.new", name);
    hm_autoclose int fd =
        openat(dir_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, data, len);
    if (n != (ssize_t)len)
        return n < 0 ? -errno : -ENOSPC;
    if (fsync(fd) < 0 || renameat(dir_fd, aside, dir_fd, name) < 0 || fsync(dir_fd) < 0)
        return -errno;
    return 0;
}

static int parse_id(const char *hex, uint8_t ret[16])
{
    for (int i = 0; i < 16; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            return -EBADMSG;
        ret[i] = (uint8_t)byte;
    }
    return 0;
}

int hm_counter_open(int dir_fd, struct hm_counter *ret_c, struct hm_error *err)
{
    struct hm_counter c = {.dir_fd = dir_fd};
    char text[256], id[33];
    int used = 0;
    hm_autoclose int fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        *ret_c = c;
        return 0;
    }
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0)
        return hm_fail(err, -errno, "cannot read orders/" NAME);
    text[n] = 0;
    if (sscanf(text, "begun %" SCNu64 " done %" SCNu64 " kind %" SCNu64 " id %32[0-9a-f]\n%n",
               &c.begun, &c.done, &c.kind, id, &used) != 4 ||
        used != n || strlen(id) != 32 || parse_id(id, c.id) < 0 || c.done > c.begun)
        return hm_fail(err, -EBADMSG,
                       "orders/" NAME
                       " is damaged: orders are refused until this endpoint is enrolled anew");
    *ret_c = c;
    return 0;
}

static int store(const struct hm_counter *c)
{
    char text[256];
    int n = snprintf(text, sizeof text, "begun %" PRIu64 " done %" PRIu64 " kind %" PRIu64 " id ",
                     c->begun, c->done, c->kind);
    for (int i = 0; i < 16; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%02x", c->id[i]);
    text[n++] = '\n';
    return hm_file_replace(c->dir_fd, NAME, text, (size_t)n);
}

int hm_counter_begin(struct hm_counter *c, uint64_t counter, uint64_t kind, const uint8_t id[16])
{
    struct hm_counter next = *c;
    if (counter <= c->begun)
        return -EALREADY;
    next.begun = counter;
    next.kind = kind;
    memcpy(next.id, id, 16);
    int r = store(&next);
    if (r == 0)
        *c = next;
    return r;
}

int hm_counter_done(struct hm_counter *c)
{
    struct hm_counter next = *c;
    next.done = next.begun;
    int r = store(&next);
    if (r == 0)
        *c = next;
    return r;
}
