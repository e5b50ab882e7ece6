/* Our own events as rules read them: generic names, audit records, log lines. */
#include "detect/view/args.h"
#include "detect/view/logs.h"
#include "detect/view/reading.h"
#include "detect/view/sentences.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hm_names *names;
static struct hm_bindings *bindings;

static const char *const used[] = {
    "Image",
    "CommandLine",
    "Hashes",
    "sha256",
    "Initiated",
    "DestinationIp",
    "DestinationPort",
    "Protocol",
    "process.stdin",
    "process.flags",
    "type",
    "a0",
    "a1",
    "a2",
    "a9",
    "SYSCALL",
    "exe",
    "key",
    "euid",
    "name",
    "nametype",
    "mode",
    "cwd",
    "unit",
    "acct",
    "USER",
    "COMMAND",
    "program",
    "NoSuchField",
    "md5",
    "saddr_fam",
    "success",
    "argc",
    "ParentImage",
    "auid",
};

static int begin(void **state)
{
    names = hm_names_new();
    for (size_t i = 0; i < HM_ARRAY_LEN(used); i++)
        assert_int_not_equal(hm_names_intern(names, hm_slice_str(used[i])), HM_NAME_NONE);
    return hm_bindings_new(names, &bindings);
}

static int end(void **state)
{
    hm_bindings_free(bindings);
    hm_names_free(names);
    return 0;
}

/* The value as text; "-" absent; a list is its items with a bar between. */
static const char *value(const struct hm_reading *r, const char *name)
{
    static char text[512];
    char buf[HM_DATUM_BUF];
    struct hm_datum d = {.kind = 99};
    uint32_t id = hm_names_find(names, hm_slice_str(name));
    assert_int_not_equal(id, HM_NAME_NONE);
    r->view.get(&r->view, id, buf, &d);
    if (d.kind == HM_DATUM_ABSENT)
        return "-";
    /* what has a value must be said to be possible */
    assert_true(r->view.present[id / 64] >> (id % 64) & 1);
    size_t n = 0;
    if (d.kind != HM_DATUM_LIST) {
        memcpy(text, d.text.p, d.text.len);
        n = d.text.len;
    }
    for (size_t i = 0; d.kind == HM_DATUM_LIST && i < d.count; i++) {
        if (i)
            text[n++] = '|';
        memcpy(text + n, d.items[i].text.p, d.items[i].text.len);
        n += d.items[i].text.len;
    }
    text[n] = 0;
    return text;
}

static void put(struct hm_event *e, enum hm_field f, const char *s)
{
    hm_event_set(e, f, hm_slice_str(s));
}

static void act(struct hm_event *e, enum hm_class class, enum hm_action action)
{
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, class);
    hm_event_set_u64(e, HM_F_ACTION, action);
}

static struct hm_event exec_event(void)
{
    struct hm_event e;
    act(&e, HM_CLASS_PROCESS, HM_ACTION_PROCESS_EXEC);
    put(&e, HM_F_PROCESS_IMAGE, "/usr/bin/wget");
    put(&e, HM_F_PROCESS_COMMAND_LINE, "wget -q http://x/a b");
    put(&e, HM_F_PROCESS_CWD, "/tmp");
    put(&e, HM_F_PARENT_IMAGE, "/bin/sh");
    hm_event_set_u64(&e, HM_F_USER_EUID, 33);
    hm_event_set_u64(&e, HM_F_PROCESS_ARGC, 4);
    hm_event_set_u64(&e, HM_F_PROCESS_STDIN, HM_STDIO_SOCKET);
    hm_event_set_u64(&e, HM_F_PROCESS_FLAGS, HM_PROC_SETUID | HM_PROC_SCRIPT);
    hm_event_set(&e, HM_F_PROCESS_SHA256, hm_slice("\xab\x01", 2));
    return e;
}

