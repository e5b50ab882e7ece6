/* dir/epoch: endpoint 16 · le64 epoch · le32 crc32c. Replaced as a whole, by renaming. */
#include "journal/epoch.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/crypto.h"
#include "base/cursor.h"
#include <errno.h>

#define EPOCH_BYTES (16 + 8 + 4)

int hm_epoch_read(const struct hm_dir *d, const uint8_t endpoint[16], uint64_t *ret_epoch)
{
    uint8_t file[EPOCH_BYTES + 1];
    hm_autoclose int fd = hm_dir_file(d, "epoch", HM_OPEN_READ);

    if (fd < 0)
        return fd;
    ssize_t n = hm_file_read_at(fd, file, sizeof file, 0);
    if (n < 0)
        return (int)n;
    struct hm_cursor c = hm_cursor(hm_slice(file, (size_t)n));
    struct hm_slice whose = hm_cursor_take(&c, 16);
    uint64_t epoch = hm_cursor_le64(&c);
    uint32_t crc = hm_cursor_le32(&c);
    if (hm_cursor_end(&c) < 0 || crc != hm_crc32c(0, hm_slice(file, 16 + 8)) || epoch == 0 ||
        !hm_slice_eq(whose, hm_slice(endpoint, 16)))
        return -EBADMSG;
    *ret_epoch = epoch;
    return 0;
}

static int replace(const struct hm_dir *d, struct hm_slice content)
{
    int fd = hm_dir_file(d, "epoch.new", HM_OPEN_REPLACE);

    if (fd < 0)
        return fd;
    int r = hm_file_write_at(fd, content, 0);
    if (r == 0)
        r = hm_file_sync(fd);
    close(fd); /* before renaming: Windows insists */
    if (r == 0)
        r = hm_dir_rename(d, "epoch.new", "epoch");
    return r == 0 ? hm_dir_sync(d) : r;
}

int hm_epoch_make(const struct hm_dir *d, const uint8_t endpoint[16], uint64_t *ret_epoch)
{
    struct hm_buf b = HM_BUF(EPOCH_BYTES);
    uint64_t epoch = 0;
    int r = 0;

    while (r == 0 && epoch == 0) /* 0 means none */
        r = hm_random(&epoch, sizeof epoch);
    if (r < 0)
        return r;
    hm_buf_put(&b, endpoint, 16);
    hm_buf_put_le64(&b, epoch);
    hm_buf_put_le32(&b, hm_crc32c(0, hm_buf_slice(&b)));
    r = b.error ? b.error : replace(d, hm_buf_slice(&b));
    hm_buf_done(&b);
    if (r == 0)
        *ret_epoch = epoch;
    return r;
}
