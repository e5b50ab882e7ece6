/* See intel.h. */
#include "agent/engine/intel.h"
#include "agent/engine/parts.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/map.h"
#include "detect/indicator/indicator.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct hm_intel_sets {
    struct hm_intel *sets[HM_INTEL_SETS_MAX];
    size_t count;
};

/* --- loading ---------------------------------------------------------------------------------- */
static int visible(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return d->d_name[0] != '.' && n > 4 && strcmp(d->d_name + n - 4, ".bin") == 0;
}

static const char *open_set(struct hm_intel_sets *s, int dir_fd, const char *name,
                            struct hm_error *err)
{
    if (s->count == HM_INTEL_SETS_MAX)
        return "too many sets of indicators";
    hm_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return strerror(errno);
    if (hm_intel_map(fd, &s->sets[s->count], err) < 0)
        return err->text;
    s->count++;
    return NULL;
}

static void open_all(struct hm_intel_sets *s, int dir_fd,
                     void (*problem)(void *ctx, const char *path, const char *why), void *ctx)
{
    struct dirent **names = NULL;
    int n = scandirat(dir_fd, ".", &names, visible, alphasort);
    for (int i = 0; i < n; i++) {
        struct hm_error err = {0};
        char path[300];
        const char *why = open_set(s, dir_fd, names[i]->d_name, &err);
        snprintf(path, sizeof path, "intel/%s", names[i]->d_name);
        if (why && problem)
            problem(ctx, path, why);
        free(names[i]);
    }
    free(names);
}

int hm_intel_sets_load(int rules_fd, void (*problem)(void *ctx, const char *path, const char *why),
                       void *ctx, struct hm_intel_sets **ret_sets)
{
    struct hm_intel_sets *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    hm_autoclose int dir =
        openat(rules_fd, "intel", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0)
        open_all(s, dir, problem, ctx);
    else if (errno != ENOENT && problem)
        problem(ctx, "intel", strerror(errno));
    *ret_sets = s;
    return 0;
}

void hm_intel_sets_free(struct hm_intel_sets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        hm_intel_free(s->sets[i]);
    free(s);
}

uint64_t hm_intel_sets_count(const struct hm_intel_sets *s)
{
    uint64_t n = 0;
    for (size_t i = 0; s && i < s->count; i++)
        n += hm_intel_stats(s->sets[i]).count;
    return n;
}

void hm_core_set_intel(struct hm_core *c, const struct hm_intel_sets *intel)
{
    c->intel = intel;
}

/* --- words ------------------------------------------------------------------------------------ */
enum group { GROUP_CONTENT, GROUP_NETWORK, GROUP_PATH, GROUPS };
static const struct {
    const char *reason, *reason_ja, *advice, *advice_ja;
} by_group[GROUPS] = {
    [GROUP_CONTENT] =
        {"A file that is listed as malicious was run or written by {process.image}: ",
         "悪性と報告されているファイルが {process.image} で実行または書き込みされまし"
         "た: ",
         "If nobody expects this file: end its process tree, isolate the endpoint, and "
         "keep the file for examination instead of deleting it.",
         "心当たりがなければ、プロセスツリーを終了し、端末を隔離してください。ファイル"
         "は削除せず、調査のために保全します。"},
    [GROUP_NETWORK] =
        {"{process.image} used an address that is listed as malicious: ",
         "{process.image} が、悪性と報告されている接続先を使いました: ",
         "Ask the user what the program is and whether the connection is expected. If "
         "nobody can explain it, isolate the endpoint and look in the timeline for "
         "what was sent and what was fetched.",
         "このプログラムと接続に心当たりがあるか、利用者に確認してください。説明がつか"
         "なければ端末を隔離し、何が送受信されたかを時系列で確認してください。"},
    [GROUP_PATH] =
        {"{process.image} touched a file whose name is known from attacks: ",
         "{process.image} が、攻撃で使われたことが知られている名前のファイルを扱いました: ",
         "A name alone proves little: look at the file's content and who wrote it. If it "
         "is not the program its name promises, isolate the endpoint.",
         "名前だけでは断定できません。ファイルの内容と、書き込んだプログラムを確認してくだ"
         "さい。正規のものでなければ端末を隔離してください。"},
};

