/* Logs of other programs: real files that grow, are rotated and emptied, long and many lines, audit
 * records, the journal's export, and what a line says of a login. */
#include "rig.h"
#include "agent/engine/limits.h"
#include "agent/engine/log_frames.h"
#include "agent/engine/logins.h"
#include "agent/engine/logs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char dir[64], path[96];
};

static struct place place_new(void)
{
    struct place p;
    snprintf(p.dir, sizeof p.dir, "/tmp/hinomi-logs-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.path, sizeof p.path, "%s/auth.log", p.dir);
    return p;
}

static void place_end(const struct place *p)
{
    unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
}

static void append(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

static void say(const char *path, const char *text)
{
    append(path, text, strlen(text));
}

static void follow(struct rig *r, const char *path, bool from_start)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(hm_core_log(r->core, HM_LOG_KIND_FILE, fd, hm_slice_str(path), from_start), 0);
}

static void tick(struct rig *r)
{
    (void)hm_core_tick(r->core, NULL, 0);
    rig_read(r);
}

static void new_lines_become_events(void **state)
{
    struct place p = place_new();
    struct rig *r = rig_new(&(struct rig_options){0});
    say(p.path, "Nov  2 10:00:00 h sshd[1]: before the agent\n");
    follow(r, p.path, false);
    say(p.path, "Nov  2 10:00:01 h sshd[12]: error in libcrypto\nNov  2 10:00:02 h su: half");
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 1);
    const struct hm_event *e = rig_find(r, HM_ACTION_FOREIGN_LOG, 0);
    rig_assert_text(e, HM_F_FOREIGN_SOURCE, p.path);
    rig_assert_text(e, HM_F_FOREIGN_PROGRAM, "sshd");
    rig_assert_text(e, HM_F_FOREIGN_TEXT, "Nov  2 10:00:01 h sshd[12]: error in libcrypto");
    say(p.path, " and whole\r\n\n");
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 2); /* an empty line says nothing */
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 1), HM_F_FOREIGN_TEXT,
                    "Nov  2 10:00:02 h su: half and whole");
    rig_free(r);
    place_end(&p);
}

static void a_rotated_file_is_read_to_its_end(void **state)
{
    struct place p = place_new();
    char old[128];
    struct rig *r = rig_new(&(struct rig_options){0});
    snprintf(old, sizeof old, "%s.1", p.path);
    say(p.path, "");
    follow(r, p.path, false);
    assert_int_equal(rename(p.path, old), 0);
    say(old, "h a: last of the old\nh a: without end");
    say(p.path, "h a: first of the new\n");
    follow(r, p.path, true);
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 3);
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 0), HM_F_FOREIGN_TEXT,
                    "h a: last of the old");
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 1), HM_F_FOREIGN_TEXT, "h a: without end");
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 2), HM_F_FOREIGN_TEXT,
                    "h a: first of the new");
    /* emptied in place */
    assert_int_equal(truncate(p.path, 0), 0);
    say(p.path, "h a: anew\n");
    tick(r);
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 3), HM_F_FOREIGN_TEXT, "h a: anew");
    unlink(old);
    rig_free(r);
    place_end(&p);
}

static void long_lines_are_cut_and_floods_counted(void **state)
{
    struct place p = place_new();
    struct rig *r = rig_new(&(struct rig_options){0});
    char *big = malloc(3 * HM_LOG_LINE_BYTES);
    say(p.path, "");
    follow(r, p.path, false);
    memset(big, 'x', 3 * HM_LOG_LINE_BYTES);
    append(p.path, big, 3 * HM_LOG_LINE_BYTES);
    say(p.path, "\nh a: next\n");
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 2);
    assert_int_equal(rig_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 0), HM_F_FOREIGN_TEXT).len,
                     HM_LOG_LINE_BYTES);
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 1), HM_F_FOREIGN_TEXT, "h a: next");
    free(big);
    for (int i = 0; i < HM_LOG_LINES_ROUND + 34; i++)
        say(p.path, "h a: again\n");
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 2 + HM_LOG_LINES_ROUND);
    const struct hm_event *loss = rig_find(r, HM_ACTION_LOSS_QUEUE, 0);
    assert_int_equal(hm_event_u64(loss, HM_F_LOSS_COUNT), 34);
    assert_int_equal(hm_event_u64(loss, HM_F_LOSS_CLASS), HM_CLASS_FOREIGN);
    rig_free(r);
    place_end(&p);
}

