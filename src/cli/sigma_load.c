/* Rule files, pipelines and placeholder lists to one collection. Owns where files come from and how
 * problems are told; what they mean is detect's. */
#include "cli/sigma.h"
#include "detect/folder.h"
#include "detect/limits.h"
#include "detect/sigma/pipeline.h"
#include "detect/sigma/placeholder.h"
#include <fcntl.h>
#include <sys/stat.h>

struct load {
    struct hm_sigma_set *set;
    const char *prefix; /* the folder as the user wrote it */
    hm_sigma_tell_fn *tell;
    void *ctx;
};

void hm_sigma_path(const char *prefix, const char *path, char *ret, size_t len)
{
    size_t n = strlen(prefix);
    bool slash = *path && n && prefix[n - 1] != '/';
    snprintf(ret, len, "%s%s%s", prefix, slash ? "/" : "", path);
}

static int add(void *ctx, const char *path, struct hm_slice text)
{
    struct load *l = ctx;
    char full[sizeof((struct hm_rule_problem *)0)->path];
    hm_sigma_path(l->prefix, path, full, sizeof full);
    l->set->files++;
    if (text.p)
        return hm_sigma_collection_add(l->set->collection, full, text, l->tell, l->ctx);
    struct hm_rule_problem p = {0};
    snprintf(p.path, sizeof p.path, "%s", full);
    hm_fail(&p.error, -E2BIG, "the file is over %d bytes", HM_RULE_FILE_MAX_BYTES);
    l->tell(l->ctx, &p);
    return 0;
}

/* A whole file, at most max bytes. -E2BIG: it is larger. */
static int read_file(const char *path, size_t max, struct hm_buf *ret_text)
{
    struct stat st;
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISSOCK(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (fcntl(fd, F_SETFL, 0) < 0)
        return -errno;
    *ret_text = HM_BUF(max + 4097);
    ssize_t n;
    do {
        uint8_t chunk[4096];
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            hm_buf_put(ret_text, chunk, (size_t)n);
        if (n < 0 && errno == EINTR)
            n = 1;
    } while (n > 0 && !ret_text->error && ret_text->len <= max);
    hm_buf_put_u8(ret_text, 0); /* an empty file has a pointer too */
    int r = n < 0 ? -errno : ret_text->error;
    ret_text->len--;
    return r ? r : ret_text->len > max ? -E2BIG : 0;
}

static int no_file(const struct hm_cli *c, const char *path, int r)
{
    static const struct hm_text cannot = {"%s: %s", "%s: %s"};
    return hm_say(c, HM_EXIT_USAGE, &cannot, path, strerror(-r));
}

int hm_sigma_read_text(const struct hm_sigma_args *a, const char *path, size_t max,
                       struct hm_buf *ret_text)
{
    bool standard = strcmp(path, "-") == 0;
    int r = read_file(standard ? "/dev/stdin" : path, max, ret_text);
    return r < 0 ? no_file(a->cli, path, r) : HM_EXIT_OK;
}

int hm_sigma_each_file(const struct hm_sigma_args *a, const char *path,
                       int (*each)(void *ctx, const char *path, struct hm_slice text), void *ctx)
{
    hm_autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno != ENOTDIR)
        return no_file(a->cli, path, -errno);
    struct hm_buf text hm_auto(hm_buf_done) = {0};
    int r =
        dir >= 0 ? hm_folder_each(dir, each, ctx) : read_file(path, HM_RULE_FILE_MAX_BYTES, &text);
    if (dir < 0 && (r == 0 || r == -E2BIG))
        r = each(ctx, "", r == 0 ? hm_buf_slice(&text) : (struct hm_slice){0});
    return r == 0 ? HM_EXIT_OK : no_file(a->cli, path, r);
}

static int bad_file(const struct hm_cli *c, const char *path, const struct hm_error *err)
{
    static const struct hm_text bad = {"%s:%u:%u: %s", "%s:%u:%u: %s"};
    return hm_say(c, HM_EXIT_USAGE, &bad, path, err->line, err->column, err->text);
}

static int add_placeholders(const struct hm_sigma_args *a, struct hm_sigma_set *s)
{
    s->placeholders = hm_placeholders_new();
    for (size_t i = 0; s->placeholders && i < a->placeholders.count; i++) {
        struct hm_buf text hm_auto(hm_buf_done) = {0};
        struct hm_error err = {0};
        int r = read_file(a->placeholders.at[i], HM_RULE_FILE_MAX_BYTES, &text);
        if (r < 0)
            return no_file(a->cli, a->placeholders.at[i], r);
        if (hm_placeholders_add(s->placeholders, hm_buf_slice(&text), &err) < 0)
            return bad_file(a->cli, a->placeholders.at[i], &err);
    }
    return s->placeholders ? HM_EXIT_OK : HM_EXIT_FAILED;
}

