/* `hinomi yara check` and `hinomi yara scan`: which rules load, what is wrong with the others,
 * which files match. Owns the words; the work is a child's (yara.h). */
#include "cli/yara.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "detect/yara/folder.h"
#include "detect/yara/hits.h"
#include "detect/yara/yara.h"
#include "event/event.h"
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATHS_MAX 100000 /* files of one command line */

struct list {
    char **items;
    size_t count;
};
struct show {
    const struct hm_cli *c;
    uint64_t errors, warnings, scanned, matched, failed;
    struct hm_yara_report set; /* the COMPILED one */
    bool compiled;
    struct hm_buf problems, files; /* JSON */
};

/* ---- paths ---- */

static int add(struct list *l, const char *dir, const char *path)
{
    char *full = NULL;
    char **more = l->count < PATHS_MAX ? realloc(l->items, (l->count + 1) * sizeof *more) : NULL;
    if (!more)
        return -E2BIG;
    l->items = more;
    if (asprintf(&full, "%s%s%s", dir ? dir : "", dir ? "/" : "", path) < 0)
        return -ENOMEM;
    l->items[l->count++] = full;
    return 0;
}

static void list_done(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
}

struct in_folder {
    struct list *list;
    const char *dir;
};

static int add_rule(void *ctx, const char *path, int fd)
{
    struct in_folder *f = ctx;
    (void)fd;
    return add(f->list, f->dir, path);
}

/* A file, whatever its name, or every *.yar and *.yara beneath a folder. */
static int add_rules(struct list *l, const char *path)
{
    struct stat st;
    hm_autoclose int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return add(l, NULL, path);
    hm_autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct in_folder f = {l, path};
    return dir < 0 ? -errno : hm_yara_folder_each(dir, add_rule, &f);
}