static void what_is_no_log_is_refused(void **state)
{
    struct rig *r = rig_new(&(struct rig_options){0});
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(hm_core_log(r->core, HM_LOG_KIND_FILE, fds[0], hm_slice_str("/x"), false),
                     -EINVAL);
    close(fds[1]);
    assert_int_equal(hm_core_log(r->core, HM_LOG_KINDS, open("/dev/null", O_RDONLY | O_CLOEXEC),
                                 hm_slice_str("/x"), false),
                     -EINVAL);
    rig_free(r);
}

static void logins_are_events_of_their_own(void **state)
{
    struct place p = place_new();
    struct rig *r = rig_new(&(struct rig_options){0});
    say(p.path, "");
    follow(r, p.path, false);
    say(p.path, "Nov  2 10:00:01 h sshd[12]: Failed password for invalid user eve from 192.0.2.7 "
                "port 50122 ssh2\n");
    tick(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_AUTH_LOGIN, 0);
    rig_assert_text(e, HM_F_USER_TARGET_NAME, "eve");
    rig_assert_text(e, HM_F_AUTH_METHOD, "password");
    rig_assert_text(e, HM_F_PROCESS_NAME, "sshd");
    assert_int_equal(hm_event_u64(e, HM_F_AUTH_RESULT), HM_LOGIN_FAILURE);
    assert_int_equal(hm_event_u64(e, HM_F_SRC_PORT), 50122);
    assert_true(hm_slice_eq(hm_event_str(e, HM_F_SRC_IP), hm_slice("\xc0\x00\x02\x07", 4)));
    rig_free(r);
    place_end(&p);
}

static void sentences_of_logins(void **state)
{
    static const struct {
        const char *program, *message;
        int result; /* 0: no login */
        const char *user, *method, *address, *port;
    } rows[] = {
        {"sshd", "Accepted publickey for root from 2001:db8::1 port 22 ssh2: RSA SHA256:x", 1,
         "root", "publickey", "2001:db8::1", "22"},
        {"sshd-session", "Accepted password for bob from 192.0.2.1 port 9 ssh2", 1, "bob",
         "password", "192.0.2.1", "9"},
        {"sshd", "Failed none for invalid user  from 192.0.2.1 port 9 ssh2", 2, "", "none",
         "192.0.2.1", "9"},
        {"sshd",
         "Failed password for invalid user x from 9.9.9.9 port 1 ssh2 from 192.0.2.1 port 9 ssh2",
         2, "x from 9.9.9.9 port 1 ssh2", "password", "192.0.2.1", "9"},
        {"sshd", "pam_unix(sshd:auth): authentication failure; rhost=192.0.2.1  user=root", 0, "",
         "", "", ""},
        {"sshd", "Accepted password for bob", 0, "", "", "", ""},
        {"sudo", "     bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root", 2,
         "bob", "sudo", "", ""},
        {"sudo", "bob : user NOT in sudoers ; TTY=pts/0", 2, "bob", "sudo", "", ""},
        {"sudo", "bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls", 1, "bob", "sudo", "", ""},
        {"su", "FAILED SU (to root) bob on pts/0", 2, "root", "su", "", ""},
        {"su", "(to root) bob on pts/0", 1, "root", "su", "", ""},
        {"login",
         "pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=tty1 "
         "ruser= rhost=  user=eve",
         2, "eve", "login", "", ""},
        {"vsftpd",
         "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp "
         "ruser=eve rhost=192.0.2.9 user=eve",
         2, "eve", "vsftpd", "192.0.2.9", ""},
        {"login", "pam_unix(login:session): session opened for user bob(uid=1000) by (uid=0)", 1,
         "bob", "login", "", ""},
        {"cron", "pam_unix(cron:session): session opened for user root(uid=0)", 0, "", "", "", ""},
        {"sshd", "", 0, "", "", "", ""},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_login l = {0};
        bool is = hm_login_of(hm_slice_str(rows[i].program), hm_slice_str(rows[i].message), &l);
        if (is != (rows[i].result != 0))
            fail_msg("%s: %d", rows[i].message, is);
        if (!is)
            continue;
        if (l.result != (enum hm_login_result)rows[i].result ||
            !hm_slice_eq(l.user, hm_slice_str(rows[i].user)) ||
            !hm_slice_eq(l.method, hm_slice_str(rows[i].method)) ||
            !hm_slice_eq(l.address, hm_slice_str(rows[i].address)) ||
            !hm_slice_eq(l.port, hm_slice_str(rows[i].port)))
            fail_msg("%s: %d %.*s %.*s %.*s %.*s", rows[i].message, l.result, (int)l.user.len,
                     l.user.p, (int)l.method.len, l.method.p, (int)l.address.len, l.address.p,
                     (int)l.port.len, l.port.p);
    }
}

