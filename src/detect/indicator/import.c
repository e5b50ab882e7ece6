/* Which format is it, and off to its reader. */
#include "detect/indicator/feed.h"
#include "detect/indicator/csv.h"

static struct hm_slice skip_blank(struct hm_slice s)
{
    if (s.len >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0)
        s = hm_slice(s.p + 3, s.len - 3);
    return hm_intel_trim(s.len > 65536 ? hm_slice(s.p, 65536) : s);
}

static enum hm_intel_format detect_json(struct hm_slice s)
{
    struct hm_json j = hm_json(s);
    struct hm_slice key;
    bool first = true;
    if (hm_json_peek(&j) == '[')
        return HM_INTEL_FORMAT_MISP;
    hm_json_enter(&j, '{');
    while (hm_json_member(&j, &first, &key)) {
        if (hm_json_is(key, "objects") || hm_json_is(key, "spec_version") ||
            (hm_json_is(key, "type") && hm_json_peek(&j) == '"'))
            return HM_INTEL_FORMAT_STIX;
        if (hm_json_is(key, "Event") || hm_json_is(key, "response") || hm_json_is(key, "Attribute"))
            return HM_INTEL_FORMAT_MISP;
        hm_json_skip(&j);
    }
    return HM_INTEL_FORMAT_STIX; /* its reader says what is missing */
}

static bool mentions(struct hm_slice s, const char *what)
{
    return s.len && memmem(s.p, s.len, what, strlen(what));
}

static enum hm_intel_format detect_lines(struct hm_slice s, const char *name)
{
    static const struct {
        const char *file, *head;
        enum hm_intel_format format;
    } known[] = {{"filename-iocs", "LOKI File Name", HM_INTEL_FORMAT_FILENAMES},
                 {"hash-iocs", "LOKI CUSTOM EVIL HASHES", HM_INTEL_FORMAT_HASHES},
                 {"c2-iocs", "LOKI C2", HM_INTEL_FORMAT_HOSTS}};
    struct hm_slice head = hm_slice(s.p, s.len < 1024 ? s.len : 1024);
    for (size_t i = 0; i < HM_ARRAY_LEN(known); i++)
        if ((name && strstr(name, known[i].file)) || mentions(head, known[i].head))
            return known[i].format;
    return hm_csv_looks(s) ? HM_INTEL_FORMAT_CSV : HM_INTEL_FORMAT_LIST;
}

enum hm_intel_format hm_intel_detect(struct hm_slice feed, const char *name)
{
    struct hm_slice s = skip_blank(feed);
    if (s.len && (s.p[0] == '{' || s.p[0] == '['))
        return detect_json(s);
    return detect_lines(s, name);
}

int hm_intel_import(struct hm_intel_builder *b, struct hm_slice feed,
                    const struct hm_intel_feed *how, uint64_t now_s, hm_intel_note_fn *note,
                    void *ctx, struct hm_intel_report *ret_report, struct hm_error *err)
{
    static int (*const readers[HM_INTEL_FORMATS])(struct hm_feed * f, struct hm_error * err) = {
        [HM_INTEL_FORMAT_STIX] = hm_read_stix,
        [HM_INTEL_FORMAT_MISP] = hm_read_misp,
        [HM_INTEL_FORMAT_CSV] = hm_read_csv,
        [HM_INTEL_FORMAT_LIST] = hm_read_list,
        [HM_INTEL_FORMAT_HASHES] = hm_read_hashes,
        [HM_INTEL_FORMAT_HOSTS] = hm_read_hosts,
        [HM_INTEL_FORMAT_FILENAMES] = hm_read_filenames};
    enum hm_intel_format format = how->format ? how->format : hm_intel_detect(feed, NULL);
    struct hm_feed f = {.b = b,
                        .how = how,
                        .text = feed,
                        .now_s = now_s,
                        .note = note,
                        .ctx = ctx,
                        .report = ret_report,
                        .at = feed.p};
    if (feed.len > HM_INTEL_FEED_MAX_BYTES)
        return hm_fail(err, -E2BIG, "a feed of %zu bytes", feed.len);
    if (feed.len == 0)
        return 0;
    if (format >= HM_INTEL_FORMATS)
        return hm_fail(err, -EINVAL, "unknown feed format %d", format);
    int r = readers[format](&f, err);
    if (r == 0 && f.error)
        r = hm_fail(err, f.error, "%s", strerror(-f.error));
    return r;
}
