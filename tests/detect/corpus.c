/* See corpus.h. Aborts where memory ends: test support. */
#include "corpus.h"
#include "base/clock.h"
#include "detect/folder.h"
#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

struct adding {
    struct corpus_rules *c;
    bool say;
};

static void problem(void *ctx, const struct hm_rule_problem *p)
{
    struct adding *a = ctx;
    a->c->refused++;
    if (a->say)
        fprintf(stderr, "%s:%u:%u: %s\n", p->path, p->error.line, p->error.column, p->error.text);
}

static int add(void *ctx, const char *path, struct hm_slice text)
{
    struct adding *a = ctx;
    return text.p ? hm_sigma_collection_add(a->c->collection, path, text, problem, a) : 0;
}

static bool read_file(const char *path, struct hm_buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t block[65536];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        hm_buf_put(out, block, n);
    fclose(f);
    return !out->error;
}

static void read_pipeline(struct corpus_rules *c, const char *path)
{
    struct hm_buf text = HM_BUF(1 << 20);
    struct hm_error err = {0};
    if (!read_file(path, &text) || hm_pipeline_parse(hm_buf_slice(&text), &c->pipeline, &err)) {
        fprintf(stderr, "%s:%u: %s\n", path, err.line, err.text);
        abort();
    }
    hm_buf_done(&text);
}

bool corpus_rules(struct corpus_rules *c, const char *folder, const char *pipeline, bool say)
{
    struct adding a = {c, say};
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memset(c, 0, sizeof *c);
    if (fd < 0)
        return false;
    uint64_t from = hm_clock_mono_ns();
    c->names = hm_names_new();
    if (pipeline)
        read_pipeline(c, pipeline);
    const struct hm_pipeline *pipelines[] = {c->pipeline, NULL};
    struct hm_sigma_options o = {.names = c->names, .pipelines = pipelines};
    if (hm_sigma_collection_new(&o, &c->collection) || hm_folder_each(fd, add, &a) ||
        hm_sigma_collection_finish(c->collection, problem, &a))
        abort();
    c->read_s = (double)(hm_clock_mono_ns() - from) / 1e9;
    close(fd);
    return true;
}

void corpus_rules_done(struct corpus_rules *c)
{
    hm_sigma_collection_free(c->collection);
    hm_pipeline_free(c->pipeline);
    hm_names_free(c->names);
}

static void decompress(struct hm_buf *in)
{
    struct hm_buf out = HM_BUF(1u << 30);
    ZSTD_DStream *z = ZSTD_createDStream();
    ZSTD_inBuffer from = {in->data, in->len, 0};
    while (from.pos < from.size) {
        uint8_t block[1 << 17];
        ZSTD_outBuffer to = {block, sizeof block, 0};
        if (ZSTD_isError(ZSTD_decompressStream(z, &to, &from)))
            abort();
        hm_buf_put(&out, block, to.pos);
    }
    ZSTD_freeDStream(z);
    hm_buf_done(in);
    *in = out;
}

bool corpus_lines(struct corpus_lines *l, const char *path)
{
    struct hm_buf text = HM_BUF(1u << 30);
    size_t cap = 0, n = strlen(path);
    memset(l, 0, sizeof *l);
    if (!read_file(path, &text))
        return false;
    if (n > 4 && strcmp(path + n - 4, ".zst") == 0)
        decompress(&text);
    if (!hm_buf_extend(&text, 64))
        abort();
    l->data = text.data;
    l->len = text.len - 64;
    for (size_t at = 0; at < l->len;) {
        const uint8_t *end = memchr(l->data + at, '\n', l->len - at);
        size_t len = end ? (size_t)(end - (l->data + at)) : l->len - at;
        if (l->count == cap) {
            cap = cap ? cap * 2 : 1024;
            l->lines = reallocarray(l->lines, cap, sizeof *l->lines);
            if (!l->lines)
                abort();
        }
        l->lines[l->count++] = hm_slice(l->data + at, len);
        at += len + 1;
    }
    return true;
}

void corpus_lines_done(struct corpus_lines *l)
{
    free(l->data);
    free(l->lines);
}

/* From an opening bracket or quote to after its partner. */
static size_t value_end(struct hm_slice s, size_t at)
{
    size_t depth = 0;
    bool quoted = false;
    for (; at < s.len; at++) {
        uint8_t c = s.p[at];
        if (quoted && c == '\\')
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        if (!quoted && depth == 0)
            return at + 1;
    }
    return s.len;
}

struct hm_slice corpus_member(struct hm_slice line, const char *key)
{
    char quoted[64];
    size_t n = (size_t)snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const uint8_t *at = memmem(line.p, line.len, quoted, n);
    if (!at)
        return (struct hm_slice){0};
    size_t from = (size_t)(at - line.p) + n, end = value_end(line, from);
    if (line.p[from] == '"') {
        from++;
        end--;
    }
    return hm_slice(line.p + from, end - from);
}
