/* `hinomi intel check`: what would happen to feeds on import. Reads files, asks no server. */
#include "cli/intel.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "detect/indicator/limits.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NOTES_SHOWN 20 /* of a file, without --all */

/* --- files ------------------------------------------------------------------------------------ */
int hm_intel_file_open(const char *path, struct hm_intel_file *ret)
{
    struct stat st;
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if ((uint64_t)st.st_size > HM_INTEL_FEED_MAX_BYTES)
        return -E2BIG;
    *ret = (struct hm_intel_file){0};
    if (st.st_size == 0)
        return 0;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    ret->text = hm_slice(p, (size_t)st.st_size);
    return 0;
}

void hm_intel_file_close(struct hm_intel_file *f)
{
    if (f->text.len)
        munmap((void *)(uintptr_t)f->text.p, f->text.len);
    f->text = (struct hm_slice){0};
}

/* --- warning lists ---------------------------------------------------------------------------- */
struct lists {
    struct hm_cli *c;
    struct hm_warnlist *w;
    int code;
};

static void add_list(struct lists *l, const char *path)
{
    static const struct hm_text bad = {"%s: %s", "%s: %s"};
    struct hm_intel_file f;
    struct hm_error err = {0};
    uint64_t skipped = 0;
    int r = hm_intel_file_open(path, &f);
    if (r == 0) {
        r = hm_warnlist_add(l->w, f.text, &skipped, &err);
        hm_intel_file_close(&f);
    }
    if (r < 0)
        l->code = hm_say(l->c, HM_EXIT_FAILED, &bad, path, err.text[0] ? err.text : strerror(-r));
}

/* Every *.json in the folder and in the folders of it: as MISP publishes them. */
static void add_folder(struct lists *l, const char *folder, int depth)
{
    static const struct hm_text bad = {"%s: %s", "%s: %s"};
    char path[4096];
    struct dirent *de;
    DIR *d = opendir(folder);
    if (!d) {
        l->code = hm_say(l->c, HM_EXIT_FAILED, &bad, folder, strerror(errno));
        return;
    }
    while ((de = readdir(d))) {
        struct stat st;
        size_t n = strlen(de->d_name);
        int len = snprintf(path, sizeof path, "%s/%s", folder, de->d_name);
        if (de->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof path || stat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < 2)
            add_folder(l, path, depth + 1);
        else if (S_ISREG(st.st_mode) && n > 5 && strcmp(de->d_name + n - 5, ".json") == 0)
            add_list(l, path);
    }
    closedir(d);
}

static int load_lists(struct hm_cli *c, struct hm_warnlist **ret_w)
{
    struct lists l = {.c = c, .w = hm_warnlist_new()};
    if (!l.w)
        return HM_EXIT_FAILED;
    add_folder(&l, c->o.warninglists, 0);
    if (hm_warnlist_seal(l.w) < 0)
        l.code = HM_EXIT_FAILED;
    *ret_w = l.w;
    return l.code;
}

/* --- one feed --------------------------------------------------------------------------------- */
struct check {
    struct hm_cli *c;
    struct hm_intel_builder *b;
    struct hm_intel_report total, one;
    const char *path;
    uint64_t now_s, notes;
    struct hm_buf json;
    bool bad;
};

static bool is_error(enum hm_intel_outcome o)
{
    return o == HM_INTEL_MALFORMED || o == HM_INTEL_CUT_OFF || o == HM_INTEL_OVER_LIMIT;
}

static void note_json(struct check *k, const struct hm_intel_note *n)
{
    struct hm_buf *o = &k->json;
    hm_buf_printf(o, "%s{\"outcome\":\"%s\",\"line\":%u", k->notes ? "," : "",
                  hm_intel_outcome_name(n->outcome), n->line);
    if (n->column)
        hm_buf_printf(o, ",\"column\":%u", n->column);
    const struct {
        const char *name;
        struct hm_slice s;
    } texts[] = {{"place", hm_slice_str(n->place)},
                 {"value", hm_slice(n->value.p, n->value.len < 256 ? n->value.len : 256)},
                 {"detail", n->detail},
                 {"reason", hm_slice_str(hm_intel_reason_text(n->reason)->en)}};
    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++) {
        if (!texts[i].s.len)
            continue;
        hm_buf_printf(o, ",\"%s\":\"", texts[i].name);
        hm_json_escape(texts[i].s, o);
        hm_buf_puts(o, "\"");
    }
    hm_buf_puts(o, "}");
}