static void generic_names_have_the_values_that_rules_write(void **state)
{
    struct hm_event e = exec_event();
    struct hm_reading r[HM_READINGS_MAX];
    assert_int_equal(hm_readings(bindings, HM_VIEW_EVENT, &e, r), 1);
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"Image", "/usr/bin/wget"},
        {"CommandLine", "wget -q http://x/a b"},
        {"Hashes", "SHA256=AB01"},
        {"sha256", "ab01"},
        {"process.stdin", "socket|3"},
        {"process.flags", "setuid|script"},
        {"euid", "33"},
        {"NoSuchField", "-"},
        {"md5", "-"},
        {"DestinationIp", "-"},
        {"ParentImage", "/bin/sh"},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_string_equal(value(r, rows[i].name), rows[i].value);
}

static void addresses_and_directions_read_as_sysmon_writes_them(void **state)
{
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    act(&e, HM_CLASS_NETWORK, HM_ACTION_NETWORK_CONNECT);
    hm_event_set(&e, HM_F_DST_IP, hm_slice("\xc0\x00\x02\x01", 4));
    hm_event_set_u64(&e, HM_F_DST_PORT, 4444);
    hm_event_set_u64(&e, HM_F_NET_DIRECTION, 2);
    hm_event_set_u64(&e, HM_F_NET_PROTOCOL, 6);
    assert_int_equal(hm_readings(bindings, HM_VIEW_EVENT, &e, r), 1);
    assert_string_equal(value(r, "DestinationIp"), "192.0.2.1");
    assert_string_equal(value(r, "DestinationPort"), "4444");
    assert_string_equal(value(r, "Initiated"), "true");
    assert_string_equal(value(r, "Protocol"), "tcp|6");
    hm_event_set_u64(&e, HM_F_NET_DIRECTION, 1);
    assert_string_equal(value(r, "Initiated"), "false");
}

static const struct hm_reading *record(const struct hm_reading *r, size_t n, const char *type,
                                       size_t nth)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(value(&r[i], "type"), type) == 0 && nth-- == 0)
            return &r[i];
    fail_msg("no %s record", type);
    return NULL;
}

static void an_exec_gives_the_records_auditd_would_write(void **state)
{
    struct hm_event e = exec_event();
    struct hm_reading r[HM_READINGS_MAX];
    hm_event_set(&e, HM_F_PROCESS_ARG_LENGTHS, hm_slice("\x04\x02\x0c", 3));
    size_t n = hm_readings(bindings, HM_VIEW_AUDITD, &e, r);
    assert_int_equal(n, 5);
    const struct hm_reading *call = record(r, n, "SYSCALL", 0), *argv = record(r, n, "EXECVE", 0);
    assert_string_equal(value(call, "SYSCALL"), "execve");
    assert_string_equal(value(call, "exe"), "/usr/bin/wget");
    assert_string_equal(value(call, "key"), "susp_activity");
    assert_string_equal(value(call, "euid"), "33");
    assert_string_equal(value(call, "a0"), "-"); /* an address, unknown */
    assert_string_equal(value(argv, "a0"), "wget");
    assert_string_equal(value(argv, "a1"), "-q");
    assert_string_equal(value(argv, "a2"), "http://x/a b");
    assert_string_equal(value(argv, "a9"), "-");
    assert_string_equal(value(argv, "exe"), "-");
    assert_string_equal(value(argv, "argc"), "4");
    assert_string_equal(value(record(r, n, "CWD", 0), "cwd"), "/tmp");
    assert_string_equal(value(record(r, n, "PATH", 0), "name"), "/usr/bin/wget");
    assert_string_equal(value(record(r, n, "PATH", 0), "nametype"), "NORMAL");
}

static void a_script_has_a_path_of_its_own(void **state)
{
    struct hm_event e = exec_event();
    struct hm_reading r[HM_READINGS_MAX];
    put(&e, HM_F_PROCESS_SCRIPT, "/tmp/.x.sh");
    size_t n = hm_readings(bindings, HM_VIEW_AUDITD, &e, r);
    assert_int_equal(n, 6);
    assert_string_equal(value(record(r, n, "PATH", 1), "name"), "/tmp/.x.sh");
}

