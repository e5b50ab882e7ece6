/* What the sensor tells about itself: probed, active, and therefore not seen. Owns the words, in
 * English and Japanese; decides nothing. */
#include "agent/sensor/report.h"
#include "event/event.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct part_info {
    const char *name, *how;
    struct hm_text what;
};

static const struct part_info parts[HM_PART_COUNT] = {
    [HM_PART_EXEC] =
        {"exec",
         "tp_btf/sched_process_exec",
         {"program starts: path, arguments to 32 KiB, folder, loader variables, standard "
          "descriptors",
          "プログラムの実行 (パス、32 KiB までの引数、作業フォルダー、ローダー変数、標準記述子)"}},
    [HM_PART_FORK] = {"fork", "tp_btf/sched_process_fork", {"new processes", "プロセスの生成"}},
    [HM_PART_EXIT] = {"exit",
                      "tp_btf/sched_process_exit",
                      {"process ends with status or signal",
                       "プロセスの終了 (終了コード、シグナル)"}},
    [HM_PART_NETWORK] = {"network",
                         "tp_btf/inet_sock_set_state",
                         {"TCP connect with result, listen, close, with their process",
                          "TCP の接続 (結果つき)、待ち受け、切断と、そのプロセス"}},
    [HM_PART_ACCEPT] = {"accept",
                        "tp/syscalls/sys_exit_accept, accept4",
                        {"TCP connections taken in, with the process that took them",
                         "TCP の受け入れと、受け入れたプロセス"}},
    [HM_PART_SNAPSHOT] = {"snapshot",
                          "iter/task",
                          {"processes that already run at the start",
                           "起動時に動いているプロセス"}},
    [HM_PART_CALLS] = {"calls",
                       "tp/syscalls/sys_enter_…",
                       {"rare system calls, while a loaded rule asks for them",
                        "まれなシステムコール (読み込んだルールが必要とする間だけ)"}},
    [HM_PART_DNS] = {"dns",
                     "cgroup_skb/ingress, cgroup/connect, sendmsg",
                     {"names answered by DNS over UDP, with who asked where the socket tells",
                      "UDP の DNS が答えた名前 (ソケットから分かる場合は問い合わせたプロセスも)"}},
};

/* Not a program of the sensor: monitor's marks. Listed beside them, because it is seen. */
static const struct part_info files_part = {
    "files",
    "fanotify",
    {"files in watched folders: created, written, renamed, deleted, mode or owner changed; "
     "sensitive files opened",
     "監視対象フォルダーのファイルの作成、書き込み、名前の変更、削除、モードと所有者の変更、"
     "機密ファイルを開く操作"}};

static const struct part_info beside_parts[] = {
    {"logs",
     "files",
     {"lines of log files: sshd, sudo, su, cron, clamav, vsftpd, guacamole, syslog; logins in them",
      "ログファイルの行 (sshd、sudo、su、cron、clamav、vsftpd、guacamole、syslog) とログイン"}},
    {"audit",
     "netlink",
     {"records that other programs give to the audit system: services, users, logins, terminals",
      "監査システムに他のプログラムが渡す記録 (サービス、ユーザー、ログイン、端末)"}},
    {"journal", "journalctl", {"lines of the systemd journal", "systemd ジャーナルの行"}},
};
static const struct hm_text blind_logs = {
    "what services log: no log file is here, and the journal is not read",
    "サービスのログ (ログファイルがなく、ジャーナルも読んでいない)"};
static const struct hm_text blind_audit = {
    "records that other programs give to the audit system: it is off, or not open to us",
    "監査システムに他のプログラムが渡す記録 (監査が無効、または受け取れない)"};

static bool beside_active(const struct hm_report *r, size_t i)
{
    const struct hm_sensor_beside *b = r->beside;
    return b && (i == 0 ? b->logs > 0 : i == 1 ? b->audit : b->journal);
}

/* What is not seen whatever the kernel: this version has no program for it. */
static const struct hm_text always_blind[] = {
    {"UDP, ICMP, raw, packet and UNIX sockets", "UDP、ICMP、raw、パケット、UNIX ソケットの通信"},
    {"names asked over TCP, TLS or HTTPS", "TCP、TLS、HTTPS で問い合わせた名前"},
    {"changes of privilege without an exec (setuid, capset)",
     "実行を伴わない権限の変更 (setuid、capset)"},
};

static const struct hm_text blind_accept_compat = {
    "accept by io_uring or by a 32-bit system call (int 0x80)",
    "io_uring または 32 ビットのシステムコール (int 0x80) による受け入れ"};
/* Seen only as the rare system call that begins it. */
static const struct {
    const char *call;
    struct hm_text what;
} by_call[] = {
    {"ptrace",
     {"access to another process's memory (ptrace)", "他プロセスのメモリーへのアクセス (ptrace)"}},
    {"finit_module", {"loading of kernel modules", "カーネルモジュールの読み込み"}},
};
static const struct hm_text blind_calls = {
    "rare system calls (mknod, memfd_create, personality …): no loaded rule asks for them, or "
    "their tracepoints do not work here",
    "まれなシステムコール (mknod、memfd_create、personality "
    "など): 必要とするルールがないか、トレースポイントが使えない"};
