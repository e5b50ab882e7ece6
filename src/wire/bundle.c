/* Heads of bundles: what a statement says and where the body begins; what a path may be. */
#include "wire/bundle.h"
#include "base/cursor.h"
#include <errno.h>

#define MAGIC_BYTES (sizeof HM_BUNDLE_MAGIC - 1)

int hm_content_check(struct hm_slice payload, struct hm_msg_content *ret_content)
{
    struct hm_msg_content c;
    if (hm_msg_decode(&hm_desc_content, payload, &c))
        return -EBADMSG;
    if (c.format != HM_CONTENT_FORMAT || !hm_slice_eq(c.kind, hm_slice_str(HM_CONTENT_KIND)))
        return -EPROTONOSUPPORT;
    if (c.tenant.len == 0 || c.tenant.len > HM_ORDER_NAME_MAX || c.version == 0 ||
        c.version > INT64_MAX || c.sha256.len != HM_SHA256_BYTES || c.size == 0 ||
        c.size > HM_BUNDLE_BODY_MAX || c.created_ms == 0 || c.not_after_ms <= c.created_ms ||
        c.not_after_ms - c.created_ms > HM_CONTENT_LIFE_MAX_MS)
        return -EBADMSG;
    *ret_content = c;
    return 0;
}

int hm_bundle_head(struct hm_slice start, struct hm_slice *ret_stmt, size_t *ret_body)
{
    struct hm_cursor c = hm_cursor(start);
    size_t known = start.len < MAGIC_BYTES ? start.len : MAGIC_BYTES;
    if (known && memcmp(start.p, HM_BUNDLE_MAGIC, known) != 0)
        return -EBADMSG;
    if (start.len < MAGIC_BYTES + 4)
        return -EAGAIN;
    (void)hm_cursor_take(&c, MAGIC_BYTES);
    uint32_t len = hm_cursor_le32(&c);
    if (len > HM_STMT_MAX_BYTES)
        return -EBADMSG;
    if (hm_cursor_left(&c) < len)
        return -EAGAIN;
    *ret_stmt = hm_cursor_take(&c, len);
    *ret_body = MAGIC_BYTES + 4 + len;
    return c.error;
}

void hm_bundle_head_write(struct hm_slice stmt, struct hm_buf *out)
{
    hm_buf_put(out, HM_BUNDLE_MAGIC, MAGIC_BYTES);
    hm_buf_put_le32(out, (uint32_t)stmt.len);
    hm_buf_put(out, stmt.p, stmt.len);
}

static bool letter_ok(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(" +,-._=@()", c));
}

bool hm_bundle_path_ok(struct hm_slice path)
{
    bool first = true; /* of a name */
    size_t depth = 1;
    if (path.len == 0 || path.len > HM_BUNDLE_PATH_MAX)
        return false;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.p[i];
        if (c == '/' && first)
            return false;
        if (c == '/') {
            first = true;
            depth++;
            continue;
        }
        if (!letter_ok(c) || (first && (c == '.' || c == ' ')))
            return false;
        first = false;
    }
    return !first && depth <= HM_BUNDLE_DEPTH_MAX;
}
