/* journal: runs the groups of the files beside this one; what they share. */
#include "test_journal.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

char *folder_make(void)
{
    char *path = strdup("/tmp/hm-journal-XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_all(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *de;

    while (d && (de = readdir(d))) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        const char *p = in_folder(path, de->d_name);
        if (unlink(p) < 0) {
            hm_autofree char *copy = strdup(p);
            remove_all(copy);
        }
    }
    if (d)
        closedir(d);
    rmdir(path);
}

void folder_remove(char *path)
{
    remove_all(path);
    free(path);
}

const char *in_folder(const char *path, const char *name)
{
    static char buf[4][600];
    static int i;
    char *b = buf[i++ % 4];

    snprintf(b, sizeof buf[0], "%s/%s", path, name);
    return b;
}

size_t pattern(uint64_t i, uint8_t buf[PATTERN_MAX])
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    size_t len = 1 + (x >> 33) % ((x >> 60) ? 120 : PATTERN_MAX); /* mostly short, some long */

    for (size_t k = 0; k < len; k++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        buf[k] = (uint8_t)x;
    }
    return len;
}

int is_pattern(uint64_t i, struct hm_slice s)
{
    uint8_t buf[PATTERN_MAX];

    return hm_slice_eq(s, hm_slice(buf, pattern(i, buf)));
}

struct hm_log *must_open(const char *dir, const struct hm_log_options *o,
                         struct hm_log_damage *ret_damage)
{
    struct hm_error err = {0};
    struct hm_log *l = NULL;

    if (hm_log_open(dir, o, &l, ret_damage, &err) != 0)
        fail_msg("open: %d %s", err.code, err.text);
    return l;
}

void append_patterns(struct hm_log *l, uint64_t n)
{
    uint8_t buf[PATTERN_MAX];

    for (; n; n--) {
        uint64_t want = hm_log_next(l), number = 0;
        assert_int_equal(hm_log_append(l, hm_slice(buf, pattern(want, buf)), &number), 0);
        assert_true(number == want);
    }
}

struct hm_log_reader *must_read(const char *dir)
{
    struct hm_log_reader *r = NULL;

    assert_int_equal(hm_log_reader_open(dir, &r, NULL), 0);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

size_t list_files(const char *dir, const char *suffix, char names[][64], size_t max)
{
    DIR *d = opendir(dir);
    struct dirent *de;
    size_t n = 0;

    assert_non_null(d);
    while ((de = readdir(d))) {
        size_t len = strlen(de->d_name), s = strlen(suffix);
        if (len < s || strcmp(de->d_name + len - s, suffix) != 0 || len > 63)
            continue;
        assert_true(n < max);
        snprintf(names[n++], 64, "%.63s", de->d_name);
    }
    closedir(d);
    qsort(names, n, 64, by_name);
    return n;
}

size_t file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

void file_poke(const char *path, size_t at, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
    close(fd);
}

void file_cut(const char *path, size_t size)
{
    assert_int_equal(truncate(path, (off_t)size), 0);
}

void file_append(const char *path, const void *bytes, size_t len)
{
    file_poke(path, file_size(path), bytes, len);
}

int main(void)
{
    int failed = 0;

    failed += test_merkle();
    failed += test_batch();
    failed += test_log();
    failed += test_recover();
    failed += test_full();
    failed += test_chain();
    return failed != 0;
}
