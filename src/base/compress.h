/* One-shot compression: zstd here, zlib on Windows. The codec number is kept beside the data. */
#pragma once
#include "base/buf.h"

enum hm_codec { HM_CODEC_NONE = 0, HM_CODEC_ZSTD = 1, HM_CODEC_ZLIB = 2 };
enum hm_codec hm_compress_default(void);
int hm_compress(enum hm_codec codec, struct hm_slice in, struct hm_buf *out) HM_CHECK;
/* raw_len is the stated size; output that differs from it is -EBADMSG (a bomb stops there). */
int hm_decompress(enum hm_codec codec, struct hm_slice in, size_t raw_len,
                  struct hm_buf *out) HM_CHECK;
