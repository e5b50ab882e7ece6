/* STIX 2.1 bundles and TAXII envelopes. Two passes over the text: first who and under which marking
 * (identities, marking definitions), then the indicators. Observables that stand in a bundle for
 * themselves are evidence, not indicators, and are passed over; so is everything else. */
#include "detect/indicator/stix.h"
#include <stdio.h>
#include <stdlib.h>

struct object { /* slices of the feed: values as they stand, in JSON */
    struct hm_slice type, id, name, description, pattern, pattern_type, from, until, confidence,
        revoked, created_by, markings, indicator_types, definition, definition_type, extensions;
};

/* --- objects ---------------------------------------------------------------------------------- */
static void read_object(struct hm_json *j, struct object *o)
{
    static const struct {
        const char *key;
        size_t at;
    } members[] = {{"type", offsetof(struct object, type)},
                   {"id", offsetof(struct object, id)},
                   {"name", offsetof(struct object, name)},
                   {"description", offsetof(struct object, description)},
                   {"pattern", offsetof(struct object, pattern)},
                   {"pattern_type", offsetof(struct object, pattern_type)},
                   {"valid_from", offsetof(struct object, from)},
                   {"valid_until", offsetof(struct object, until)},
                   {"confidence", offsetof(struct object, confidence)},
                   {"revoked", offsetof(struct object, revoked)},
                   {"created_by_ref", offsetof(struct object, created_by)},
                   {"object_marking_refs", offsetof(struct object, markings)},
                   {"indicator_types", offsetof(struct object, indicator_types)},
                   {"definition", offsetof(struct object, definition)},
                   {"definition_type", offsetof(struct object, definition_type)},
                   {"extensions", offsetof(struct object, extensions)}};
    struct hm_slice key;
    bool first = true;
    memset(o, 0, sizeof *o);
    if (!hm_json_enter(j, '{')) {
        hm_json_skip(j);
        return;
    }
    while (hm_json_member(j, &first, &key)) {
        struct hm_slice value = hm_json_skip(j);
        for (size_t i = 0; i < HM_ARRAY_LEN(members); i++)
            if (hm_json_is(key, members[i].key))
                memcpy((char *)o + members[i].at, &value, sizeof value);
    }
}

static bool is_string(struct hm_slice value, const char *s)
{
    size_t n = strlen(s);
    return value.len == n + 2 && value.p[0] == '"' && memcmp(value.p + 1, s, n) == 0;
}

static bool text_of(struct hm_stix *s, struct hm_slice value, struct hm_buf *to)
{
    struct hm_json j = hm_json(value);
    hm_buf_clear(to);
    bool good = value.len && hm_json_text(&j, to);
    if (j.error == -ENOMEM)
        s->f->error = j.error;
    return good;
}

/* --- who and how far it may go ---------------------------------------------------------------- */
static const struct {
    const char *id;
    enum hm_tlp tlp;
} markings[] = {{"613f2e26-407d-48c7-9eca-b8e91df99dc9", HM_TLP_CLEAR}, /* TLP 1 */
                {"34098fce-860f-48ae-8e50-ebd3cc5e41da", HM_TLP_GREEN},
                {"f88d31f6-486f-44da-b317-01333bde0b82", HM_TLP_AMBER},
                {"5e57c739-391a-4eb3-b6be-7d15ca92d5ed", HM_TLP_RED},
                {"94868c89-83c2-464b-929b-a1a8aa3c8487", HM_TLP_CLEAR}, /* TLP 2 */
                {"bab4a63c-aed9-4cf5-a766-dfca5abac2bb", HM_TLP_GREEN},
                {"55d920b0-5e8b-4f79-9ee9-91f868d9b421", HM_TLP_AMBER},
                {"939a9414-2ddd-4d32-a0cd-375ea402b003", HM_TLP_AMBER_STRICT},
                {"e828b379-4e03-4974-9ac4-e53a884c97c1", HM_TLP_RED}};

/* {"tlp":"amber"}, or an extension with {"tlp_2_0":"amber+strict"} somewhere inside. */
static enum hm_tlp tlp_within(struct hm_stix *s, struct hm_slice value, int depth)
{
    struct hm_json j = hm_json(value);
    struct hm_slice key;
    enum hm_tlp t = HM_TLP_NONE;
    bool first = true;
    if (depth > 2 || !value.len || !hm_json_enter(&j, '{'))
        return t;
    while (hm_json_member(&j, &first, &key)) {
        struct hm_slice inside = hm_json_skip(&j);
        if (hm_json_is(key, "tlp") || hm_json_is(key, "tlp_2_0")) {
            if (text_of(s, inside, &s->text))
                hm_intel_tlp(hm_buf_slice(&s->text), &t);
        } else if (t == HM_TLP_NONE) {
            t = tlp_within(s, inside, depth + 1);
        }
    }
    return t;
}