static void audit_records_come_as_text(void **state)
{
    static const char text[] =
        "audit(1700000000.123:45): pid=1 uid=0 auid=4294967295 ses=4294967295 "
        "msg='unit=firewalld comm=\"systemd\" res=success'";
    struct {
        struct nlmsghdr h;
        char text[sizeof text];
    } m = {.h = {.nlmsg_len = sizeof m, .nlmsg_type = 1131}};
    int fds[2];
    struct rig *r = rig_new(&(struct rig_options){0});
    memcpy(m.text, text, sizeof text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(hm_core_log(r->core, HM_LOG_KIND_AUDIT, fds[0], hm_slice_str("audit"), false),
                     0);
    assert_int_equal(write(fds[1], &m, sizeof m), sizeof m);
    m.h.nlmsg_type = 1300; /* SYSCALL: the sensor's own */
    assert_int_equal(write(fds[1], &m, sizeof m), sizeof m);
    assert_int_equal(write(fds[1], "short", 5), 5);
    tick(r);
    assert_int_equal(rig_count(r, HM_ACTION_FOREIGN_LOG), 1);
    char want[256];
    snprintf(want, sizeof want, "type=SERVICE_STOP msg=%s", text);
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 0), HM_F_FOREIGN_TEXT, want);
    rig_assert_text(rig_find(r, HM_ACTION_FOREIGN_LOG, 0), HM_F_FOREIGN_SOURCE, "audit");
    close(fds[1]);
    rig_free(r);
}

static void put_line(void *ctx, struct hm_slice program, struct hm_slice text)
{
    hm_buf_put(ctx, program.p, program.len);
    hm_buf_puts(ctx, "|");
    hm_buf_put(ctx, text.p, text.len);
    hm_buf_puts(ctx, "\n");
}

/* The export format in every cutting of its bytes gives the same lines. */
static void journal_export_in_any_pieces(void **state)
{
    static const char in[] =
        "__CURSOR=s=1\n_COMM=sshd-session\nSYSLOG_IDENTIFIER=sshd\nPRIORITY=6\n"
        "MESSAGE=Accepted password\n\n"
        "MESSAGE\n\x05\0\0\0\0\0\0\0a\nb=c\n_COMM=cron\n\n"
        "_COMM=silent\n\n";
    static const char want[] = "sshd|sshd: Accepted password\ncron|cron: a\nb=c\n";
    for (size_t piece = 1; piece < sizeof in; piece++) {
        struct hm_journal_frame f = {0};
        struct hm_buf out = HM_BUF(4096);
        size_t cut = 0;
        for (size_t at = 0; at < sizeof in - 1; at += piece) {
            size_t n = sizeof in - 1 - at < piece ? sizeof in - 1 - at : piece;
            cut += hm_journal_frame_add(&f, hm_slice(in + at, n), put_line, &out);
        }
        assert_int_equal(cut, 0);
        if (!hm_slice_eq(hm_buf_slice(&out), hm_slice_str(want)))
            fail_msg("pieces of %zu: %.*s", piece, (int)out.len, out.data);
        hm_buf_done(&out);
        hm_journal_frame_done(&f);
    }
}

static void journal_export_that_lies_is_bounded(void **state)
{
    struct hm_journal_frame f = {0};
    struct hm_buf out = HM_BUF(4096);
    static const char huge[] = "COREDUMP\n\xff\xff\xff\xff\xff\xff\xff\x7f";
    assert_int_equal(hm_journal_frame_add(&f, hm_slice(huge, sizeof huge - 1), put_line, &out), 1);
    char *junk = calloc(1, 4096);
    for (int i = 0; i < 64; i++)
        (void)hm_journal_frame_add(&f, hm_slice(junk, 4096), put_line, &out);
    assert_true(f.in.len <= HM_LOG_FRAME_BYTES);
    hm_journal_frame_done(&f);
    f = (struct hm_journal_frame){0};
    size_t cut = 0;
    for (int i = 0; i < 64; i++) /* a row without end */
        cut += hm_journal_frame_add(&f, hm_slice(junk, 4096), put_line, &out);
    assert_true(cut > 0);
    assert_true(f.in.len <= HM_LOG_FRAME_BYTES);
    assert_int_equal(out.len, 0);
    free(junk);
    hm_journal_frame_done(&f);
    hm_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_lines_become_events),
        cmocka_unit_test(a_rotated_file_is_read_to_its_end),
        cmocka_unit_test(long_lines_are_cut_and_floods_counted),
        cmocka_unit_test(what_is_no_log_is_refused),
        cmocka_unit_test(logins_are_events_of_their_own),
        cmocka_unit_test(sentences_of_logins),
        cmocka_unit_test(audit_records_come_as_text),
        cmocka_unit_test(journal_export_in_any_pieces),
        cmocka_unit_test(journal_export_that_lies_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