static enum group group_of(enum hm_intel_kind k)
{
    switch (k) {
    case HM_INTEL_MD5:
    case HM_INTEL_SHA1:
    case HM_INTEL_SHA256:
        return GROUP_CONTENT;
    case HM_INTEL_NAME:
    case HM_INTEL_PATH:
    case HM_INTEL_REGEX:
        return GROUP_PATH;
    default:
        return GROUP_NETWORK;
    }
}

static uint8_t severity_of(uint8_t confidence)
{
    return confidence >= 75 ? 4 : confidence >= 50 ? 3 : confidence >= 25 ? 2 : 1;
}

struct words { /* of one hit, as a rule; templates of hm_rule_render() */
    char id[160];
    struct hm_buf value, shown, title, title_ja, reason, reason_ja;
};

/* A value as people write it. */
static void put_value(struct hm_buf *out, const struct hm_intel_hit *h, struct hm_slice s)
{
    char ip[HM_IP_TEXT_BYTES];
    if (h->kind <= HM_INTEL_SHA256) {
        for (size_t i = 0; i < s.len; i++)
            hm_buf_printf(out, "%02x", s.p[i]);
    } else if (h->kind == HM_INTEL_IP) {
        hm_buf_puts(out, hm_ip_format(s, ip));
    } else {
        hm_buf_put(out, s.p, s.len);
    }
    if (h->kind == HM_INTEL_IP && s.p == h->found.p && h->prefix && h->prefix != s.len * 8)
        hm_buf_printf(out, "/%u", h->prefix);
}

/* Inside a template a brace of a feed must stay a brace, and a NUL would end it. */
static void put_plain(struct hm_buf *out, struct hm_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '{')
            hm_buf_put_u8(out, '{');
        if (s.p[i])
            hm_buf_put_u8(out, s.p[i]);
    }
}

static bool same(const struct words *w)
{
    return hm_slice_eq(hm_buf_slice(&w->value), hm_buf_slice(&w->shown));
}

static void put_reason(struct words *w, const struct hm_intel_hit *h)
{
    const char *kind = hm_intel_kind_name(h->kind);
    enum group g = group_of(h->kind);
    struct hm_slice value = hm_buf_slice(&w->value), shown = hm_buf_slice(&w->shown);
    hm_buf_printf(&w->reason, "%s%s ", by_group[g].reason, kind);
    hm_buf_printf(&w->reason_ja, "%s%s ", by_group[g].reason_ja, kind);
    put_plain(&w->reason, same(w) ? value : shown);
    put_plain(&w->reason_ja, same(w) ? value : shown);
    if (!same(w)) {
        hm_buf_puts(&w->reason, " (listed as ");
        put_plain(&w->reason, value);
        hm_buf_puts(&w->reason, ")");
        hm_buf_puts(&w->reason_ja, "（登録値 ");
        put_plain(&w->reason_ja, value);
        hm_buf_puts(&w->reason_ja, "）");
    }
    hm_buf_puts(&w->reason, ". Source: ");
    put_plain(&w->reason, h->source.len ? h->source : hm_slice_str("unnamed"));
    hm_buf_puts(&w->reason_ja, "。情報源: ");
    put_plain(&w->reason_ja, h->source.len ? h->source : hm_slice_str("名称なし"));
    if (h->label.len) {
        hm_buf_puts(&w->reason, ", which calls it: ");
        put_plain(&w->reason, h->label);
        hm_buf_puts(&w->reason_ja, "、内容: ");
        put_plain(&w->reason_ja, h->label);
    }
    hm_buf_printf(&w->reason, ". Confidence %u of 100", h->confidence);
    hm_buf_printf(&w->reason_ja, "。確度 %u/100", h->confidence);
    if (h->tlp) {
        hm_buf_printf(&w->reason, ", TLP:%s", hm_tlp_name(h->tlp));
        hm_buf_printf(&w->reason_ja, "、TLP:%s", hm_tlp_name(h->tlp));
    }
    hm_buf_puts(&w->reason, ".");
    hm_buf_puts(&w->reason_ja, "。");
}

