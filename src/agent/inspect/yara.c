/* YARA in inspect: a set is built aside, file by file, and taken into use when it is whole; a scan
 * uses the set that is. Owns both sets; refuses to know where rules and files come from. */
#include "detect/yara/yara.h"
#include "agent/inspect/inspect.h"
#include "detect/yara/limits.h"
#include "detect/yara/maps.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct hm_inspect_yara {
    struct hm_yara_scanner *scanner;
    struct hm_yara_rules *rules; /* in use; NULL: none */
    uint64_t building;           /* id of the set aside; 0: none */
    struct hm_yara_compiler *aside;
    struct hm_yara_region *regions;
    int told; /* the first error of telling monitor */
};

struct hm_inspect_yara *hm_inspect_yara_new(struct hm_error *err)
{
    struct hm_inspect_yara *y = calloc(1, sizeof *y);
    if (!y || hm_yara_begin(err) < 0) {
        free(y);
        return NULL;
    }
    y->scanner = hm_yara_scanner_new();
    y->regions = calloc(HM_YARA_REGIONS_MAX, sizeof *y->regions);
    if (y->scanner && y->regions)
        return y;
    hm_inspect_yara_free(y);
    hm_fail(err, -ENOMEM, "out of memory");
    return NULL;
}

void hm_inspect_yara_free(struct hm_inspect_yara *y)
{
    if (!y)
        return;
    hm_yara_compiler_free(y->aside);
    hm_yara_rules_free(y->rules);
    hm_yara_scanner_free(y->scanner);
    hm_yara_end();
    free(y->regions);
    free(y);
}

/* ---- rules ---- */

static struct hm_slice cut(const char *s)
{
    size_t n = strlen(s);
    return hm_slice(s, n < HM_YARA_HIT_TEXT ? n : HM_YARA_HIT_TEXT);
}

static void tell(void *ctx, const struct hm_yara_problem *p)
{
    struct hm_inspect_yara *y = ctx;
    struct hm_msg_rule_problem m = {.id = y->building,
                                    .line = p->line,
                                    .rule = cut(p->rule),
                                    .text = cut(p->text),
                                    .warning = p->warning};
    int r = hm_inspect_send(&hm_desc_rule_problem, &m);
    if (r < 0 && y->told == 0)
        y->told = r;
}

static int read_text(int fd, struct hm_buf *text)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -EINVAL;
    uint64_t at = 0;
    uint8_t piece[16384];
    ssize_t n;
    while ((n = pread(fd, piece, sizeof piece, (off_t)at)) > 0 && !text->error) {
        hm_buf_put(text, piece, (size_t)n);
        at += (uint64_t)n;
    }
    return n < 0 ? -errno : 0; /* too large: what was read is over the compiler's ceiling too */
}

static int begin_set(struct hm_inspect_yara *y, uint64_t id)
{
    if (id == 0)
        return -EBADMSG;
    if (y->building == id)
        return 0;
    hm_yara_compiler_free(y->aside); /* one that was never finished */
    y->building = id;
    y->aside = hm_yara_compiler_new(tell, y);
    return y->aside ? 0 : -ENOMEM;
}

static int serve_rule(struct hm_inspect_yara *y, const struct hm_ipc_msg *m)
{
    struct hm_msg_inspect_rule q;
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(HM_YARA_FILE_MAX_BYTES + 65536);
    char name[512];
    if (m->fd_count != 1 || hm_msg_decode(&hm_desc_inspect_rule, m->payload, &q) < 0 ||
        q.name.len >= sizeof name)
        return -EBADMSG;
    int r = begin_set(y, q.id);
    if (r < 0)
        return r;
    memcpy(name, q.name.p, q.name.len);
    name[q.name.len] = 0;
    y->told = 0;
    r = read_text(m->fds[0], &text);
    if (r == 0)
        r = hm_yara_compiler_add(y->aside, name, hm_buf_slice(&text));
    if (r == -ENOMEM)
        return r; /* monitor sees us end at this file, and goes on without it */
    if (y->told < 0)
        return y->told;
    struct hm_msg_rule_taken a = {.id = q.id, .refused = r < 0};
    return hm_inspect_send(&hm_desc_rule_taken, &a);
}

