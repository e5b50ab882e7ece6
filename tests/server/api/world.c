/* See world.h. */
#include "world.h"
#include "base/clock.h"
#include "event/event.h"
#include "journal/journal.h"
#include "server/pki.h"
#include "server/record.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void in_dir(const struct world *w, const char *name, char *ret, size_t len)
{
    snprintf(ret, len, "%s/%s", w->dir, name);
}

static void make_folders(struct world *w)
{
    static const char *const names[] = {"core",     "core/store", "gateway", "gateway/journal",
                                        "api",      "signer",     "www",     "www/assets",
                                        "packages", "rules"};
    char path[256];

    snprintf(w->dir, sizeof w->dir, "/tmp/hinomi-api-XXXXXX");
    MUST(mkdtemp(w->dir));
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++) {
        in_dir(w, names[i], path, sizeof path);
        MUST(mkdir(path, 0755) == 0);
    }
}

static void write_file(const struct world *w, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    in_dir(w, name, path, sizeof path);
    MUST((f = fopen(path, "w")) && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make_certificates(struct world *w)
{
    struct hm_pki_leaf leaf = {"console", HM_PKI_CONSOLE_URI, "localhost,127.0.0.1", 30};
    EVP_PKEY *ca_key = hm_pki_key_new(), *key = hm_pki_key_new();
    X509 *chain[2];
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n;
    char path[256];

    MUST(ca_key && key && hm_pki_ca_new(ca_key, "test CA", &chain[1]) == 0);
    MUST(hm_pki_issue(ca_key, chain[1], key, &leaf, &chain[0]) == 0);
    in_dir(w, "api/tls.key", path, sizeof path);
    MUST(hm_pki_write_key(path, key) == 0);
    in_dir(w, "api/tls.crt", path, sizeof path);
    MUST(hm_pki_write_certs(path, chain, 2) == 0);
    in_dir(w, "signer/ca.crt", path, sizeof path);
    MUST(hm_pki_write_certs(path, &chain[1], 1) == 0);
    MUST(X509_digest(chain[1], EVP_sha256(), sum, &n) == 1);
    for (unsigned i = 0; i < n; i++)
        snprintf(w->ca_sha256 + 2 * i, 3, "%02x", sum[i]);
    X509_free(chain[0]), X509_free(chain[1]);
    EVP_PKEY_free(key), EVP_PKEY_free(ca_key);
}

static void add_endpoint(struct world *w, const uint8_t *id, const char *name, bool practice)
{
    static const char sensors[] =
        "{\"tier\":1,\"attached\":true,\"active\":[{\"name\":\"exec\",\"how\":\"tp_btf\","
        "\"detail\":\"programs that start\",\"detail_ja\":\"プログラムの起動\"}],"
        "\"blind\":[\"DNS names\",\"<script>alert(1)</script>\"],\"blind_ja\":[\"DNS の名前\",7]}";
    struct hm_enroll_grant g = {.tenant = "default", .group = "office"};
    struct hm_endpoint_new e = {.name = hm_slice_str(name),
                                .os = hm_slice_str("Debian 12"),
                                .kernel = hm_slice_str("6.1.0"),
                                .agent_version = hm_slice_str("0.1.0"),
                                .serial = hm_slice(id, 16),
                                .practice = practice};
    struct hm_endpoint_hello hello = {e.name, e.os, e.kernel, e.agent_version, 1, 2};

    memcpy(e.id, id, 16);
    memcpy(e.key_sha256, id, 16);
    MUST(hm_endpoint_add(w->control, &g, &e) == 0);
    MUST(hm_endpoint_connected(w->control, "default", id, &hello) == 0);
    MUST(hm_endpoint_set_sensors(w->control, "default", id, hm_slice_str(sensors)) == 0);
}

/* A name that tries everything: bidi override, terminal escape, newline, quote, tag, half a
 * character. */
#define HOSTILE "pc\xe2\x80\xae\x1b[31m\n\"<script>\\\xff"

static void add_alert(struct world *w, uint8_t fill, uint64_t severity, const char *line)
{
    uint64_t now = hm_clock_wall_ns();
    struct hm_alert_new a = {
        .rule_id = hm_slice_str("rule-1"),
        .title = hm_slice_str("Reverse shell"),
        .title_ja = hm_slice_str("リバースシェル"),
        .reason = hm_slice_str("The shell /bin/sh talks to 198.51.100.7"),
        .reason_ja = hm_slice_str("シェル /bin/sh が 198.51.100.7 と通信しています"),
        .advice = hm_slice_str("Keep the power on and isolate the endpoint."),
        .advice_ja = hm_slice_str("電源は切らず、端末を隔離してください。"),
        .techniques = hm_slice_str("T1059.004,T1095"),
        .tactics = hm_slice_str("execution"),
        .image = hm_slice_str("/bin/sh"),
        .command_line = hm_slice_str(line),
        .user = hm_slice_str("root"),
        .evidence = hm_slice_str("[{\"class\":\"process\",\"action\":\"exec\"}]"),
        .severity = severity,
        .event_ns = now,
        .received_ns = now + fill,
        .tree_key = 0xfedcba9876543210,
        .process_key = 0xfedcba9876543211,
        .pid = 4242};

    memset(a.id, fill, 16);
    memcpy(a.endpoint, w->practice, 16);
    MUST(hm_alert_put(w->control, "default", &a) == 1);
    uint8_t story[16];
    struct hm_story_join join = {"default", w->practice, a.id, now, &a.tree_key, 1};
    MUST(hm_story_add(w->control, &join, story) == 0);
}

static void add_node(struct world *w, uint64_t key, uint64_t parent, uint64_t ancestor, bool marked,
                     const char *image, const char *line)
{
    struct hm_alert_ref ref = {"default", w->alert};
    struct hm_node_new n = {
        .key = key,
        .parent = parent,
        .ancestor = ancestor,
        .pid = key & 0xffff,
        .start_ns = hm_clock_wall_ns(),
        .marked = marked,
        .image = hm_slice_str(image),
        .command_line = hm_slice_str(line),
        .user = hm_slice_str("root"),
        .stdio = hm_slice_str(marked ? "socket,socket,socket 198.51.100.7:4444" : "")};

    MUST(hm_alert_node_put(w->control, ref, &n) == 0);
}

static void add_tree(struct world *w)
{
    static const char connect_json[] =
        "{\"class\":\"network\",\"action\":\"connect\",\"dst.ip\":\"198.51.100.7\",\"dst.port\":"
        "4444,"
        "\"process.image\":\"/bin/sh\",\"@time\":\"2026-11-21T22:00:00.000Z\"}";
    struct hm_alert_ref ref = {"default", w->alert};
    struct hm_tree_event e = {1,
                              2,
                              4,
                              0xfedcba9876543211,
                              HM_CLASS_NETWORK,
                              HM_ACTION_NETWORK_CONNECT,
                              hm_clock_wall_ns(),
                              hm_slice_str(connect_json)};

    add_node(w, 0xfedcba9876540001, 0, 1, false, "/sbin/init", "/sbin/init");
    add_node(w, 0xfedcba9876543210, 0xfedcba9876540001, 0, false, "/bin/bash", "bash");
    add_node(w, 0xfedcba9876543211, 0xfedcba9876543210, 0, true, "/bin/sh", "sh -i " HOSTILE);
    MUST(hm_alert_event_put(w->control, ref, &e) == 1);
}

void world_make(struct world *w)
{
    struct hm_error err = {0};
    char path[256];

    memset(w, 0, sizeof *w);
    memset(w->endpoint, 0x11, 16);
    memset(w->practice, 0x22, 16);
    memset(w->gone, 0x33, 16);
    memset(w->alert, 0xa2, 16);
    memset(w->old_alert, 0xa1, 16);
    make_folders(w);
    make_certificates(w);
    in_dir(w, "core/control.db", path, sizeof path);
    MUST(hm_control_init(path, &w->first, &err) == 0);
    MUST(hm_control_open(path, &w->control, &err) == 0);
    add_endpoint(w, w->endpoint, "経理-01", false);
    add_endpoint(w, w->practice, "practice", true);
    add_endpoint(w, w->gone, HOSTILE, false);
    add_alert(w, 0xa1, 2, "sh -c " HOSTILE);
    add_alert(w, 0xa2, 5, "sh -i");
    add_tree(w);
    write_file(w, "admin.token", w->first.api_token);
    write_file(w, "www/index.html", "<!doctype html><title>Hinomi</title>");
    write_file(w, "www/assets/index-AbC123.js", "console.log(1)");
    write_file(w, "www/assets/index-AbC123.js.gz", "gzipped");
    write_file(w, "secret.txt", "outside of www");
    in_dir(w, "www/link.txt", path, sizeof path);
    MUST(symlink("../secret.txt", path) == 0);
    write_file(w, "packages/hinomi-agent.deb", "not really a package");
    write_file(w, "rules/broken.yml", "title: broken\ndetection: [\n");
}

static int delete_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void world_free(struct world *w)
{
    hm_batch_writer_free(w->writer);
    hm_log_close(w->log);
    hm_control_close(w->control);
    nftw(w->dir, delete_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void append_batch(struct world *w)
{
    hm_auto(hm_buf_done) struct hm_buf batch = HM_BUF(HM_BATCH_MAX_BYTES);
    hm_auto(hm_buf_done) struct hm_buf record = HM_BUF(2 * HM_BATCH_MAX_BYTES);
    struct hm_gateway_record r = {.tenant = hm_slice_str("default"),
                                  .host_name = hm_slice_str("経理-01"),
                                  .received_ns = hm_clock_wall_ns()};
    uint64_t at;

    MUST(hm_batch_close(w->writer, &batch) == 0);
    r.batch = hm_buf_slice(&batch);
    memcpy(r.endpoint, w->endpoint, 16);
    hm_gateway_record_encode(&r, &record);
    MUST(hm_log_append(w->log, hm_buf_slice(&record), &at) == 0 && hm_log_sync(w->log) == 0);
}

static void open_journal(struct world *w)
{
    struct hm_batch_head head = {.epoch = 1, .boot = 2};
    struct hm_log_damage damage;
    struct hm_error err = {0};
    char path[256];

    memcpy(head.endpoint, w->endpoint, 16);
    MUST((w->writer = hm_batch_writer_new(&head)));
    in_dir(w, "gateway/journal", path, sizeof path);
    MUST(hm_log_open(path, &(struct hm_log_options){0}, &w->log, &damage, &err) == 0);
}

void world_journal(struct world *w, const char *const *command_lines, size_t n)
{
    int full = 0;

    if (!w->log)
        open_journal(w);
    for (size_t i = 0; i < n; i++) {
        struct hm_event e;
        hm_event_clear(&e);
        hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_PROCESS);
        hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
        hm_event_set_u64(&e, HM_F_BOOT_NS, 1);
        hm_event_set_u64(&e, HM_F_WALL_NS, hm_clock_wall_ns());
        hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str(command_lines[i]));
        MUST((full = hm_batch_add(w->writer, &e)) >= 0);
        if (full || i + 1 == n)
            append_batch(w);
    }
}

struct newest {
    uint8_t id[16];
    char kind[16], state[16];
};

static int take_newest(void *ctx, const struct hm_order_row *r)
{
    struct newest *n = ctx;

    memcpy(n->id, r->id, 16);
    snprintf(n->kind, sizeof n->kind, "%s", r->kind);
    snprintf(n->state, sizeof n->state, "%s", r->state);
    return 1;
}

int world_outcome(struct world *w, const char *kind, const char *state, const char *detail)
{
    struct hm_order_filter f = {.limit = 1};

    for (int i = 0; i < 1000; i++) { /* 10 s: the order may be on its way still */
        struct newest n = {.kind = ""};
        int r = hm_order_list(w->control, "default", &f, take_newest, &n);
        if ((r == 0 || r == 1) && strcmp(n.kind, kind) == 0 && strcmp(n.state, "requested") == 0)
            return hm_order_set_state(w->control, "default", n.id, state, hm_slice_str(detail));
        usleep(10000);
    }
    return -1;
}
