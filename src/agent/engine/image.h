/* What one exec made: executable, command line, descriptors. Shared by reference between a process
 * and its forks until they exec. Owns those strings and the ceiling over all of them. */
#pragma once
#include "base/slice.h"
#include "base/crypto.h"

struct hm_image_text { /* all optional; borrowed when given, owned by the image when read */
    struct hm_slice path, command_line, cwd, name, interpreter, env, tty;
};
struct hm_image {
    struct hm_image_text text;
    uint64_t dev, inode, flags, argc;
    uint8_t std[3]; /* HM_STDIO_* */
    uint8_t stdio_ip_len;
    uint16_t stdio_port;
    bool hashed, has_std;
    uint8_t stdio_ip[16];
    uint8_t sha256[HM_SHA256_BYTES];
    uint32_t refs, bytes;
};
struct hm_image_pool {
    uint32_t bytes, max_bytes;
};

/* Copies the texts of t (each cut at its ceiling) and the numbers of like (may be NULL).
 * Owns:   one reference, hm_image_unref().
 * Errors: NULL when the pool is full or memory ended; the caller evicts and tries again. */
struct hm_image *hm_image_new(struct hm_image_pool *pool, const struct hm_image_text *t,
                              const struct hm_image *like);
struct hm_image *hm_image_ref(struct hm_image *i);
void hm_image_unref(struct hm_image_pool *pool, struct hm_image *i); /* NULL is fine */