/* A set without any rule is good: it says that nothing is to be scanned for. */
static int serve_rules_end(struct hm_inspect_yara *y, const struct hm_ipc_msg *m)
{
    struct hm_msg_inspect_rules_end q;
    struct hm_yara_rules *fresh = NULL;
    struct hm_error err = {0};
    if (m->fd_count || hm_msg_decode(&hm_desc_inspect_rules_end, m->payload, &q) < 0)
        return -EBADMSG;
    int r = begin_set(y, q.id);
    if (r < 0)
        return r;
    r = hm_yara_compiler_done(y->aside, &fresh, &err);
    hm_yara_compiler_free(y->aside);
    y->aside = NULL;
    y->building = 0;
    struct hm_msg_rules_ready a = {.id = q.id, .error = (uint64_t)-r, .text = cut(err.text)};
    if (r == 0) {
        a.rules = hm_yara_rules_count(fresh);
        a.strings = hm_yara_rules_strings(fresh);
        a.bytes = hm_yara_rules_bytes(fresh);
        hm_yara_rules_free(y->rules);
        y->rules = fresh;
    }
    return hm_inspect_send(&hm_desc_rules_ready, &a);
}

/* ---- scans ---- */

/* The kernel writes as much of maps as fits a page at a time; it is read once, to its end. */
static int read_maps(struct hm_inspect_yara *y, int fd, size_t *ret_count)
{
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(HM_YARA_MAPS_BYTES);
    uint8_t piece[16384];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 && text.len + (size_t)n <= HM_YARA_MAPS_BYTES)
        hm_buf_put(&text, piece, (size_t)n);
    if (n < 0 || text.error)
        return n < 0 ? -errno : text.error;
    *ret_count = hm_yara_maps(hm_buf_slice(&text), y->regions, HM_YARA_REGIONS_MAX);
    return *ret_count ? 0 : -ESRCH; /* it ended before we came */
}

static int scan(struct hm_inspect_yara *y, const struct hm_ipc_msg *m, bool memory,
                const char *path, struct hm_yara_result *out)
{
    struct hm_yara_subject subject = {.fd = m->fds[0], .path = path};
    if (!y->rules)
        return -ENOENT;
    if (memory) {
        int r = read_maps(y, m->fds[1], &subject.region_count);
        if (r < 0)
            return r;
        subject.regions = y->regions;
    }
    return hm_yara_scan(y->scanner, y->rules, &subject, out);
}

static int serve_scan(struct hm_inspect_yara *y, struct hm_inspect *s, const struct hm_ipc_msg *m)
{
    struct hm_msg_inspect_scan q;
    struct hm_yara_result out = {0};
    uint8_t hash[HM_SHA256_BYTES];
    uint64_t size;
    char path[4097];
    if (hm_msg_decode(&hm_desc_inspect_scan, m->payload, &q) < 0 || q.memory > 1 ||
        m->fd_count != 1 + (int)q.memory || q.path.len >= sizeof path)
        return -EBADMSG;
    if (q.path.len)
        memcpy(path, q.path.p, q.path.len);
    path[q.path.len] = 0;
    int r = scan(y, m, q.memory, path, &out);
    struct hm_msg_inspected_scan a = {.id = q.id,
                                      .error = (uint64_t)-r,
                                      .cut = out.cut,
                                      .size = out.size,
                                      .scanned = out.scanned};
    if (r == 0 && out.hit_count)
        a.hits = hm_buf_slice(&out.hits);
    if (a.hits.len && !q.memory && hm_inspect_hash(s, m->fds[0], hash, &size) == 0)
        a.sha256 = hm_slice(hash, sizeof hash);
    r = hm_inspect_send(&hm_desc_inspected_scan, &a);
    hm_buf_done(&out.hits);
    return r;
}

int hm_inspect_yara_serve(struct hm_inspect_yara *y, struct hm_inspect *s,
                          const struct hm_ipc_msg *m)
{
    switch (m->number) {
    case HM_MSG_INSPECT_RULE:
        return serve_rule(y, m);
    case HM_MSG_INSPECT_RULES_END:
        return serve_rules_end(y, m);
    case HM_MSG_INSPECT_SCAN:
        return serve_scan(y, s, m);
    default:
        return -EBADMSG;
    }
}
