/* A segment as a crash, a bad disk or a stranger left it: the log opens, keeps what is whole, goes
 * on writing, and a second recovery finds nothing more to repair. */
#include "journal/journal.h"
#include <fcntl.h>
#include <stdio.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            __builtin_trap();                                                                      \
    } while (0)

static void write_segment(const char *dir, const uint8_t *data, size_t size)
{
    char path[200];

    snprintf(path, sizeof path, "%s/0000000000000005.seg", dir);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static uint64_t read_all(const char *dir, uint64_t max_damage, uint64_t *ret_last)
{
    struct hm_log_reader *r = NULL;
    struct hm_slice s;
    uint64_t n = 0, count = 0, damage = 0;
    int e;

    MUST(hm_log_reader_open(dir, &r, NULL) == 0);
    while ((e = hm_log_reader_next(r, &n, &s)) != 0) {
        MUST(e == 1 || e == -74); /* EBADMSG */
        MUST(e == 1 || ++damage <= max_damage);
        MUST(e != 1 || count == 0 || n > *ret_last);
        *ret_last = e == 1 ? n : *ret_last;
        count += e == 1;
    }
    hm_log_reader_close(r);
    return count;
}

static void clean(const char *dir, uint64_t next)
{
    static const char *const names[] = {"0000000000000005.seg", "0000000000000005.seg.damaged",
                                        "lock"};
    char path[200];

    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/%016llx.seg", dir, (unsigned long long)next);
    unlink(path);
    rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[] = "/dev/shm/hm-fuzz-log-XXXXXX";
    struct hm_log *l = NULL;
    struct hm_log_damage d = {0};
    uint64_t last = 0, written;

    MUST(mkdtemp(dir) != NULL);
    write_segment(dir, data, size);
    read_all(dir, size / 8 + 1,
             &last); /* a reader that comes before the repair must survive, too */
    MUST(hm_log_open(dir, NULL, &l, &d, NULL) == 0);
    uint64_t next = hm_log_next(l);
    MUST(d.bytes <= size && next >= 5);
    MUST(hm_log_append(l, hm_slice_str("after"), &written) == 0 && written == next);
    hm_log_close(l);
    last = 0;
    uint64_t count = read_all(dir, 1, &last); /* what was lost is one gap */
    MUST(last == next && count <= next - 5 + 1);
    d = (struct hm_log_damage){0};
    MUST(hm_log_open(dir, NULL, &l, &d, NULL) == 0 && d.bytes == 0 && hm_log_next(l) == next + 1);
    hm_log_close(l);
    clean(dir, next);
    return 0;
}
