/* Which logs of other programs are read: one table. Owns the opening of them and of the kernel's
 * audit multicast; what stands in them is the engine's to read, which has no privilege. */
#include "agent/monitor/state.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* unless: that other file has the same lines. */
static const struct {
    const char *path, *unless;
} files[] = {
    {"/var/log/auth.log", NULL},
    {"/var/log/secure", NULL},
    {"/var/log/syslog", NULL},
    {"/var/log/messages", "/var/log/syslog"},
    {"/var/log/cron", NULL},
    {"/var/log/clamav/clamav.log", NULL},
    {"/var/log/clamav/freshclam.log", NULL},
    {"/var/log/clamd.scan", NULL},
    {"/var/log/vsftpd.log", NULL},
    {"/var/log/guacamole/guacd.log", NULL},
    {"/var/log/tomcat9/catalina.out", NULL},
    {"/var/log/tomcat10/catalina.out", NULL},
};
_Static_assert(HM_ARRAY_LEN(files) + HM_MON_LOGS_OWN_MAX <= HM_MON_LOGS_MAX, "a place for each");

/* Root opens what a service's user may have put there: no link, no pipe, no second name of a file
 * that the engine should not see. */
static int open_log(const char *path, struct stat *ret_st)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode) || ret_st->st_nlink > 1)
        return -1;
    return hm_steal_fd(&fd);
}

static void send_source(struct hm_monitor *m, const char *name, uint64_t kind, bool from_start,
                        int fd)
{
    struct hm_msg_log_source s = {
        .kind = kind, .path = hm_slice_str(name), .from_start = from_start};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_log_source, &s, &fd, 1);
}

/* A file that was not there before, or another one by now (rotated). The first look begins at the
 * end: what was logged before the agent was there is not news. */
static void follow(struct hm_monitor *m, struct hm_log_file *f, const char *path)
{
    struct stat st;
    hm_autoclose int fd = open_log(path, &st);
    if (fd < 0 || (f->inode == st.st_ino && f->dev == st.st_dev))
        return;
    send_source(m, path, HM_LOG_SOURCE_FILE, m->logs_looked, fd);
    f->inode = st.st_ino;
    f->dev = st.st_dev;
}

/* Our own: `--log PATH`, a line each. They are read whatever the scope. */
static void follow_own(struct hm_monitor *m)
{
    const char *at = m->o->logs;
    for (size_t i = 0; at && *at && i < HM_MON_LOGS_OWN_MAX; i++) {
        char path[4096];
        size_t n = strcspn(at, "\n");
        snprintf(path, sizeof path, "%.*s", (int)n, at);
        follow(m, &m->logs[HM_ARRAY_LEN(files) + i], path);
        at += n + (at[n] == '\n');
    }
}

static bool there(const char *path)
{
    return path && access(path, F_OK) == 0;
}

void hm_mon_logs_tick(struct hm_monitor *m, uint64_t now_ns)
{
    if (!m->child[HM_AGENT_ENGINE].pid ||
        (m->logs_looked && now_ns - m->logs_looked_ns < HM_MON_LOGS_NS))
        return;
    for (size_t i = 0; !m->o->scope && i < HM_ARRAY_LEN(files); i++)
        if (!there(files[i].unless))
            follow(m, &m->logs[i], files[i].path);
    follow_own(m);
    m->logs_looked_ns = now_ns;
    m->logs_looked = true;
}

size_t hm_mon_logs_count(const struct hm_monitor *m)
{
    size_t n = 0;
    for (size_t i = 0; i < HM_MON_LOGS_MAX; i++)
        n += m->logs[i].inode != 0;
    return n;
}

/* Is the audit system on? It is asked, never changed: while it is off the multicast is silent. */
static bool audit_enabled(void)
{
    struct {
        struct nlmsghdr h;
        struct audit_status s;
    } m = {.h = {.nlmsg_len = sizeof m.h, .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST}};
    struct timeval wait = {.tv_usec = 200000};
    hm_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        send(fd, &m, sizeof m.h, 0) != sizeof m.h)
        return false;
    ssize_t n = recv(fd, &m, sizeof m, 0);
    return n >= (ssize_t)(sizeof m.h + offsetof(struct audit_status, failure)) &&
           m.h.nlmsg_type == AUDIT_GET && m.s.enabled != 0;
}

/* Only the initial network namespace has the kernel's audit records, and only for the whole
 * machine. Errors: negative errno. */
static int open_audit(void)
{
    hm_autoclose int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1)};
    int room = HM_MON_AUDIT_BYTES;
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return hm_steal_fd(&fd);
}

/* Where syslog writes files the journal has the same lines. */
static bool wants_journal(const struct hm_monitor *m)
{
    static const char *const syslog[] = {"/var/log/syslog", "/var/log/messages",
                                         "/var/log/auth.log", "/var/log/secure"};
    for (size_t i = 0; i < HM_ARRAY_LEN(syslog); i++)
        if (there(syslog[i]))
            return false;
    return !m->o->scope && there("/usr/bin/journalctl") &&
           (there("/run/log/journal") || there("/var/log/journal"));
}

static void open_journal_pipe(struct hm_monitor *m)
{
    int p[2];
    if (m->journal_pipe[0] >= 0 || !wants_journal(m) || pipe2(p, O_CLOEXEC) < 0)
        return;
    (void)fcntl(p[0], F_SETFL, O_NONBLOCK); /* the engine's end only: journalctl waits */
    (void)fcntl(p[0], F_SETPIPE_SZ, HM_MON_AUDIT_BYTES);
    m->journal_pipe[0] = p[0];
    m->journal_pipe[1] = p[1];
}

int hm_mon_logs_greet_journal(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_msg_journal_start s = {0};
    int r = hm_ipc_send(m->child[HM_AGENT_JOURNAL].fd, &hm_desc_journal_start, &s,
                        &m->journal_pipe[1], 1);
    return r < 0 ? hm_fail(err, r, "cannot start journal") : 0;
}

/* To an engine that was just started: nothing is open in it yet. */
void hm_mon_logs_greet(struct hm_monitor *m)
{
    bool again = m->logs_looked;
    memset(m->logs, 0, sizeof m->logs);
    m->logs_looked = false; /* at the end: what the engine before this one read is not told twice */
    hm_mon_logs_tick(m, hm_clock_mono_ns());
    open_journal_pipe(m);
    if (m->journal_pipe[0] >= 0)
        send_source(m, "journal", HM_LOG_SOURCE_JOURNAL, false, m->journal_pipe[0]);
    hm_autoclose int fd = m->o->scope ? -EPERM : open_audit();
    m->audit = fd >= 0 && audit_enabled();
    if (fd >= 0)
        send_source(m, "audit", HM_LOG_SOURCE_AUDIT, false, fd);
    else if (!m->o->scope && !again)
        hm_info("no audit records of other programs: %s", strerror(-fd));
    hm_mon_journal_sensors(m); /* with what is read beside the sensor */
}