static const struct hm_text blind_calls_compat = {
    "rare system calls through the 32-bit interface (int 0x80)",
    "32 ビットインターフェース (int 0x80) によるまれなシステムコール"};
static const struct hm_text blind_denial = {
    "nothing can be denied by a security hook: the kernel does not run LSM programs",
    "セキュリティフックによる拒否はできません (カーネルが LSM プログラムを実行しない)"};
static const struct hm_text blind_files = {"file changes: fanotify with names does not work here",
                                           "ファイルの変更 (名前付き fanotify が使えない)"};
static const struct hm_text blind_no_mark = {"file changes: no file system here can be watched",
                                             "ファイルの変更 (監視できるファイルシステムがない)"};
static const struct hm_text blind_gate = {
    "no execution can be held for a verdict: fanotify permission events do not work here",
    "実行前の判定はできません (fanotify の許可イベントが使えない)"};
static const struct hm_text blind_all = {
    "everything the kernel sensor would see: it does not load here",
    "カーネルセンサーが見るはずのもの全て (読み込めない)"};
static const struct hm_text blind_scope = {"everything outside the scope cgroup, by intention",
                                           "対象 cgroup の外にあるもの全て (意図したもの)"};

static void add(const struct hm_text **list, size_t *n, const struct hm_text *t)
{
    if (*n < HM_BLIND_MAX)
        list[(*n)++] = t;
}

static bool watches(const struct hm_sensor *s, const char *call)
{
    for (uint32_t i = 0; s && i < hm_rare_count; i++)
        if (s->call_links[i] && strcmp(hm_rare_name(i), call) == 0)
            return true;
    return false;
}

size_t hm_report_blind(const struct hm_report *r, const struct hm_text *list[HM_BLIND_MAX])
{
    size_t n = 0;
    if (!r->sensor)
        add(list, &n, &blind_all);
    for (int i = 0; r->sensor && i < HM_PART_COUNT; i++)
        if (!r->sensor->active[i])
            add(list, &n, i == HM_PART_CALLS ? &blind_calls : &parts[i].what);
    if (r->sensor && r->sensor->active[HM_PART_CALLS])
        add(list, &n, &blind_calls_compat);
    if (r->sensor && r->sensor->active[HM_PART_ACCEPT] && !r->sensor->accept_fexit)
        add(list, &n, &blind_accept_compat);
    if (!hm_probe_ok(r->probes, HM_PROBE_FANOTIFY_NAME))
        add(list, &n, &blind_files);
    else if (!r->files)
        add(list, &n, &blind_no_mark);
    if (!hm_probe_ok(r->probes, HM_PROBE_FANOTIFY_PERM))
        add(list, &n, &blind_gate);
    if (!hm_probe_ok(r->probes, HM_PROBE_LSM))
        add(list, &n, &blind_denial);
    for (size_t i = 0; i < HM_ARRAY_LEN(always_blind); i++)
        add(list, &n, &always_blind[i]);
    if (r->beside && !beside_active(r, 0) && !beside_active(r, 2))
        add(list, &n, &blind_logs);
    if (r->beside && !beside_active(r, 1))
        add(list, &n, &blind_audit);
    for (size_t i = 0; i < HM_ARRAY_LEN(by_call); i++)
        if (!watches(r->sensor, by_call[i].call))
            add(list, &n, &by_call[i].what);
    if (r->sensor && r->sensor->scoped)
        add(list, &n, &blind_scope);
    return n;
}

static const char *part_how(const struct hm_sensor *s, int part)
{
    if (part == HM_PART_CALLS)
        return s->calls_how;
    return part == HM_PART_ACCEPT && s->accept_fexit ? "fexit/inet_csk_accept" : parts[part].how;
}

static void json_str(struct hm_buf *out, const char *s)
{
    hm_buf_puts(out, "\"");
    hm_json_escape(hm_slice_str(s), out);
    hm_buf_puts(out, "\"");
}

static void json_part(const struct part_info *p, const char *how, const char **comma,
                      struct hm_buf *out)
{
    hm_buf_printf(out, "%s{\"name\":\"%s\",\"how\":\"%s\",\"detail\":", *comma, p->name, how);
    json_str(out, p->what.en);
    hm_buf_puts(out, ",\"detail_ja\":");
    json_str(out, p->what.ja);
    hm_buf_puts(out, "}");
    *comma = ",";
}

static void json_active(const struct hm_report *r, struct hm_buf *out)
{
    const char *comma = "";
    hm_buf_puts(out, ",\"active\":[");
    for (int i = 0; r->sensor && i < HM_PART_COUNT; i++)
        if (r->sensor->active[i])
            json_part(&parts[i], part_how(r->sensor, i), &comma, out);
    if (r->files)
        json_part(&files_part, files_part.how, &comma, out);
    for (size_t i = 0; i < HM_ARRAY_LEN(beside_parts); i++)
        if (beside_active(r, i))
            json_part(&beside_parts[i], beside_parts[i].how, &comma, out);
    hm_buf_puts(out, "]");
}