static void remember(struct hm_stix *s, const struct object *o)
{
    bool identity = is_string(o->type, "identity");
    if ((!identity && !is_string(o->type, "marking-definition")) || !o->id.len)
        return;
    struct hm_stix_named n = {.id = o->id, .name = o->name};
    if (!identity) {
        n.tlp = tlp_within(s, o->definition, 0);
        if (n.tlp == HM_TLP_NONE)
            n.tlp = tlp_within(s, o->extensions, 0);
        if (n.tlp == HM_TLP_NONE && text_of(s, o->definition_type, &s->text))
            hm_intel_tlp(hm_buf_slice(&s->text), &n.tlp);
        if (n.tlp == HM_TLP_NONE)
            return;
    }
    int r = 0;
    struct hm_stix_named *slot = hm_list_add(&s->named, &r);
    if (slot)
        *slot = n;
    else if (r == -ENOMEM)
        s->f->error = r;
}

static const struct hm_stix_named *find(const struct hm_stix *s, struct hm_slice id)
{
    const struct hm_stix_named *all = s->named.p;
    for (size_t i = 0; i < s->named.count && id.len; i++)
        if (hm_slice_eq(all[i].id, id))
            return &all[i];
    return NULL;
}

static enum hm_tlp tlp_of_ref(const struct hm_stix *s, struct hm_slice ref)
{
    const struct hm_stix_named *n = find(s, ref);
    if (n)
        return n->tlp;
    for (size_t i = 0; i < HM_ARRAY_LEN(markings); i++)
        if (ref.len > 38 && memcmp(ref.p + ref.len - 37, markings[i].id, 36) == 0)
            return markings[i].tlp;
    return HM_TLP_NONE;
}

static enum hm_tlp strictest(const struct hm_stix *s, struct hm_slice refs)
{
    struct hm_json j = hm_json(refs);
    enum hm_tlp t = HM_TLP_NONE;
    bool first = true;
    if (!refs.len || !hm_json_enter(&j, '['))
        return t;
    while (hm_json_element(&j, &first)) {
        enum hm_tlp one = tlp_of_ref(s, hm_json_skip(&j));
        t = one > t ? one : t;
    }
    return t;
}

/* --- indicators ------------------------------------------------------------------------------- */
static void note(struct hm_stix *s, enum hm_intel_outcome o, enum hm_intel_reason why,
                 struct hm_slice value, const char *detail)
{
    hm_feed_note(s->f, o, why, value, hm_slice_str(detail), 0);
}

static bool read_times(struct hm_stix *s, const struct object *o, struct hm_indicator *in)
{
    const struct hm_slice values[] = {o->from, o->until};
    uint64_t *to[] = {&in->valid_from_s, &in->valid_until_s};
    for (size_t i = 0; i < HM_ARRAY_LEN(values); i++)
        if (values[i].len &&
            (!text_of(s, values[i], &s->text) || !hm_intel_time(hm_buf_slice(&s->text), to[i]))) {
            note(s, HM_INTEL_MALFORMED, HM_INTEL_WHY_BAD_TIME, values[i],
                 i ? "valid_until" : "valid_from");
            return false;
        }
    return true;
}

static bool read_confidence(struct hm_stix *s, const struct object *o, struct hm_indicator *in)
{
    uint64_t n;
    in->confidence = HM_CONFIDENCE_OPEN;
    if (!o->confidence.len)
        return true;
    if (!hm_intel_number(o->confidence, 100, &n)) {
        note(s, HM_INTEL_MALFORMED, HM_INTEL_WHY_BAD_CONFIDENCE, o->confidence, "confidence");
        return false;
    }
    in->confidence = (uint8_t)n;
    return true;
}

static bool only_benign(struct hm_slice types)
{
    struct hm_json j = hm_json(types);
    bool first = true, benign = false;
    if (!types.len || !hm_json_enter(&j, '['))
        return false;
    while (hm_json_element(&j, &first)) {
        if (!is_string(hm_json_skip(&j), "benign"))
            return false;
        benign = true;
    }
    return benign;
}

static bool wanted(struct hm_stix *s, const struct object *o)
{
    if (hm_json_is(o->revoked, "true"))
        note(s, HM_INTEL_REVOKED, HM_INTEL_WHY_WITHDRAWN, o->id, NULL);
    else if (only_benign(o->indicator_types))
        note(s, HM_INTEL_IGNORED, HM_INTEL_WHY_NOT_FOR_DETECTION, o->id, "benign");
    else if (o->pattern_type.len && !is_string(o->pattern_type, "stix"))
        note(s, HM_INTEL_UNSUPPORTED, HM_INTEL_WHY_PATTERN_TYPE, o->id, NULL);
    else if (!o->pattern.len)
        note(s, HM_INTEL_MALFORMED, HM_INTEL_WHY_NO_FIELD, o->id, "pattern");
    else
        return true;
    return false;
}

static void add_pattern(struct hm_stix *s, struct hm_slice pattern,
                        const struct hm_indicator *common)
{
    int r = hm_stix_pattern_parse(&s->pattern, pattern);
    size_t n;
    if (r < 0) {
        if (r == -ENOMEM)
            s->f->error = r;
        hm_feed_note(s->f,
                     r == -ENOTSUP ? HM_INTEL_UNSUPPORTED
                     : r == -E2BIG ? HM_INTEL_OVER_LIMIT
                                   : HM_INTEL_MALFORMED,
                     s->pattern.why, pattern, (struct hm_slice){0}, s->pattern.column);
        return;
    }
    const struct hm_stix_way *ways = hm_stix_ways(&s->pattern, &n);
    for (size_t i = 0; i < n && !s->f->error; i++)
        hm_stix_add_way(s, &ways[i], common);
}