static void file_changes_are_path_records(void **state)
{
    static const struct {
        uint64_t action;
        const char *nametype, *call;
    } rows[] = {
        {HM_ACTION_FILE_CREATE, "CREATE", "openat|open|creat"},
        {HM_ACTION_FILE_WRITE, "NORMAL", "openat|open|creat"},
        {HM_ACTION_FILE_DELETE, "DELETE", "unlink|unlinkat"},
        {HM_ACTION_FILE_ATTRIB, "NORMAL", "chmod|fchmod|fchmodat"},
        {HM_ACTION_FILE_OPEN, "NORMAL", "openat|open|creat"},
    };
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        act(&e, HM_CLASS_FILE, (enum hm_action)rows[i].action);
        put(&e, HM_F_FILE_PATH, "/etc/shells");
        hm_event_set_u64(&e, HM_F_FILE_MODE, 0644);
        size_t n = hm_readings(bindings, HM_VIEW_AUDITD, &e, r);
        assert_int_equal(n, 2);
        assert_string_equal(value(record(r, n, "PATH", 0), "nametype"), rows[i].nametype);
        assert_string_equal(value(record(r, n, "PATH", 0), "mode"), "0644");
        assert_string_equal(value(record(r, n, "SYSCALL", 0), "SYSCALL"), rows[i].call);
    }
    act(&e, HM_CLASS_FILE, HM_ACTION_FILE_RENAME);
    put(&e, HM_F_FILE_SOURCE_PATH, "/tmp/a");
    put(&e, HM_F_FILE_PATH, "/run/b.pid");
    size_t n = hm_readings(bindings, HM_VIEW_AUDITD, &e, r);
    assert_int_equal(n, 4);
    assert_string_equal(value(record(r, n, "PATH", 0), "name"), "/tmp/a");
    assert_string_equal(value(record(r, n, "PATH", 0), "nametype"), "DELETE");
    assert_string_equal(value(record(r, n, "PATH", 1), "name"), "/run/b.pid");
    assert_string_equal(value(record(r, n, "PATH", 2), "name"), "/var/run/b.pid");
}

static void a_connection_carries_the_key_of_its_audit_rule(void **state)
{
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    act(&e, HM_CLASS_NETWORK, HM_ACTION_NETWORK_CONNECT);
    hm_event_set(&e, HM_F_DST_IP, hm_slice("\xc0\x00\x02\x01", 4));
    size_t n = hm_readings(bindings, HM_VIEW_AUDITD, &e, r);
    assert_int_equal(n, 2);
    assert_string_equal(value(r, "key"), "network_connect_4");
    assert_string_equal(value(r, "success"), "yes");
    assert_string_equal(value(record(r, n, "SOCKADDR", 0), "saddr_fam"), "inet");
    hm_event_set_u64(&e, HM_F_NET_RESULT, 111);
    assert_string_equal(value(r, "key"), "-");
    assert_string_equal(value(r, "success"), "no");
}

static void a_rare_call_has_its_arguments_in_hexadecimal(void **state)
{
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    act(&e, HM_CLASS_SYSCALL, HM_ACTION_SYSCALL_CALL);
    put(&e, HM_F_SYSCALL_NAME, "personality");
    hm_event_set_u64(&e, HM_F_SYSCALL_A0, 0x40000);
    assert_int_equal(hm_readings(bindings, HM_VIEW_AUDITD, &e, r), 1);
    assert_string_equal(value(r, "SYSCALL"), "personality");
    assert_string_equal(value(r, "a0"), "40000");
    assert_string_equal(value(r, "success"), "-"); /* seen at its entry */
}