static void json_probed(const struct hm_probe_results *r, struct hm_buf *out)
{
    hm_buf_puts(out, ",\"probed\":[");
    for (int i = 0; i < HM_PROBE_COUNT; i++) {
        bool ok = hm_probe_ok(r, (enum hm_probe_id)i);
        hm_buf_printf(out, "%s{\"name\":\"%s\",\"tier\":%d,\"works\":%s", i ? "," : "",
                      hm_probes[i].name, hm_probes[i].tier, ok ? "true" : "false");
        if (!ok)
            hm_buf_printf(out, ",\"error\":\"%s\"", strerrorname_np(-r->error[i]));
        hm_buf_puts(out, "}");
    }
    hm_buf_puts(out, "]");
}

static void json_blind(const struct hm_report *r, struct hm_buf *out)
{
    const struct hm_text *list[HM_BLIND_MAX];
    size_t n = hm_report_blind(r, list);
    for (int ja = 0; ja < 2; ja++) {
        hm_buf_puts(out, ja ? ",\"blind_ja\":[" : ",\"blind\":[");
        for (size_t i = 0; i < n; i++) {
            hm_buf_puts(out, i ? "," : "");
            json_str(out, ja ? list[i]->ja : list[i]->en);
        }
        hm_buf_puts(out, "]");
    }
}

void hm_report_json(const struct hm_report *r, struct hm_buf *out)
{
    struct utsname u = {0};
    (void)uname(&u);
    hm_buf_printf(out, "{\"tier\":%d,\"attached\":%s,\"kernel\":", hm_probe_tier(r->probes),
                  r->sensor && r->sensor->attached ? "true" : "false");
    json_str(out, u.release);
    if (r->problem[0]) {
        hm_buf_puts(out, ",\"problem\":");
        json_str(out, r->problem);
    }
    json_active(r, out);
    json_probed(r->probes, out);
    json_blind(r, out);
    hm_buf_puts(out, "}");
}

static const struct hm_text tiers[4] = {
    {"", ""},
    {"tier 1: sees, cannot deny by security hooks",
     "第 1 段: 観測する (セキュリティフックでの拒否はできない)"},
    {"tier 2: sees, and security hooks work", "第 2 段: 観測し、セキュリティフックも使える"},
    {"tier 3: typed tracepoints do not load, so the kernel sensor does not run",
     "第 3 段: 型付きトレースポイントが使えず、カーネルセンサーは動かない"},
};

void hm_report_text(const struct hm_report *r, enum hm_lang lang, struct hm_buf *out)
{
    static const struct hm_text active = {"Seen", "見えるもの"},
                                probed = {"Tried on this kernel", "このカーネルで試したもの"},
                                blind = {"Not seen", "見えないもの"},
                                works = {"works     ", "使える    "};
    const struct hm_text *list[HM_BLIND_MAX];
    struct utsname u = {0};
    (void)uname(&u);
    hm_buf_printf(out, "Linux %s: %s\n", u.release,
                  hm_text(&tiers[hm_probe_tier(r->probes)], lang));
    if (r->problem[0])
        hm_buf_printf(out, "%s\n", r->problem);
    hm_buf_printf(out, "\n%s\n", hm_text(&active, lang));
    for (int i = 0; r->sensor && i < HM_PART_COUNT; i++)
        if (r->sensor->active[i])
            hm_buf_printf(out, "  %-10s %s (%s)\n", parts[i].name, hm_text(&parts[i].what, lang),
                          part_how(r->sensor, i));
    if (r->files)
        hm_buf_printf(out, "  %-10s %s (%s)\n", files_part.name, hm_text(&files_part.what, lang),
                      files_part.how);
    hm_buf_printf(out, "\n%s\n", hm_text(&blind, lang));
    for (size_t i = 0, n = hm_report_blind(r, list); i < n; i++)
        hm_buf_printf(out, "  - %s\n", hm_text(list[i], lang));
    hm_buf_printf(out, "\n%s\n", hm_text(&probed, lang));
    for (int i = 0; i < HM_PROBE_COUNT; i++)
        hm_buf_printf(out, "  %-15s %-10s%s\n", hm_probes[i].name,
                      hm_probe_ok(r->probes, (enum hm_probe_id)i)
                          ? hm_text(&works, lang)
                          : strerrorname_np(-r->probes->error[i]),
                      hm_text(&hm_probes[i].what, lang));
}

void hm_sensor_report_json(const struct hm_sensor *s, const struct hm_sensor_beside *beside,
                           struct hm_buf *out)
{
    assert(s);
    hm_report_json(&(struct hm_report){.sensor = s,
                                       .probes = &s->probes,
                                       .files = beside->files,
                                       .beside = beside,
                                       .problem = ""},
                   out);
}
