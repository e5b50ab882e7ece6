/* From a job to a body. Owns the order: what stays of the version before, the package's rules, what
 * is new; then the check, then the body. */
#include "server/content/content.h"
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

static int add_before(struct hm_content_job *j, const char *layer, struct hm_error *err)
{
    const char *without[] = {HM_CONTENT_LAYER_PACKAGE, layer, NULL};
    int r = 0;
    if (j->fds[HM_CONTENT_FD_BEFORE] >= 0)
        r = hm_parts_body(j, j->fds[HM_CONTENT_FD_BEFORE], 0, NULL, without, err);
    if (!r && j->rules_fd >= 0)
        r = hm_parts_folder(j, j->rules_fd, HM_CONTENT_LAYER_PACKAGE, err);
    return r;
}

/* A bundle of another server keeps its layers beneath ours: nothing of it can take the place of
 * what is here. */
static int add_upload(struct hm_content_job *j, const char *layer, struct hm_error *err)
{
    uint8_t head[HM_BUNDLE_HEAD_MAX];
    struct hm_slice stmt;
    size_t body;
    int fd = j->fds[HM_CONTENT_FD_UPLOAD];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return hm_fail(err, -errno, "the upload cannot be read");
    int r = hm_bundle_head(hm_slice(head, (size_t)n), &stmt, &body);
    if (r == -EAGAIN)
        return hm_fail(err, -EBADMSG, "the file is cut off");
    if (r)
        return hm_fail(err, r, "this is no content bundle");
    return hm_parts_body(j, fd, body, layer, NULL, err);
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
    hm_buf_printf(out,
                  "{\"rules\":%llu,\"refused\":%llu,\"parts\":%zu,\"bytes\":%llu,"
                  "\"layer_parts\":%llu,\"layer_refused\":%llu,\"problems\":[",
                  (unsigned long long)j->rules, (unsigned long long)j->refused, j->part_count,
                  (unsigned long long)j->bytes, (unsigned long long)j->layer_parts,
                  (unsigned long long)j->layer_refused);
    hm_buf_put(out, j->problems.data, j->problems.len);
    hm_buf_puts(out, "]}");
}

static int gather(struct hm_content_job *j, struct hm_error *err)
{
    char layer[HM_CONTENT_LAYER_MAX + 1];
    layer_name(j, layer);
    int r = is_kind(j, "packaged") ? 0 : add_before(j, layer, err);
    if (!r && is_kind(j, "packaged"))
        r = j->rules_fd < 0 ? hm_fail(err, -ENOENT, "the server's package has no rules folder")
                            : hm_parts_folder(j, j->rules_fd, HM_CONTENT_LAYER_PACKAGE, err);
    size_t others = j->part_count;
    if (!r && is_kind(j, "import"))
        r = add_upload(j, layer, err);
    j->layer_parts = j->part_count - others;
    return r;
}

uint64_t hm_content_run(struct hm_content_job *j, int *ret_fd, struct hm_buf *report,
                        struct hm_error *err)
{
    j->arena = hm_arena_new(HM_CONTENT_ARENA_MAX);
    j->problems = HM_BUF(HM_CONTENT_REPORT_MAX - 1024);
    int r = j->arena ? gather(j, err) : hm_fail(err, -ENOMEM, "out of memory");
    if (!r)
        r = hm_content_validate(j, err);
    if (!r)
        r = write_body(j, ret_fd, err);
    write_report(j, report);
    hm_arena_free(j->arena);
    free(j->parts);
    hm_buf_done(&j->problems);
    return r ? HM_CONTENT_REFUSED : HM_CONTENT_BUILT;
}