static void log_event(struct hm_event *e, const char *source, const char *program, const char *text)
{
    act(e, HM_CLASS_FOREIGN, HM_ACTION_FOREIGN_LOG);
    put(e, HM_F_FOREIGN_SOURCE, source);
    if (program)
        put(e, HM_F_FOREIGN_PROGRAM, program);
    put(e, HM_F_FOREIGN_TEXT, text);
}

static void lines_belong_to_services(void **state)
{
    static const struct {
        const char *source, *program;
        uint32_t logs;
    } rows[] = {
        {"/var/log/auth.log", "sshd", HM_LOG_SSHD | HM_LOG_AUTH | HM_LOG_SYSLOG},
        {"/var/log/secure", "sudo", HM_LOG_SUDO | HM_LOG_AUTH | HM_LOG_SYSLOG},
        {"journal", "crond", HM_LOG_CRON | HM_LOG_SYSLOG},
        {"/var/log/vsftpd.log", NULL, HM_LOG_VSFTPD},
        {"/var/log/clamav/clamav.log", NULL, HM_LOG_CLAMAV},
        {"/var/log/syslog", "guacd", HM_LOG_GUACAMOLE | HM_LOG_SYSLOG},
        {"audit", NULL, HM_LOG_AUDIT},
        {"/var/log/messages", "named", HM_LOG_SYSLOG},
    };
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        log_event(&e, rows[i].source, rows[i].program, "x");
        assert_int_equal(hm_readings(bindings, HM_VIEW_LOG, &e, r), 1);
        assert_int_equal(r->logs, rows[i].logs);
    }
}

static void sudo_lines_give_their_pairs(void **state)
{
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    log_event(&e, "/var/log/auth.log", "sudo",
              "Nov  2 10:00:00 h sudo:      bob : TTY=pts/0 ; PWD=/home/bob ; USER=#-1 ; "
              "COMMAND=/bin/sh -c id; ls");
    assert_int_equal(hm_readings(bindings, HM_VIEW_LOG, &e, r), 1);
    assert_string_equal(value(r, "USER"), "#-1");
    assert_string_equal(value(r, "COMMAND"), "/bin/sh -c id; ls");
    assert_string_equal(value(r, "program"), "sudo");
    assert_string_equal(value(r, "acct"), "-");
}

static void audit_lines_and_spoken_facts_are_records(void **state)
{
    struct hm_event e;
    struct hm_reading r[HM_READINGS_MAX];
    log_event(
        &e, "audit", NULL,
        "type=SERVICE_STOP msg=audit(1.0:7): pid=1 uid=0 msg='unit=firewalld comm=\"systemd\" "
        "exe=\"/usr/lib/systemd/systemd\" res=success'");
    assert_int_equal(hm_readings(bindings, HM_VIEW_AUDITD, &e, r), 1);
    assert_string_equal(value(r, "type"), "SERVICE_STOP");
    assert_string_equal(value(r, "unit"), "firewalld");
    assert_string_equal(value(r, "exe"), "/usr/lib/systemd/systemd");
    static const struct {
        const char *program, *line, *type, *name, *value;
    } rows[] = {
        {NULL, "Nov  2 10:00:00 h systemd[1]: Stopped ufw.service - Uncomplicated firewall.",
         "SERVICE_STOP", "unit", "ufw"},
        {"systemd", "Stopped firewalld - dynamic firewall daemon.", "SERVICE_STOP", "unit",
         "firewalld"},
        {NULL, "Nov  2 10:00:00 h useradd[7]: new user: name=eve, UID=0, GID=0", "ADD_USER", "acct",
         "eve"},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        log_event(&e, "/var/log/syslog", rows[i].program, rows[i].line);
        assert_int_equal(hm_readings(bindings, HM_VIEW_AUDITD, &e, r), 1);
        assert_string_equal(value(r, "type"), rows[i].type);
        assert_string_equal(value(r, rows[i].name), rows[i].value);
    }
    /* nobody but systemd speaks for units */
    log_event(&e, "/var/log/syslog", "evil", "Stopped firewalld.service");
    assert_int_equal(hm_readings(bindings, HM_VIEW_AUDITD, &e, r), 0);
}

