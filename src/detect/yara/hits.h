/* How matches travel from the process that scanned to the one that tells: a checked codec without
 * libyara. The reader trusts nothing: the writer has parsed what an attacker wrote. */
#pragma once
#include "base/buf.h"
#include "base/cursor.h"
#include "detect/yara/limits.h"

struct hm_yara_meta {
    struct hm_slice key, value;
};
struct hm_yara_found { /* one string of the rule */
    struct hm_slice id;
    uint64_t count; /* places; HM_YARA_COUNT_MATCHES: that many or more */
    size_t offset_count;
    uint64_t offsets[HM_YARA_HIT_OFFSETS];
};
struct hm_yara_hit { /* texts are borrowed, UTF-8 or not as the rule's author had them */
    struct hm_slice rule, space, tags;
    size_t meta_count, string_count;
    struct hm_yara_meta metas[HM_YARA_HIT_METAS];
    struct hm_yara_found strings[HM_YARA_HIT_STRINGS];
};
/* Longer texts are cut at a character. */
void hm_yara_hit_put(const struct hm_yara_hit *h, struct hm_buf *out);
/* The next one; 1, 0 at the end, -EBADMSG malformed or over a ceiling. */
int hm_yara_hit_next(struct hm_cursor *in, struct hm_yara_hit *ret_hit) HM_CHECK;
/* Value of the first of the keys (space between) that the rule has; empty when it has none. */
struct hm_slice hm_yara_hit_meta(const struct hm_yara_hit *h, const char *keys);
/* OCSF 1..5 from severity, score, level or tc_detection_factor; 4 when nothing says. */
uint8_t hm_yara_hit_severity(const struct hm_yara_hit *h);
/* ATT&CK ids in the rule's meta and tags, comma between; "" none. */
void hm_yara_hit_techniques(const struct hm_yara_hit *h, struct hm_buf *out);
/* "$a at 0x10, 0x20 (7), $b at 0x0": where it matched, never what stands there. */
void hm_yara_hit_places(const struct hm_yara_hit *h, struct hm_buf *out);
