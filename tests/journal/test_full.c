/* Full disks: a small tmpfs in a mount namespace of the test's own, and a file size limit. */
#include "test_journal.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            dprintf(2, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #x, strerror(errno));               \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static int append_one(struct hm_log *l)
{
    uint8_t buf[PATTERN_MAX];

    return hm_log_append(l, hm_slice(buf, pattern(hm_log_next(l), buf)), NULL);
}

static void check_all(const char *dir, uint64_t from, uint64_t to)
{
    struct hm_log_reader *r = NULL;
    struct hm_slice s;
    uint64_t n;

    MUST(hm_log_reader_open(dir, &r, NULL) == 0);
    for (; from < to; from++)
        MUST(hm_log_reader_next(r, &n, &s) == 1 && n == from && is_pattern(n, s));
    MUST(hm_log_reader_next(r, &n, &s) == 0);
    hm_log_reader_close(r);
}

/* In a child: fill the disk, see -ENOSPC and nothing broken, make room, go on. */
static void fill_a_tmpfs(const char *mount_point)
{
    struct hm_log_options o = {.segment_bytes = 64 * 1024};
    struct hm_log *l = NULL;
    char log[300], ballast[300];
    int e, fd;

    MUST(unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0);
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    MUST(mount("tmpfs", mount_point, "tmpfs", 0, "size=1m") == 0);
    snprintf(log, sizeof log, "%s/log", mount_point);
    snprintf(ballast, sizeof ballast, "%s/ballast", mount_point);
    fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    MUST(fd >= 0 && posix_fallocate(fd, 0, 512 * 1024) == 0);
    MUST(hm_log_open(log, &o, &l, NULL, NULL) == 0);
    while ((e = append_one(l)) == 0)
        ;
    MUST(e == -ENOSPC);
    uint64_t full = hm_log_next(l);
    MUST(full > 100);
    for (int i = 0; i < 50; i++)
        MUST(append_one(l) == -ENOSPC && hm_log_next(l) == full);
    check_all(log, 0, full); /* not a torn record, not one lost */
    MUST(unlink(ballast) == 0 && close(fd) == 0);
    for (int i = 0; i < 200; i++)
        MUST(append_one(l) == 0);
    check_all(log, 0, full + 200);
    while ((e = append_one(l)) == 0)
        ;
    MUST(e == -ENOSPC);
    uint64_t end = hm_log_next(l);
    hm_log_release(l, end); /* the server has it all: the disk's fullness frees itself */
    for (int i = 0; i < 2000; i++)
        MUST(append_one(l) == 0);
    MUST(hm_log_first(l) > 0);
    check_all(log, hm_log_first(l), hm_log_next(l));
    hm_log_close(l);
    struct hm_log_damage d = {0};
    MUST(hm_log_open(log, &o, &l, &d, NULL) == 0 && d.bytes == 0 && hm_log_next(l) == end + 2000);
    hm_log_close(l);
    _exit(0);
}

static void a_full_disk_loses_nothing_and_goes_on(void **state)
{
    char *dir = folder_make();
    int status;
    pid_t pid = fork();

    if (pid == 0)
        fill_a_tmpfs(dir);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    folder_remove(dir);
}

/* The limit cuts a frame in the middle: the part must not stay. */
static void hit_the_limit(const char *dir)
{
    struct rlimit rl = {100000, RLIM_INFINITY};
    struct hm_log *l = NULL;
    int e;

    signal(SIGXFSZ, SIG_IGN);
    MUST(setrlimit(RLIMIT_FSIZE, &rl) == 0);
    MUST(hm_log_open(dir, NULL, &l, NULL, NULL) == 0);
    while ((e = append_one(l)) == 0)
        ;
    MUST(e == -ENOSPC);
    check_all(dir, 0, hm_log_next(l));
    uint64_t full = hm_log_next(l);
    struct hm_log_damage d = {0};
    hm_log_close(l);
    MUST(hm_log_open(dir, NULL, &l, &d, NULL) == 0 && d.bytes == 0 && hm_log_next(l) == full);
    rl.rlim_cur = RLIM_INFINITY;
    MUST(setrlimit(RLIMIT_FSIZE, &rl) == 0);
    for (int i = 0; i < 100; i++)
        MUST(append_one(l) == 0);
    check_all(dir, 0, hm_log_next(l));
    hm_log_close(l);
    MUST(hm_log_open(dir, NULL, &l, &d, NULL) == 0 && d.bytes == 0);
    hm_log_close(l);
    _exit(0);
}

static void a_frame_that_fits_in_part_is_taken_back(void **state)
{
    char *dir = folder_make();
    int status;
    pid_t pid = fork();

    if (pid == 0)
        hit_the_limit(dir);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    folder_remove(dir);
}

int test_full(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing_and_goes_on),
        cmocka_unit_test(a_frame_that_fits_in_part_is_taken_back),
    };

    return cmocka_run_group_tests_name("full", tests, NULL, NULL);
}
