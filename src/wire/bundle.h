/* A content bundle: detection content as one signed file. Owns the form of head and body; refuses
 * to know who signs, which version is wanted and where parts are put.
 *
 *   file   "HINOMIB1" · le32 length · BUNDLE_HEAD · body
 *   body   blocks: le32 raw length · le32 packed length · zstd
 *          the first block is the manifest, the others hold the parts, end to end, in its order
 *   manifest  le32 count · (le16 length · path · le64 size · sha256) each, ascending by path
 *
 * The statement names size and SHA-256 of the body, so whoever has checked both parses authentic
 * bytes only; the reader trusts nothing all the same. */
#pragma once
#include "base/crypto.h"
#include "wire/limits.h"
#include "wire/message.h"

#define HM_DOMAIN_CONTENT   "hinomi-content-v1"
#define HM_CONTENT_FORMAT   1
#define HM_CONTENT_KIND     "detection"
#define HM_BUNDLE_MAGIC     "HINOMIB1"
#define HM_BUNDLE_HEAD_MAX  (12 + HM_STMT_MAX_BYTES)
#define HM_BUNDLE_PACK_NONE 0 /* statement length of a pack: a body that nobody has signed */

/* Decode a CONTENT payload and check all that needs no state.
 * Owns: slices point into payload. Errors: -EBADMSG; -EPROTONOSUPPORT a newer format or another
 * kind. Threads: reentrant. */
int hm_content_check(struct hm_slice payload, struct hm_msg_content *ret_content) HM_CHECK;
/* The head of a file: BUNDLE_HEAD, not decoded; empty for a pack; the body begins at *ret_body.
 * Errors: -EAGAIN more bytes are needed (at most HM_BUNDLE_HEAD_MAX); -EBADMSG no bundle. */
int hm_bundle_head(struct hm_slice start, struct hm_slice *ret_head, size_t *ret_body) HM_CHECK;
void hm_bundle_head_write(struct hm_slice head, struct hm_buf *out);

/* Relative, at most HM_BUNDLE_DEPTH_MAX names of letters, digits and " +,-._=@()", none of which
 * begins with a dot or blank: it cannot leave the folder it is unpacked to, hide or be a device. */
bool hm_bundle_path_ok(struct hm_slice path);

struct hm_bundle_part {
    const char *path; /* NUL-terminated */
    uint64_t size;
    uint8_t sha256[HM_SHA256_BYTES];
};

/* ---- bundle_write.c ---- */
struct hm_bundle_input {
    const char *path;
    struct hm_slice data;
};
/* Write a body; sorts parts. Errors: -EINVAL a path (named in err) or two the same; -E2BIG; what
 * write() says. Threads: reentrant. */
int hm_bundle_write(struct hm_bundle_input *parts, size_t n,
                    int (*write)(void *ctx, struct hm_slice bytes), void *ctx,
                    struct hm_error *err) HM_CHECK;

/* ---- bundle_read.c ---- */
struct hm_bundle_ops { /* each returns 0 or a negative errno that ends the reading */
    /* Exactly len bytes of the body; -ENODATA: it ends before. */
    int (*read)(void *ctx, void *p, size_t len);
    int (*begin)(void *ctx, const struct hm_bundle_part *part);
    int (*data)(void *ctx, struct hm_slice bytes);
    int (*end)(void *ctx); /* size and SHA-256 of the part are as the manifest says */
    void *ctx;
};
/* Read a body of size bytes; memory: one block and the manifest.
 * Errors: -EBADMSG with words: cut off, altered, bomb, bad path, doubled; those of ops. */
int hm_bundle_read(uint64_t size, const struct hm_bundle_ops *ops, struct hm_error *err) HM_CHECK;
