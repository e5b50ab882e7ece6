/* What the fuzz targets of indicators share: import, build, open, ask. */
#pragma once
#include "detect/indicator/indicator.h"

static inline void fuzz_ask(const struct hm_intel *i)
{
    static const uint8_t bytes[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc};
    static const char *const texts[] = {"a.b.evil.com", "http://bad.example/x?y=1",
                                        "/tmp/.evil/run.exe", "C:\\Windows\\usbclass.sys",
                                        "boss@evil.com"};
    static struct hm_event e;
    for (int k = 0; k < HM_INTEL_KINDS; k++) {
        for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++)
            hm_intel_find(i, (enum hm_intel_kind)k, hm_slice_str(texts[n]), 1700000000, NULL, NULL);
        for (size_t len = 4; len <= 32; len += 4)
            hm_intel_find(i, (enum hm_intel_kind)k, hm_slice(bytes, len), 1700000000, NULL, NULL);
    }
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_SHA256, hm_slice(bytes, 32));
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/tmp/tool.exe"));
    hm_event_set(&e, HM_F_DST_IP, hm_slice("\xc0\0\2\7", 4));
    hm_event_set_u64(&e, HM_F_DST_PORT, 4444);
    hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE,
                 hm_slice_str("curl hxxp http://bad.example/x?y=1;"));
    hm_intel_match_event(i, &e, 1700000000, NULL, NULL);
}

static inline void fuzz_feed(struct hm_slice feed, enum hm_intel_format format)
{
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 1);
    struct hm_intel_feed how = {.format = format, .source = "fuzz"};
    struct hm_intel_report rep = {0};
    struct hm_error err;
    struct hm_intel *i = NULL;
    if (b && hm_intel_import(b, feed, &how, 1700000000, NULL, NULL, &rep, &err) == 0 &&
        hm_intel_build_memory(b, feed.len & 1 ? HM_INTEL_FULL : HM_INTEL_COMPACT, NULL, &i) == 0) {
        fuzz_ask(i);
        hm_intel_free(i);
    }
    hm_intel_builder_free(b);
}