static int add_pipeline(const struct hm_sigma_args *a, const char *path, struct hm_sigma_set *s)
{
    struct hm_buf text hm_auto(hm_buf_done) = {0};
    struct hm_error err = {0};
    int r = read_file(path, HM_RULE_FILE_MAX_BYTES, &text);
    if (r < 0)
        return no_file(a->cli, path, r);
    r = hm_pipeline_parse(hm_buf_slice(&text), &s->pipelines[s->pipeline_count], &err);
    if (r < 0)
        return bad_file(a->cli, path, &err);
    s->pipeline_count++;
    return HM_EXIT_OK;
}

/* Lower priorities first; of equal ones, the order of the command line. */
static void order_pipelines(struct hm_sigma_set *s)
{
    for (size_t i = 1; i < s->pipeline_count; i++)
        for (size_t k = i; k > 0 && hm_pipeline_priority(s->pipelines[k]) <
                                        hm_pipeline_priority(s->pipelines[k - 1]);
             k--) {
            struct hm_pipeline *p = s->pipelines[k];
            s->pipelines[k] = s->pipelines[k - 1];
            s->pipelines[k - 1] = p;
        }
}

/* Which records belong to which log source: the pipelines say it; when none does, the one that
 * ships with us. */
static int add_sources(const struct hm_sigma_args *a, struct hm_sigma_set *s)
{
    struct hm_error err = {0};
    for (size_t i = 0; i < s->pipeline_count; i++) {
        struct hm_source_table t = hm_pipeline_sources(s->pipelines[i]);
        if (t.count)
            s->tables[s->table_count++] = t;
    }
    if (s->table_count)
        return HM_EXIT_OK;
    if (hm_pipeline_parse(hm_slice_str(hm_sigma_windows), &s->shipped, &err) < 0)
        return bad_file(a->cli, "windows.yml", &err);
    s->tables[s->table_count++] = hm_pipeline_sources(s->shipped);
    return HM_EXIT_OK;
}

static int add_pipelines(const struct hm_sigma_args *a, struct hm_sigma_set *s)
{
    int code = HM_EXIT_OK;
    for (size_t i = 0; code == HM_EXIT_OK && i < a->pipelines.count; i++)
        code = add_pipeline(a, a->pipelines.at[i], s);
    order_pipelines(s);
    return code == HM_EXIT_OK ? add_sources(a, s) : code;
}

static int out_of_memory(const struct hm_cli *c, int r)
{
    static const struct hm_text failed = {"the rules could not be read: %s",
                                          "ルールを読み込めません: %s"};
    return hm_say(c, HM_EXIT_FAILED, &failed, strerror(-r));
}

static int collect(const struct hm_sigma_args *a, const struct hm_paths *paths, struct load *l)
{
    struct hm_sigma_options o = {
        .names = l->set->names,
        .pipelines = (const struct hm_pipeline *const *)l->set->pipelines,
        .placeholders = l->set->placeholders,
    };
    int r = hm_sigma_collection_new(&o, &l->set->collection);
    for (size_t i = 0; r == 0 && i < paths->count; i++) {
        l->prefix = paths->at[i];
        int code = hm_sigma_each_file(a, paths->at[i], add, l);
        if (code != HM_EXIT_OK)
            return code;
    }
    if (r == 0)
        r = hm_sigma_collection_finish(l->set->collection, l->tell, l->ctx);
    return r < 0 ? out_of_memory(a->cli, r) : HM_EXIT_OK;
}

int hm_sigma_load(const struct hm_sigma_args *a, const struct hm_paths *paths,
                  hm_sigma_tell_fn *tell, void *ctx, struct hm_sigma_set *ret_set)
{
    struct load l = {.set = ret_set, .tell = tell, .ctx = ctx};
    *ret_set = (struct hm_sigma_set){.names = hm_names_new()};
    if (!ret_set->names)
        return out_of_memory(a->cli, -ENOMEM);
    int code = add_placeholders(a, ret_set);
    if (code == HM_EXIT_OK)
        code = add_pipelines(a, ret_set);
    return code ? code : collect(a, paths, &l);
}

void hm_sigma_set_done(struct hm_sigma_set *s)
{
    hm_sigma_collection_free(s->collection);
    for (size_t i = 0; i < s->pipeline_count; i++)
        hm_pipeline_free(s->pipelines[i]);
    hm_pipeline_free(s->shipped);
    hm_placeholders_free(s->placeholders);
    hm_names_free(s->names);
    *s = (struct hm_sigma_set){0};
}
