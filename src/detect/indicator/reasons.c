/* Names of what indicator.h enumerates, for programs and for people. Decides nothing. */
#include "detect/indicator/indicator.h"

static const char *name_of(const char *const *names, size_t count, size_t i)
{
    return i < count ? names[i] : "?";
}

const char *hm_intel_kind_name(enum hm_intel_kind k)
{
    static const char *const names[HM_INTEL_KINDS] = {"md5", "sha1", "sha256", "ip",    "domain",
                                                      "url", "name", "path",   "regex", "mail"};
    return name_of(names, HM_INTEL_KINDS, k);
}

const char *hm_tlp_name(enum hm_tlp t)
{
    static const char *const names[] = {"", "clear", "green", "amber", "amber+strict", "red"};
    return name_of(names, HM_ARRAY_LEN(names), t);
}

const char *hm_intel_outcome_name(enum hm_intel_outcome o)
{
    static const char *const names[HM_INTEL_OUTCOMES] = {
        "loaded",  "duplicate", "malformed", "unsupported", "warned",
        "expired", "revoked",   "ignored",   "cut-off",     "over-limit"};
    return name_of(names, HM_INTEL_OUTCOMES, o);
}

const char *hm_intel_format_name(enum hm_intel_format f)
{
    static const char *const names[HM_INTEL_FORMATS] = {
        "auto", "stix", "misp", "csv", "list", "hash-iocs", "c2-iocs", "filename-iocs"};
    return name_of(names, HM_INTEL_FORMATS, f);
}

const struct hm_text *hm_intel_reason_text(enum hm_intel_reason r)
{
    static const struct hm_text texts[HM_INTEL_REASONS] = {
#define R(id, en, ja) {en, ja},
#include "detect/indicator/reasons.def"
#undef R
    };
    return &texts[r < HM_INTEL_REASONS ? r : 0];
}