/* What feeds say comes from anywhere: nothing of it reaches the terminal as it is. */
static void show(struct hm_slice s, size_t max)
{
    hm_auto(hm_buf_done) struct hm_buf raw = HM_BUF(1024), out = HM_BUF(16384);
    bool cut = s.len > max;
    while (cut && max && (s.p[max] & 0xc0) == 0x80) /* not in the middle of a character */
        max--;
    for (size_t i = 0; i < (cut ? max : s.len); i++)
        hm_buf_put_u8(&raw, s.p[i] ? s.p[i] : '?');
    hm_buf_put_u8(&raw, 0);
    if (!raw.error)
        hm_show_text((const char *)raw.data, &out);
    printf("%.*s%s", (int)out.len, (const char *)out.data, cut ? "…" : "");
}

static void note_text(struct check *k, const struct hm_intel_note *n)
{
    printf("  %s:%u", k->path, n->line);
    if (n->column)
        printf(":%u", n->column);
    printf(" %s%s%s: %s", n->place, *n->place ? " " : "",
           hm_word(k->c, hm_intel_outcome_name(n->outcome)),
           hm_text(hm_intel_reason_text(n->reason), k->c->lang));
    if (n->detail.len) {
        fputs(" (", stdout);
        show(n->detail, 80);
        fputs(")", stdout);
    }
    if (n->value.len) {
        fputs(" — ", stdout);
        show(n->value, 80);
    }
    putchar('\n');
}

static void take_note(void *ctx, const struct hm_intel_note *n)
{
    struct check *k = ctx;
    k->bad |= is_error(n->outcome);
    if (k->c->o.json)
        note_json(k, n);
    else if (k->c->o.all || k->notes < NOTES_SHOWN)
        note_text(k, n);
    k->notes++;
}

static void add_report(struct hm_intel_report *to, const struct hm_intel_report *r)
{
    for (int i = 0; i < HM_INTEL_OUTCOMES; i++)
        to->outcomes[i] += r->outcomes[i];
    for (int i = 0; i < HM_INTEL_KINDS; i++)
        to->kinds[i] += r->kinds[i];
}

static void report_json(struct hm_buf *o, const struct hm_intel_report *r)
{
    hm_buf_puts(o, "\"outcomes\":{");
    for (int i = 0; i < HM_INTEL_OUTCOMES; i++)
        hm_buf_printf(o, "%s\"%s\":%llu", i ? "," : "",
                      hm_intel_outcome_name((enum hm_intel_outcome)i),
                      (unsigned long long)r->outcomes[i]);
    hm_buf_puts(o, "},\"kinds\":{");
    for (int i = 0; i < HM_INTEL_KINDS; i++)
        hm_buf_printf(o, "%s\"%s\":%llu", i ? "," : "", hm_intel_kind_name((enum hm_intel_kind)i),
                      (unsigned long long)r->kinds[i]);
    hm_buf_puts(o, "}");
}

static void report_text(struct check *k, const struct hm_intel_report *r)
{
    for (int i = 0; i < HM_INTEL_OUTCOMES; i++)
        if (r->outcomes[i] || i == HM_INTEL_LOADED)
            printf("  %s %llu", hm_word(k->c, hm_intel_outcome_name((enum hm_intel_outcome)i)),
                   (unsigned long long)r->outcomes[i]);
    putchar('\n');
    bool any = false;
    for (int i = 0; i < HM_INTEL_KINDS; i++)
        if (r->kinds[i]) {
            printf("%s %s %llu", any ? "" : " ", hm_intel_kind_name((enum hm_intel_kind)i),
                   (unsigned long long)r->kinds[i]);
            any = true;
        }
    if (any)
        putchar('\n');
}

static void check_text(struct check *k, enum hm_intel_format format, struct hm_slice text,
                       const char *path)
{
    static const struct hm_text unread = {"%s: %s", "%s: %s"};
    static const struct hm_text more = {"  … and %llu more (--all)\n",
                                        "  ほか %llu 件（--all で表示）\n"};
    static const struct hm_text head = {"%s: format %s\n", "%s: 形式 %s\n"};
    struct hm_intel_feed how = {.format = format, .source = path};
    struct hm_error err = {0};
    k->one = (struct hm_intel_report){0};
    k->notes = 0;
    k->path = path;
    if (!k->c->o.json)
        printf(hm_text(&head, k->c->lang), path, hm_intel_format_name(format));
    int r = hm_intel_import(k->b, text, &how, k->now_s, take_note, k, &k->one, &err);
    add_report(&k->total, &k->one);
    if (r < 0) {
        k->bad = true;
        hm_say(k->c, HM_EXIT_FAILED, &unread, path, err.text);
    }
    if (k->c->o.json)
        return;
    if (k->notes > NOTES_SHOWN && !k->c->o.all)
        printf(hm_text(&more, k->c->lang), (unsigned long long)(k->notes - NOTES_SHOWN));
    report_text(k, &k->one);
}