static void put_id(struct words *w, const struct hm_intel_hit *h)
{
    /* Long values are told apart by their hash: the id is what exceptions and quiet times go by. */
    const char *kind = hm_intel_kind_name(h->kind);
    if (w->value.len <= 100)
        snprintf(w->id, sizeof w->id, "intel:%s:%.*s", kind, (int)w->value.len,
                 (const char *)w->value.data);
    else
        snprintf(w->id, sizeof w->id, "intel:%s:%016llx", kind,
                 (unsigned long long)hm_hash64(w->value.data, w->value.len, 0));
}

static struct words *make_words(const struct hm_intel_hit *h)
{
    struct words *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    struct hm_buf *all[] = {&w->value,    &w->shown,  &w->title,
                            &w->title_ja, &w->reason, &w->reason_ja};
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        *all[i] = HM_BUF(16384);
    put_value(&w->value, h, h->found);
    put_value(&w->shown, h, h->value);
    put_id(w, h);
    hm_buf_printf(&w->title, "Known indicator: %s ", hm_intel_kind_name(h->kind));
    hm_buf_put(&w->title, w->value.data, w->value.len);
    hm_buf_printf(&w->title_ja, "既知の脅威指標に一致: %s ", hm_intel_kind_name(h->kind));
    hm_buf_put(&w->title_ja, w->value.data, w->value.len);
    put_reason(w, h);
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        hm_buf_put_u8(all[i], 0);
    return w;
}

static void free_words(struct words *w)
{
    hm_buf_done(&w->value);
    hm_buf_done(&w->shown);
    hm_buf_done(&w->title);
    hm_buf_done(&w->title_ja);
    hm_buf_done(&w->reason);
    hm_buf_done(&w->reason_ja);
    free(w);
}

static const char *text(const struct hm_buf *b)
{
    return b->error ? "" : (const char *)b->data;
}

/* --- hits ------------------------------------------------------------------------------------- */
struct look {
    struct hm_core *c;
    const struct hm_event *e;
    uint64_t process;
    size_t told;
};

static void on_hit(void *ctx, const struct hm_intel_hit *h)
{
    struct look *l = ctx;
    if (l->told++ >= HM_INTEL_ALERTS_MAX)
        return; /* one event, many lists: the first ones say enough */
    struct words *w = make_words(h);
    if (!w)
        return; /* the event stands in the journal */
    enum group g = group_of(h->kind);
    struct hm_rule rule = {.id = w->id,
                           .title = text(&w->title),
                           .title_ja = text(&w->title_ja),
                           .reason = text(&w->reason),
                           .reason_ja = text(&w->reason_ja),
                           .advice = by_group[g].advice,
                           .advice_ja = by_group[g].advice_ja,
                           .techniques = "",
                           .tactics = "",
                           .path = "",
                           .version = hm_hash64(w->reason.data, w->reason.len, 0),
                           .severity = severity_of(h->confidence)};
    hm_core_raise(l->c, &rule, l->e, l->process);
    free_words(w);
}

void hm_intel_look(struct hm_core *c, const struct hm_event *e, uint64_t process)
{
    struct look l = {.c = c, .e = e, .process = process};
    if (!c->intel || c->intel->count == 0)
        return;
    uint64_t now_s = hm_clock_wall_ns() / 1000000000;
    for (size_t i = 0; i < c->intel->count; i++)
        hm_intel_match_event(c->intel->sets[i], e, now_s, on_hit, &l);
}
