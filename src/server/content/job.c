/* From a job to a body. Owns the order: what stays of the version before, the package's rules, what
 * is new; then the check, then the body. */
#include "server/content/source.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void layer_name(const struct hm_content_job *j, char ret[HM_CONTENT_LAYER_MAX + 1])
{
    snprintf(ret, HM_CONTENT_LAYER_MAX + 1, "%.*s", (int)j->ask->layer.len,
             j->ask->layer.len ? (const char *)j->ask->layer.p : "");
}

static bool is_kind(const struct hm_content_job *j, const char *kind)
{
    return hm_slice_eq(j->ask->kind, hm_slice_str(kind));
}

static int add_before(struct hm_content_job *j, const char *const *without, bool package,
                      struct hm_error *err)
{
    int r = 0;
    if (j->fds[HM_CONTENT_FD_BEFORE] >= 0)
        r = hm_parts_body(j, j->fds[HM_CONTENT_FD_BEFORE], 0, NULL, without, err);
    if (!r && package && j->rules_fd >= 0)
        r = hm_parts_folder(j, j->rules_fd, HM_CONTENT_LAYER_PACKAGE, err);
    return r;
}

/* ---- import ---- */

static int upload_head(struct hm_content_job *j, bool *ret_signed, size_t *ret_body,
                       struct hm_error *err)
{
    uint8_t start[HM_BUNDLE_HEAD_MAX];
    struct hm_slice head;
    ssize_t n = pread(j->fds[HM_CONTENT_FD_UPLOAD], start, sizeof start, 0);
    if (n < 0)
        return hm_fail(err, -errno, "the upload cannot be read");
    int r = hm_bundle_head(hm_slice(start, (size_t)n), &head, ret_body);
    if (r)
        return hm_fail(err, -EBADMSG,
                       r == -EAGAIN ? "the file is cut off" : "this is no content bundle");
    *ret_signed = head.len > 0;
    return 0;
}

/* Feeds that lie in a folder intel/ of the upload become the layer's indicators. */
static int build_feeds(struct hm_content_job *j, const char *layer, size_t from,
                       struct hm_error *err)
{
    char folder[HM_CONTENT_LAYER_MAX + 16];
    size_t last = j->part_count, kept = from;
    int n = snprintf(folder, sizeof folder, "%s/intel/", layer);
    for (size_t i = from; i < last; i++) { /* what is a feed goes behind what is none */
        struct hm_bundle_input part = j->parts[i];
        if (strncmp(part.path, folder, (size_t)n) == 0)
            continue;
        j->parts[i] = j->parts[kept];
        j->parts[kept++] = part;
    }
    return kept < last ? hm_source_sort(j, layer, kept, err) : 0;
}

static int is_useful(const struct hm_content_job *j, size_t from, struct hm_error *err)
{
    for (size_t i = from; i < j->part_count; i++)
        if (hm_source_is_rule(j->parts[i].path) || strncmp(j->parts[i].path, "intel/", 6) == 0)
            return 0;
    return hm_fail(err, -EINVAL, "there is no rule in it, and no feed in a folder intel/");
}

/* A pack is somebody's own folder: it is the layer, whatever is in it. */
static int import_pack(struct hm_content_job *j, const char *layer, size_t body,
                       struct hm_error *err)
{
    const char *without[] = {HM_CONTENT_LAYER_PACKAGE, layer, NULL};
    int r = add_before(j, without, true, err);
    size_t from = j->part_count;
    if (!r)
        r = hm_parts_body(j, j->fds[HM_CONTENT_FD_UPLOAD], body, layer, NULL, err);
    if (!r)
        r = build_feeds(j, layer, from, err);
    j->layer_parts = j->part_count - from;
    return r ? r : is_useful(j, from, err);
}

/* A bundle of a trusted server is the content as it was tested there: its layers take the place of
 * ours of the same name, the package's included. */
static int import_bundle(struct hm_content_job *j, size_t body, struct hm_error *err)
{
    const char *without[HM_CONTENT_LAYERS_MAX + 1] = {NULL};
    size_t n = 0;
    int r = hm_parts_body(j, j->fds[HM_CONTENT_FD_UPLOAD], body, NULL, NULL, err);
    j->layer_parts = j->part_count;
    for (size_t i = 0; !r && i < j->part_count; i++) {
        struct hm_slice layer = hm_parts_layer(j->parts[i].path);
        if (n && hm_slice_eq(layer, hm_slice_str(without[n - 1])))
            continue;
        if (n == HM_CONTENT_LAYERS_MAX)
            return hm_fail(err, -E2BIG, "more than %d layers", HM_CONTENT_LAYERS_MAX);
        without[n] = hm_arena_strndup(j->arena, layer.p, layer.len);
        if (!without[n++])
            return hm_fail(err, -ENOMEM, "out of memory");
    }
    return r ? r : add_before(j, without, false, err);
}

