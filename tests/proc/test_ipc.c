/* What the packet layer must refuse, and what it must carry. */
#include "base/cursor.h"
#include "proc/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "test_proc.h"

static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void carries_message_and_descriptors(void **state)
{
    (void)state;
    int p[2], pipe_fds[2];
    assert_int_equal(hm_ipc_pair(p), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    struct note m = {.id = 7, .text = hm_slice_str("hello")};
    assert_int_equal(hm_ipc_send(p[0], &note_desc, &m, pipe_fds, 2), 0);
    struct hm_buf b = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg got;
    assert_int_equal(hm_ipc_recv(p[1], &b, &got), 1);
    assert_int_equal(got.number, note_desc.number);
    assert_int_equal(got.fd_count, 2);
    assert_true(fcntl(got.fds[0], F_GETFD) & FD_CLOEXEC);
    struct note back = {0};
    assert_int_equal(hm_msg_decode(&note_desc, got.payload, &back), 0);
    assert_int_equal(back.id, 7);
    assert_true(hm_slice_eq(back.text, m.text));
    assert_int_equal(write(got.fds[1], "x", 1), 1); /* it is the same pipe */
    char c;
    assert_int_equal(read(pipe_fds[0], &c, 1), 1);
    assert_int_equal(hm_ipc_recv(p[1], &b, &got), 0); /* nothing more: would block */
    for (int i = 0; i < 2; i++) {
        close(got.fds[i]);
        close(pipe_fds[i]);
        close(p[i]);
    }
    hm_buf_done(&b);
}

static void closed_peer_is_a_reset_on_both_ways(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(hm_ipc_pair(p), 0);
    close(p[0]);
    struct hm_buf b = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg got;
    assert_int_equal(hm_ipc_recv(p[1], &b, &got), -ECONNRESET);
    struct note m = {.id = 1};
    assert_int_equal(hm_ipc_send(p[1], &note_desc, &m, NULL, 0), -ECONNRESET);
    close(p[1]);
    hm_buf_done(&b);
}

static void slow_peer_is_eagain_not_growth(void **state)
{
    (void)state;
    int p[2], r = 0, sent = 0;
    assert_int_equal(hm_ipc_pair(p), 0);
    static uint8_t big[64 * 1024];
    struct note m = {.id = 1, .text = hm_slice(big, sizeof big)};
    while (sent < 10000 && (r = hm_ipc_send(p[0], &note_desc, &m, NULL, 0)) == 0)
        sent++;
    assert_int_equal(r, -EAGAIN);
    assert_true(sent > 0 && sent < 100);
    close(p[0]);
    close(p[1]);
}

static void sender_refuses_what_is_too_large(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(hm_ipc_pair(p), 0);
    static uint8_t big[HM_IPC_MAX_BYTES];
    struct note m = {.text = hm_slice(big, sizeof big)};
    assert_int_equal(hm_ipc_send(p[0], &note_desc, &m, NULL, 0), -E2BIG);
    int fds[HM_IPC_MAX_FDS + 1] = {0};
    m.text.len = 1;
    assert_int_equal(hm_ipc_send(p[0], &note_desc, &m, fds, HM_IPC_MAX_FDS + 1), -EINVAL);
    close(p[0]);
    close(p[1]);
}

static void send_raw(int fd, const void *p, size_t len, int fd_count)
{
    char control[CMSG_SPACE(sizeof(int) * 32)] = {0};
    struct iovec iov = {(void *)p, len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count) {
        h.msg_control = control;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
        memset(CMSG_DATA(c), 0, sizeof(int) * (size_t)fd_count); /* descriptor 0, many times */
    }
    assert_int_equal(sendmsg(fd, &h, MSG_NOSIGNAL), (ssize_t)len);
}

/* Each row is a packet a taken-over child could send; none may leave a descriptor behind. */
static void malformed_packets_are_refused_and_leak_nothing(void **state)
{
    (void)state;
    static uint8_t oversized[HM_IPC_MAX_BYTES + 1];
    static const struct {
        const char *name;
        const void *p;
        size_t len;
        int fds;
    } rows[] = {
        {"one byte", "\x07", 1, 0},
        {"half a header", "\x07\x00\x00", 3, 1},
        {"second half of the header is not zero", "\x07\x00\x01\x00", 4, 3},
        {"over the maximum", oversized, sizeof oversized, 1},
        {"more descriptors than allowed", "\x07\x00\x00\x00", 4, HM_IPC_MAX_FDS + 4},
    };
    int p[2];
    assert_int_equal(hm_ipc_pair(p), 0);
    struct hm_buf b = HM_BUF(HM_IPC_MAX_BYTES);
    int before = open_fds();
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_ipc_msg got;
        send_raw(p[0], rows[i].p, rows[i].len, rows[i].fds);
        int r = hm_ipc_recv(p[1], &b, &got);
        if (r != -EBADMSG)
            fail_msg("%s: got %d", rows[i].name, r);
        if (open_fds() != before)
            fail_msg("%s: descriptors leaked", rows[i].name);
    }
    close(p[0]);
    close(p[1]);
    hm_buf_done(&b);
}

/* What waits for a slow peer arrives later, complete, in order and with its descriptors. */
static void outbox_keeps_order_and_its_ceiling(void **state)
{
    (void)state;
    int p[2], r = 0;
    uint64_t sent = 0, got_count = 0;
    assert_int_equal(hm_ipc_pair(p), 0);
    static uint8_t big[64 * 1024];
    struct hm_outbox *o = hm_outbox_new(20, 4 << 20);
    int before = open_fds();
    while (r == 0 && sent < 10000) {
        struct note m = {.id = sent + 1, .text = hm_slice(big, sizeof big)};
        r = hm_outbox_put(o, p[0], &note_desc, &m, &p[0], 1);
        sent += r == 0;
    }
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(hm_outbox_count(o), 20);
    struct hm_buf b = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg got;
    while ((r = hm_ipc_recv(p[1], &b, &got)) == 1) {
        struct note m;
        assert_int_equal(hm_msg_decode(&note_desc, got.payload, &m), 0);
        assert_int_equal(m.id, ++got_count);
        assert_int_equal(got.fd_count, 1);
        close(got.fds[0]);
        assert_true(hm_outbox_flush(o, p[0]) >= 0);
    }
    assert_int_equal(got_count, sent);
    assert_int_equal(hm_outbox_count(o), 0);
    assert_int_equal(open_fds(), before);
    hm_outbox_free(o);
    hm_buf_done(&b);
    close(p[0]);
    close(p[1]);
}

int run_ipc_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_message_and_descriptors),
        cmocka_unit_test(closed_peer_is_a_reset_on_both_ways),
        cmocka_unit_test(slow_peer_is_eagain_not_growth),
        cmocka_unit_test(sender_refuses_what_is_too_large),
        cmocka_unit_test(outbox_keeps_order_and_its_ceiling),
        cmocka_unit_test(malformed_packets_are_refused_and_leak_nothing),
    };
    return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
