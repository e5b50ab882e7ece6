/* See feed.h. */
#include "detect/indicator/feed.h"

static uint32_t line_of(struct hm_feed *f)
{
    if (!f->counted || f->at < f->counted) {
        f->counted = f->text.p;
        f->line = 1;
    }
    while (f->counted < f->at) { /* forward only: a feed of bad entries is still read once */
        const uint8_t *nl = memchr(f->counted, '\n', (size_t)(f->at - f->counted));
        if (!nl)
            break;
        f->line++;
        f->counted = nl + 1;
    }
    return f->line;
}

void hm_feed_note(struct hm_feed *f, enum hm_intel_outcome o, enum hm_intel_reason why,
                  struct hm_slice value, struct hm_slice detail, uint32_t column)
{
    f->report->outcomes[o]++;
    if (!f->note)
        return;
    struct hm_intel_note n = {.outcome = o,
                              .reason = why,
                              .line = line_of(f),
                              .column = column,
                              .place = f->place,
                              .value = value,
                              .detail = detail};
    f->note(f->ctx, &n);
}

static struct hm_slice or_else(struct hm_slice s, const char *otherwise)
{
    return s.len ? s : hm_slice_str(otherwise);
}

bool hm_feed_complete(struct hm_feed *f, struct hm_indicator *in)
{
    if (f->how->source && *f->how->source)
        in->source = hm_slice_str(f->how->source);
    else if (!in->source.len)
        in->source = f->own_source;
    in->label = or_else(in->label, f->how->label);
    if (in->confidence == HM_CONFIDENCE_OPEN)
        in->confidence = f->how->confidence ? f->how->confidence : HM_INTEL_CONFIDENCE_DEFAULT;
    if (in->tlp == HM_TLP_NONE)
        in->tlp = f->how->tlp;
    if (!in->valid_until_s && f->how->lifetime_s)
        in->valid_until_s = f->now_s + f->how->lifetime_s;
    if (in->valid_until_s && in->valid_until_s <= f->now_s) {
        hm_feed_note(f, HM_INTEL_EXPIRED, HM_INTEL_WHY_ENDED, in->value, (struct hm_slice){0}, 0);
        return false;
    }
    return true;
}

static void count(struct hm_feed *f, const struct hm_indicator *in, int o, enum hm_intel_reason why,
                  const char *list)
{
    if (o < 0) {
        f->error = o;
        return;
    }
    if (o == HM_INTEL_LOADED) {
        f->report->outcomes[o]++;
        f->report->kinds[in->kind]++;
        return;
    }
    hm_feed_note(f, (enum hm_intel_outcome)o, why, in->value,
                 hm_slice_str(list ? list : hm_intel_kind_name(in->kind)), 0);
}

void hm_feed_add(struct hm_feed *f, struct hm_indicator *in)
{
    enum hm_intel_reason why;
    const char *list = NULL;
    if (f->error || !hm_feed_complete(f, in))
        return;
    int o = hm_intel_builder_add(f->b, in, f->how->force, &why, &list);
    count(f, in, o, why, list);
}

void hm_feed_join(struct hm_feed *f, struct hm_indicator *key, const struct hm_intel_term *terms,
                  size_t n)
{
    enum hm_intel_reason why;
    const char *list = NULL;
    if (f->error || !hm_feed_complete(f, key))
        return;
    int o = hm_intel_builder_join(f->b, key, terms, n, f->how->force, &why, &list);
    count(f, key, o, why, list);
}

void hm_feed_guess(struct hm_feed *f, struct hm_slice word, struct hm_indicator *in)
{
    enum hm_intel_reason why = hm_intel_value_guess(word, &in->kind, &in->value);
    if (why == HM_INTEL_WHY_NONE) {
        hm_feed_add(f, in);
        return;
    }
    hm_feed_note(f, why == HM_INTEL_WHY_HASH_LENGTH ? HM_INTEL_UNSUPPORTED : HM_INTEL_MALFORMED,
                 why, word, (struct hm_slice){0}, 0);
}