static int import(struct hm_content_job *j, const char *layer, struct hm_error *err)
{
    bool is_signed = false;
    size_t body = 0;
    int r = upload_head(j, &is_signed, &body, err);
    if (r)
        return r;
    return is_signed ? import_bundle(j, body, err) : import_pack(j, layer, body, err);
}

/* ---- fetch, packaged ---- */

static int fetch(struct hm_content_job *j, const char *layer, struct hm_error *err)
{
    const char *without[] = {HM_CONTENT_LAYER_PACKAGE, layer, NULL};
    int r = add_before(j, without, true, err);
    size_t from = j->part_count;
    if (!r)
        r = hm_source_pull(j, err);
    j->layer_parts = j->part_count - from;
    return r;
}

static int packaged(struct hm_content_job *j, const char *layer, struct hm_error *err)
{
    (void)layer;
    return j->rules_fd < 0 ? hm_fail(err, -ENOENT, "the server's package has no rules folder")
                           : hm_parts_folder(j, j->rules_fd, HM_CONTENT_LAYER_PACKAGE, err);
}

static const struct {
    const char *kind;
    int (*gather)(struct hm_content_job *j, const char *layer, struct hm_error *err);
} kinds[] = {{"import", import}, {"fetch", fetch}, {"packaged", packaged}};

/* 1: nothing new. */
static int gather(struct hm_content_job *j, struct hm_error *err)
{
    char layer[HM_CONTENT_LAYER_MAX + 1];
    layer_name(j, layer);
    for (size_t i = 0; i < HM_ARRAY_LEN(kinds); i++)
        if (is_kind(j, kinds[i].kind))
            return kinds[i].gather(j, layer, err);
    return hm_fail(err, -EINVAL, "unknown kind of job");
}

struct sink {
    int fd;
    uint64_t bytes;
};

static int to_file(void *ctx, struct hm_slice s)
{
    struct sink *out = ctx;
    out->bytes += s.len;
    while (s.len) {
        ssize_t n = write(out->fd, s.p, s.len);
        if (n < 0)
            return -errno;
        s = hm_slice(s.p + n, s.len - (size_t)n);
    }
    return out->bytes > HM_BUNDLE_BODY_MAX ? -E2BIG : 0;
}

static int write_body(struct hm_content_job *j, int *ret_fd, struct hm_error *err)
{
    struct sink out = {.fd = memfd_create("content", MFD_CLOEXEC)};
    if (out.fd < 0)
        return hm_fail(err, -errno, "no memory file");
    int r = hm_bundle_write(j->parts, j->part_count, to_file, &out, err);
    if (r)
        close(out.fd);
    else
        *ret_fd = out.fd;
    return r;
}

static void write_report(const struct hm_content_job *j, struct hm_buf *out)
{
    int first = 0;
    hm_buf_printf(out,
                  "{\"rules\":%llu,\"refused\":%llu,\"parts\":%zu,\"bytes\":%llu,"
                  "\"layer_parts\":%llu,\"layer_refused\":%llu,\"problems\":[",
                  (unsigned long long)j->rules, (unsigned long long)j->refused, j->part_count,
                  (unsigned long long)j->bytes, (unsigned long long)j->layer_parts,
                  (unsigned long long)j->layer_refused);
    hm_buf_put(out, j->problems.data, j->problems.len);
    hm_buf_printf(out, "],\"items\":%llu", (unsigned long long)j->items);
    for (int i = 0; i < HM_INTEL_OUTCOMES; i++)
        if (j->outcomes[i])
            hm_buf_printf(out, "%s\"%s\":%llu", first++ ? "," : ",\"indicators\":{",
                          hm_intel_outcome_name((enum hm_intel_outcome)i),
                          (unsigned long long)j->outcomes[i]);
    hm_buf_puts(out, first ? "}" : "");
    if (j->memory) {
        hm_buf_puts(out, ",\"memory\":");
        hm_buf_puts(out, j->memory);
    }
    hm_buf_puts(out, "}");
}

uint64_t hm_content_run(struct hm_content_job *j, int *ret_fd, struct hm_buf *report,
                        struct hm_error *err)
{
    j->arena = hm_arena_new(HM_CONTENT_ARENA_MAX);
    j->problems = HM_BUF(HM_CONTENT_REPORT_MAX - 1024);
    int r = j->arena ? gather(j, err) : hm_fail(err, -ENOMEM, "out of memory");
    bool nothing = r == 1;
    if (!r)
        r = hm_content_validate(j, err);
    if (!r)
        r = write_body(j, ret_fd, err);
    write_report(j, report);
    hm_arena_free(j->arena);
    free(j->parts);
    free(j->memory);
    hm_buf_done(&j->problems);
    return nothing ? HM_CONTENT_NOTHING_NEW : r ? HM_CONTENT_REFUSED : HM_CONTENT_BUILT;
}
