/* What a codec gives compress.c: both fill out[0..*len) and answer the bytes written, or fail. */
#pragma once
#include "base/slice.h"

size_t hm_zstd_bound(size_t len);
int hm_zstd_compress(struct hm_slice in, uint8_t *out, size_t *len);
int hm_zstd_decompress(struct hm_slice in, uint8_t *out, size_t *len);
size_t hm_zlib_bound(size_t len);
int hm_zlib_compress(struct hm_slice in, uint8_t *out, size_t *len);
int hm_zlib_decompress(struct hm_slice in, uint8_t *out, size_t *len);