/* Every regular file beneath a path; links are not followed. */
static int add_targets(struct list *l, char *path)
{
    char *const roots[] = {path, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
    FTSENT *e;
    int r = fts ? 0 : -errno;
    while (r == 0 && (e = fts_read(fts))) {
        if (e->fts_info == FTS_F)
            r = add(l, NULL, e->fts_path);
        else if (e->fts_info == FTS_NS && e->fts_level == 0)
            r = -e->fts_errno;
    }
    if (fts)
        fts_close(fts);
    return r;
}

/* ---- what the child says ---- */

/* Paths and rules come from anywhere: nothing of them reaches the terminal as it is. */
static void say(struct hm_slice text)
{
    struct hm_buf raw hm_auto(hm_buf_done) = HM_BUF(256 * 1024);
    struct hm_buf shown hm_auto(hm_buf_done) = HM_BUF(1024 * 1024);
    hm_buf_put(&raw, text.p, text.len);
    hm_buf_put_u8(&raw, 0);
    if (!raw.error)
        hm_show_text((const char *)raw.data, &shown);
    fwrite(shown.data, 1, shown.len, stdout);
}

static void json_text(struct hm_buf *out, const char *name, struct hm_slice s)
{
    struct hm_buf quoted hm_auto(hm_buf_done) = HM_BUF(1024 * 1024);
    hm_buf_puts(&quoted, "\"");
    hm_json_escape(s, &quoted);
    hm_buf_puts(&quoted, "\"");
    hm_buf_printf(out, "\"%s\": ", name);
    hm_show_json_string(hm_buf_slice(&quoted), out);
}

static void json_problem(struct show *s, const struct hm_yara_report *r)
{
    struct hm_buf *b = &s->problems;
    hm_buf_printf(b, "%s\n    {", b->len ? "," : "");
    json_text(b, "file", r->path);
    hm_buf_printf(b, ", \"line\": %llu, ", (unsigned long long)r->line);
    json_text(b, "severity", hm_slice_str(r->warning ? "warning" : "error"));
    hm_buf_puts(b, ", ");
    json_text(b, "rule", r->rule);
    hm_buf_puts(b, ", ");
    json_text(b, "text", r->text);
    hm_buf_puts(b, "}");
}

static void show_problem(struct show *s, const struct hm_yara_report *r)
{
    static const struct hm_text error = {"error", "エラー"}, warning = {"warning", "警告"};
    *(r->warning ? &s->warnings : &s->errors) += 1;
    if (s->c->o.json) {
        json_problem(s, r);
        return;
    }
    say(r->path);
    if (r->line)
        printf(":%llu", (unsigned long long)r->line);
    printf(": %s: ", hm_text(r->warning ? &warning : &error, s->c->lang));
    if (r->rule.len) {
        say(r->rule);
        printf(": ");
    }
    say(r->text);
    puts("");
}

static void json_hits(struct hm_buf *b, struct hm_slice hits)
{
    struct hm_cursor in = hm_cursor(hits);
    struct hm_yara_hit h;
    for (bool more = false; hm_yara_hit_next(&in, &h) == 1; more = true) {
        struct hm_buf places hm_auto(hm_buf_done) = HM_BUF(HM_YARA_HITS_BYTES);
        hm_yara_hit_places(&h, &places);
        hm_buf_puts(b, more ? ", {" : "{");
        json_text(b, "rule", h.rule);
        hm_buf_puts(b, ", ");
        json_text(b, "namespace", h.space);
        hm_buf_printf(b, ", \"severity\": %u, ", hm_yara_hit_severity(&h));
        json_text(b, "strings", hm_buf_slice(&places));
        hm_buf_puts(b, "}");
    }
}

static void json_scanned(struct show *s, const struct hm_yara_report *r)
{
    struct hm_buf *b = &s->files;
    hm_buf_printf(b, "%s\n    {", b->len ? "," : "");
    json_text(b, "file", r->path);
    hm_buf_printf(
        b, ", \"size\": %llu, \"scanned\": %llu, \"complete\": %s, \"ms\": %.3f, \"error\": ",
        (unsigned long long)r->size, (unsigned long long)r->scanned,
        r->cut || r->error ? "false" : "true", (double)r->ns / 1e6);
    hm_buf_printf(b, r->error ? "\"%s\"" : "null", strerror((int)r->error));
    hm_buf_puts(b, ", \"matches\": [");
    json_hits(b, r->hits);
    hm_buf_puts(b, "]}");
}

static void print_hits(const struct show *s, const struct hm_yara_report *r)
{
    struct hm_cursor in = hm_cursor(r->hits);
    struct hm_yara_hit h;
    while (hm_yara_hit_next(&in, &h) == 1) {
        struct hm_buf places hm_auto(hm_buf_done) = HM_BUF(HM_YARA_HITS_BYTES);
        struct hm_slice words = hm_yara_hit_meta(
            &h, s->c->lang == HM_LANG_JA ? "description_ja description" : "description");
        hm_yara_hit_places(&h, &places);
        say(r->path);
        printf(": ");
        say(h.rule);
        if (places.len) {
            printf(" (");
            say(hm_buf_slice(&places));
            printf(")");
        }
        printf(words.len ? " " : "");
        say(words);
        puts("");
    }
}

static void show_scanned(struct show *s, const struct hm_yara_report *r)
{
    static const struct hm_text failed = {"not scanned: ", "スキャンできません: "};
    static const struct hm_text partly = {"only %llu of %llu bytes were scanned",
                                          "%2$llu バイト中 %1$llu バイトのみスキャンしました"};
    s->scanned++;
    s->matched += r->hits.len > 0;
    s->failed += r->error != 0;
    if (s->c->o.json) {
        json_scanned(s, r);
        return;
    }
    print_hits(s, r);
    if (r->error || r->cut) {
        say(r->path);
        printf(": ");
    }
    if (r->error)
        printf("%s%s\n", hm_text(&failed, s->c->lang),
               r->text.len ? (const char *)r->text.p : strerror((int)r->error));
    else if (r->cut) {
        printf(hm_text(&partly, s->c->lang), (unsigned long long)r->scanned,
               (unsigned long long)r->size);
        puts("");
    }
}

static void report(void *ctx, const struct hm_yara_report *r)
{
    struct show *s = ctx;
    switch (r->kind) {
    case HM_YARA_PROBLEM:
        show_problem(s, r);
        break;
    case HM_YARA_COMPILED:
        s->set = *r;
        s->compiled = true;
        break;
    case HM_YARA_SCANNED:
        show_scanned(s, r);
        break;
    case HM_YARA_FAILED: {
        struct hm_yara_report p = *r;
        p.kind = HM_YARA_PROBLEM;
        p.path = hm_slice_str("(set)");
        show_problem(s, &p);
        break;
    }
    }
}

/* ---- the end of it ---- */

static void print_sum(const struct show *s, bool scan)
{
    static const struct hm_text compiled = {
        "%llu files, %llu rules, %llu strings, %.1f MiB compiled in %.2f s; %llu errors, %llu "
        "warnings\n",
        "ファイル %llu 個、ルール %llu 件、文字列 %llu 個、コンパイル後 %.1f MiB、%.2f 秒。エラー "
        "%llu 件、警告 %llu 件\n"};
    static const struct hm_text scanned = {"%llu files scanned, %llu matched, %llu failed\n",
                                           "%llu ファイルをスキャン、一致 %llu、失敗 %llu\n"};
    enum hm_lang lang = s->c->lang;
    printf(hm_text(&compiled, lang), (unsigned long long)s->set.files,
           (unsigned long long)s->set.rules, (unsigned long long)s->set.strings,
           (double)s->set.bytes / (1 << 20), (double)s->set.ns / 1e9, (unsigned long long)s->errors,
           (unsigned long long)s->warnings);
    if (scan)
        printf(hm_text(&scanned, lang), (unsigned long long)s->scanned,
               (unsigned long long)s->matched, (unsigned long long)s->failed);
}

static void print_json(struct show *s, bool scan)
{
    printf("{\"files\": %llu, \"rules\": %llu, \"strings\": %llu, \"bytes\": %llu, \"seconds\": "
           "%.4f,\n  \"errors\": %llu, \"warnings\": %llu, \"problems\": [%.*s]",
           (unsigned long long)s->set.files, (unsigned long long)s->set.rules,
           (unsigned long long)s->set.strings, (unsigned long long)s->set.bytes,
           (double)s->set.ns / 1e9, (unsigned long long)s->errors, (unsigned long long)s->warnings,
           (int)s->problems.len, (const char *)s->problems.data);
    if (scan)
        printf(",\n  \"scanned\": [%.*s]", (int)s->files.len, (const char *)s->files.data);
    puts("}");
}

static int run(struct hm_cli *c, const struct hm_yara_job *job, bool scan)
{
    struct show s = {.c = c, .problems = HM_BUF(16u << 20), .files = HM_BUF(64u << 20)};
    struct hm_error err = {0};
    int r = hm_yara_run(job, report, &s, &err);
    bool whole = r == 0 && s.compiled && !s.problems.error && !s.files.error;
    if (c->o.json)
        print_json(&s, scan);
    else
        print_sum(&s, scan);
    hm_buf_done(&s.problems);
    hm_buf_done(&s.files);
    static const struct hm_text failed = {"%s", "%s"};
    if (r < 0)
        return hm_say(c, HM_EXIT_FAILED, &failed, err.text);
    return whole && !s.errors && !s.failed ? HM_EXIT_OK : HM_EXIT_FAILED;
}

static int no_file(const struct hm_cli *c, const char *path, int r)
{
    static const struct hm_text cannot = {"%s: %s", "%s: %s"};
    return hm_say(c, r == -ENOENT ? HM_EXIT_NOT_FOUND : HM_EXIT_FAILED, &cannot, path,
                  strerror(-r));
}

static int check(struct hm_cli *c)
{
    struct list rules hm_auto(list_done) = {0};
    for (int i = 1; i < c->argc; i++) {
        int r = add_rules(&rules, c->args[i]);
        if (r < 0)
            return no_file(c, c->args[i], r);
    }
    struct hm_yara_job job = {.rules = rules.items, .rule_count = rules.count};
    return run(c, &job, false);
}

static int scan(struct hm_cli *c)
{
    struct list rules hm_auto(list_done) = {0}, targets hm_auto(list_done) = {0};
    int r = add_rules(&rules, c->o.rules);
    if (r < 0)
        return no_file(c, c->o.rules, r);
    for (int i = 1; i < c->argc; i++)
        if ((r = add_targets(&targets, c->args[i])) < 0)
            return no_file(c, c->args[i], r);
    struct hm_yara_job job = {.rules = rules.items,
                              .rule_count = rules.count,
                              .targets = targets.items,
                              .target_count = targets.count};
    return run(c, &job, true);
}

int hm_cmd_yara(struct hm_cli *c)
{
    static const struct hm_text usage = {
        "yara check FILE|DIR… | scan --rules FILE|DIR FILE|DIR…",
        "yara check ファイル|フォルダー… | scan --rules ファイル|フォルダー 対象…"};
    if (c->argc >= 2 && strcmp(c->args[0], "check") == 0)
        return check(c);
    if (c->argc >= 2 && strcmp(c->args[0], "scan") == 0 && c->o.rules)
        return scan(c);
    return hm_say(c, HM_EXIT_USAGE, &usage);
}