static void read_indicator(struct hm_stix *s, const struct object *o)
{
    struct hm_indicator in = {0};
    char source[256] = "";
    const struct hm_stix_named *by = find(s, o->created_by);
    struct hm_buf pattern = HM_BUF(HM_STIX_PATTERN_MAX_BYTES);
    if (!is_string(o->type, "indicator") || !wanted(s, o) || !read_times(s, o, &in) ||
        !read_confidence(s, o, &in))
        return;
    if (by && text_of(s, by->name, &s->text))
        snprintf(source, sizeof source, "%.*s", (int)(s->text.len < 255 ? s->text.len : 255),
                 (const char *)s->text.data);
    in.source = hm_slice_str(source);
    in.tlp = strictest(s, o->markings);
    if (text_of(s, o->name.len ? o->name : o->description, &s->label))
        in.label = hm_buf_slice(&s->label);
    if (text_of(s, o->pattern, &pattern))
        add_pattern(s, hm_buf_slice(&pattern), &in);
    else
        note(s,
             pattern.error == -E2BIG || o->pattern.len > HM_STIX_PATTERN_MAX_BYTES
                 ? HM_INTEL_OVER_LIMIT
                 : HM_INTEL_MALFORMED,
             o->pattern.len > HM_STIX_PATTERN_MAX_BYTES ? HM_INTEL_WHY_PATTERN_SIZE
                                                        : HM_INTEL_WHY_WRONG_FIELD,
             o->id, "pattern");
    hm_buf_done(&pattern);
}

/* --- the bundle ------------------------------------------------------------------------------- */
static void each_object(struct hm_stix *s, struct hm_json *j, bool indicators)
{
    bool first = true;
    struct object o;
    if (!hm_json_enter(j, '[')) {
        hm_json_skip(j);
        return;
    }
    for (s->index = 0; !s->f->error && hm_json_element(j, &first); s->index++) {
        s->f->at = j->p;
        read_object(j, &o);
        if (j->error)
            return; /* what is incomplete is not used */
        snprintf(s->f->place, sizeof s->f->place, "/objects/%llu", (unsigned long long)s->index);
        if (indicators)
            read_indicator(s, &o);
        else
            remember(s, &o);
    }
}

/* Number of "objects" members; the state of the reader is left in *j. */
static int pass(struct hm_stix *s, struct hm_json *j, bool indicators)
{
    struct hm_slice key;
    bool first = true;
    int found = 0;
    *j = hm_json(s->f->text);
    if (!hm_json_enter(j, '{'))
        return 0;
    while (!s->f->error && hm_json_member(j, &first, &key)) {
        if (hm_json_is(key, "objects")) {
            each_object(s, j, indicators);
            found++;
        } else {
            hm_json_skip(j);
        }
    }
    return found;
}

static void tell_end(struct hm_stix *s, const struct hm_json *j)
{
    if (j->error == -ENOMEM)
        s->f->error = j->error;
    if (!j->error || s->f->error)
        return;
    s->f->at = j->p;
    snprintf(s->f->place, sizeof s->f->place, "/objects/%llu", (unsigned long long)s->index);
    if (j->error == -ENODATA)
        note(s, HM_INTEL_CUT_OFF, HM_INTEL_WHY_CUT, (struct hm_slice){0}, NULL);
    else
        note(s, j->error == -E2BIG ? HM_INTEL_OVER_LIMIT : HM_INTEL_MALFORMED,
             j->error == -E2BIG ? HM_INTEL_WHY_JSON_DEPTH : HM_INTEL_WHY_JSON, (struct hm_slice){0},
             NULL);
}

int hm_read_stix(struct hm_feed *f, struct hm_error *err)
{
    struct hm_stix s = {
        .f = f,
        .text = HM_BUF(HM_JSON_STRING_MAX_BYTES),
        .value = HM_BUF(4 * HM_INTEL_VALUE_MAX_BYTES),
        .label = HM_BUF(HM_JSON_STRING_MAX_BYTES),
        .named = {.size = sizeof(struct hm_stix_named), .max = HM_STIX_MARKINGS_MAX}};
    struct hm_json j;
    hm_stix_pattern_init(&s.pattern);
    pass(&s, &j, false);
    int found = pass(&s, &j, true);
    tell_end(&s, &j);
    hm_stix_pattern_done(&s.pattern);
    hm_buf_done(&s.text);
    hm_buf_done(&s.value);
    hm_buf_done(&s.label);
    free(s.named.p);
    /* An empty TAXII page is {} or {"more":false}. */
    return found || (!j.error && f->text.len < 4096) || f->error
               ? 0
               : hm_fail(err, -EBADMSG, "no STIX bundle: it has no \"objects\"");
}