static void check_file(struct check *k, const char *path)
{
    static const struct hm_text unread = {"%s: %s", "%s: %s"};
    struct hm_intel_file f;
    int r = hm_intel_file_open(path, &f);
    if (r < 0) {
        k->bad = true;
        hm_say(k->c, HM_EXIT_FAILED, &unread, path, strerror(-r));
        return;
    }
    enum hm_intel_format format = hm_intel_detect(f.text, path);
    if (k->c->o.json) {
        hm_buf_puts(&k->json, k->json.len > 10 ? ",{\"file\":\"" : "{\"file\":\"");
        hm_json_escape(hm_slice_str(path), &k->json);
        hm_buf_printf(&k->json, "\",\"format\":\"%s\",\"notes\":[", hm_intel_format_name(format));
    }
    check_text(k, format, f.text, path);
    if (k->c->o.json) {
        hm_buf_puts(&k->json, "],");
        report_json(&k->json, &k->one);
        hm_buf_puts(&k->json, "}");
    }
    hm_intel_file_close(&f);
}

/* --- all of them ------------------------------------------------------------------------------ */
static int finish(struct check *k)
{
    static const struct hm_text set = {
        "set: %llu indicators, %llu duplicates merged, %.1f KiB, of which filter %.1f KiB\n",
        "指標セット: %llu 件（重複 %llu 件を統合）、%.1f KiB（うちフィルター %.1f KiB）\n"};
    static const struct hm_text failed = {"cannot build the set: %s",
                                          "指標セットを作成できません: %s"};
    struct hm_intel *i = NULL;
    uint64_t duplicates = 0;
    int r = hm_intel_build_memory(k->b, HM_INTEL_FULL, &duplicates, &i);
    if (r < 0)
        return hm_say(k->c, HM_EXIT_FAILED, &failed, strerror(-r));
    struct hm_intel_stats s = hm_intel_stats(i);
    hm_intel_free(i);
    k->total.outcomes[HM_INTEL_LOADED] -= duplicates;
    k->total.outcomes[HM_INTEL_DUPLICATE] += duplicates;
    if (k->c->o.json) {
        hm_buf_puts(&k->json, "],");
        report_json(&k->json, &k->total);
        hm_buf_printf(&k->json, ",\"set\":{\"count\":%llu,\"bytes\":%llu,\"filter_bytes\":%llu}}\n",
                      (unsigned long long)s.count, (unsigned long long)s.bytes,
                      (unsigned long long)s.filter_bytes);
        fwrite(k->json.data, 1, k->json.len, stdout);
    } else {
        printf(hm_text(&set, k->c->lang), (unsigned long long)s.count,
               (unsigned long long)duplicates, (double)s.bytes / 1024,
               (double)s.filter_bytes / 1024);
    }
    return k->bad || k->json.error ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static int check(struct hm_cli *c)
{
    struct hm_warnlist *w = NULL;
    struct check k = {.c = c, .now_s = hm_clock_wall_ns() / 1000000000, .json = HM_BUF(1u << 30)};
    int code = c->o.warninglists ? load_lists(c, &w) : HM_EXIT_OK;
    if (code == HM_EXIT_OK && !(k.b = hm_intel_builder_new(w, 0)))
        code = HM_EXIT_FAILED;
    if (code == HM_EXIT_OK) {
        hm_buf_puts(&k.json, "{\"files\":[");
        for (int i = 1; i < c->argc; i++)
            check_file(&k, c->args[i]);
        code = finish(&k);
    }
    hm_intel_builder_free(k.b);
    hm_warnlist_free(w);
    hm_buf_done(&k.json);
    return code;
}

int hm_cmd_intel(struct hm_cli *c)
{
    static const struct hm_text usage = {
        "intel check FILE… [--warninglists DIR] [--all] [--json]",
        "intel check ファイル… [--warninglists フォルダー] [--all] [--json]"};
    if (c->argc < 2 || strcmp(c->args[0], "check") != 0)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    return check(c);
}
