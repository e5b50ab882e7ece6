/* libFuzzer entry of content bundles: the head, and the body with what it unpacks to. */
#include "wire/bundle.h"
#include "base/cursor.h"
#include <stdlib.h>

struct input {
    struct hm_cursor c;
    uint64_t total;
};

static int read_some(void *ctx, void *p, size_t len)
{
    struct input *in = ctx;
    struct hm_slice s = hm_cursor_take(&in->c, len);
    if (in->c.error)
        return -ENODATA;
    memcpy(p, s.p, len);
    return 0;
}

static int begin(void *ctx, const struct hm_bundle_part *part)
{
    (void)ctx;
    if (!hm_bundle_path_ok(hm_slice_str(part->path)) || part->path[0] == '/' ||
        strncmp(part->path, "../", 3) == 0 || strstr(part->path, "/.") || strstr(part->path, "//"))
        abort(); /* would leave the folder, or hide in it */
    return 0;
}

static int data(void *ctx, struct hm_slice bytes)
{
    struct input *in = ctx;
    in->total += bytes.len;
    if (in->total > HM_BUNDLE_RAW_MAX)
        abort();
    return 0;
}

static int end(void *ctx)
{
    (void)ctx;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
    struct hm_slice stmt;
    struct hm_msg_signed_stmt s;
    struct hm_msg_content c;
    size_t body;
    if (hm_bundle_head(hm_slice(p, size), &stmt, &body))
        return 0;
    if (stmt.len && hm_msg_decode(&hm_desc_signed_stmt, stmt, &s) == 0 &&
        hm_content_check(s.payload, &c) == 0 && c.size > HM_BUNDLE_BODY_MAX)
        abort();
    struct input in = {.c = hm_cursor(hm_slice(p + body, size - body))};
    struct hm_bundle_ops ops = {read_some, begin, data, end, &in};
    struct hm_error err = {0};
    if (hm_bundle_read(size - body, &ops, &err) == -EBADMSG && !err.text[0])
        abort(); /* whoever refuses says why */
    return 0;
}