static void arguments_survive_spaces_and_emptiness(void **state)
{
    static const struct {
        const char *raw;
        size_t len;
        const char *line, *args;
        bool lengths;
    } rows[] = {
        {"a\0b\0", 4, "a b", "a|b|", false},
        {"a\0b", 3, "a b", "a|b|", false},
        {"sh\0-c\0id; ls\0", 13, "sh -c id; ls", "sh|-c|id; ls|", true},
        {"a\0\0b\0", 5, "a  b", "a||b|", true},
        {"a\0\0\0", 4, "a", "a|||", true},
        {"\0x\0", 3, " x", "|x|", true},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf lengths = HM_BUF(64), got = HM_BUF(64);
        struct hm_event e;
        struct hm_args a;
        struct hm_slice arg;
        hm_event_clear(&e);
        put(&e, HM_F_PROCESS_COMMAND_LINE, rows[i].line);
        hm_args_lengths(hm_slice(rows[i].raw, rows[i].len), &lengths);
        assert_int_equal(lengths.len > 0, rows[i].lengths);
        if (lengths.len)
            hm_event_set(&e, HM_F_PROCESS_ARG_LENGTHS, hm_buf_slice(&lengths));
        hm_args_begin(&e, &a);
        while (hm_args_next(&a, &arg)) {
            hm_buf_put(&got, arg.p, arg.len);
            hm_buf_puts(&got, "|");
        }
        assert_true(hm_slice_eq(hm_buf_slice(&got), hm_slice_str(rows[i].args)));
        hm_buf_done(&lengths);
        hm_buf_done(&got);
    }
}

static bool joins(void *ctx, struct hm_slice text)
{
    hm_buf_put(ctx, text.p, text.len);
    hm_buf_puts(ctx, "\n");
    return false;
}

static void keywords_see_what_the_event_itself_says(void **state)
{
    struct hm_event e = exec_event();
    struct hm_reading r[HM_READINGS_MAX];
    struct hm_buf all = HM_BUF(4096);
    put(&e, HM_F_PARENT_COMMAND_LINE, "sh -c PARENTS");
    hm_readings(bindings, HM_VIEW_EVENT, &e, r);
    assert_false(r->view.each_text(&r->view, joins, &all));
    assert_non_null(memmem(all.data, all.len, "wget -q http://x/a b", 20));
    assert_null(memmem(all.data, all.len, "PARENTS", 7));
    hm_buf_clear(&all);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_FILE);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_FILE_CREATE);
    put(&e, HM_F_FILE_PATH, "/tmp/made");
    assert_false(r->view.each_text(&r->view, joins, &all));
    assert_null(memmem(all.data, all.len, "wget", 4));
    assert_non_null(memmem(all.data, all.len, "/tmp/made", 9));
    hm_buf_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic_names_have_the_values_that_rules_write),
        cmocka_unit_test(addresses_and_directions_read_as_sysmon_writes_them),
        cmocka_unit_test(an_exec_gives_the_records_auditd_would_write),
        cmocka_unit_test(a_script_has_a_path_of_its_own),
        cmocka_unit_test(file_changes_are_path_records),
        cmocka_unit_test(a_connection_carries_the_key_of_its_audit_rule),
        cmocka_unit_test(a_rare_call_has_its_arguments_in_hexadecimal),
        cmocka_unit_test(lines_belong_to_services),
        cmocka_unit_test(sudo_lines_give_their_pairs),
        cmocka_unit_test(audit_lines_and_spoken_facts_are_records),
        cmocka_unit_test(arguments_survive_spaces_and_emptiness),
        cmocka_unit_test(keywords_see_what_the_event_itself_says),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
