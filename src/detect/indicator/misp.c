/* MISP events: alone, in a list, as a search answers them ("response"), or their attributes alone.
 * A first pass over an event finds what speaks for all of its attributes: title, author, tags. */
#include "detect/indicator/types.h"
#include <stdio.h>

struct head {
    struct hm_slice info, org; /* of the feed, in JSON */
    enum hm_tlp tlp;
    uint8_t confidence;
};
struct misp {
    struct hm_feed *f;
    struct hm_buf text, value, comment, type, label, source;
    uint64_t event, attribute; /* numbers for the place */
    bool found;                /* anything of MISP's */
};

/* --- tags ------------------------------------------------------------------------------------- */
static bool begins(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.p, with, n) == 0;
}

static void read_tag_name(struct hm_slice name, struct head *h)
{
    static const struct {
        const char *tag;
        uint8_t confidence;
    } levels[] = {{"misp:confidence-level=\"completely-confident\"", 100},
                  {"misp:confidence-level=\"usually-confident\"", 75},
                  {"misp:confidence-level=\"fairly-confident\"", 50},
                  {"misp:confidence-level=\"rarely-confident\"", 25},
                  {"misp:confidence-level=\"unconfident\"", 0}};
    enum hm_tlp t;
    if ((begins(name, "tlp:") || begins(name, "TLP:")) && hm_intel_tlp(name, &t) && t > h->tlp)
        h->tlp = t;
    for (size_t i = 0; i < HM_ARRAY_LEN(levels); i++)
        if (hm_slice_eq(name, hm_slice_str(levels[i].tag)))
            h->confidence = levels[i].confidence;
}

static void read_tags(struct misp *m, struct hm_json *j, struct head *h)
{
    struct hm_slice key;
    bool tag = true, member;
    if (!hm_json_enter(j, '[')) {
        hm_json_skip(j);
        return;
    }
    while (hm_json_element(j, &tag)) {
        if (!hm_json_enter(j, '{')) {
            hm_json_skip(j);
            continue;
        }
        for (member = true; hm_json_member(j, &member, &key);) {
            if (!hm_json_is(key, "name"))
                hm_json_skip(j);
            else if (hm_json_text(j, &m->text))
                read_tag_name(hm_buf_slice(&m->text), h);
        }
    }
}

/* --- attributes ------------------------------------------------------------------------------- */
struct attribute {
    bool detect, deleted, has_value, has_type, bad_time;
    uint64_t first_seen_s;
    struct head own;
};

static bool falsy(const struct hm_buf *b)
{
    return b->len == 0 || b->data[0] == '0' || b->data[0] == 'f' || b->data[0] == 'F';
}

static void read_member(struct misp *m, struct hm_json *j, struct hm_slice key, struct attribute *a)
{
    if (hm_json_is(key, "type"))
        a->has_type = hm_json_text(j, &m->type);
    else if (hm_json_is(key, "value"))
        a->has_value = hm_json_text(j, &m->value);
    else if (hm_json_is(key, "comment"))
        hm_json_text(j, &m->comment);
    else if (hm_json_is(key, "to_ids"))
        a->detect = !hm_json_text(j, &m->text) || !falsy(&m->text);
    else if (hm_json_is(key, "deleted"))
        a->deleted = hm_json_text(j, &m->text) && !falsy(&m->text);
    else if (hm_json_is(key, "first_seen"))
        a->bad_time = hm_json_text(j, &m->text) && m->text.len &&
                      !hm_intel_time(hm_buf_slice(&m->text), &a->first_seen_s);
    else if (hm_json_is(key, "Tag"))
        read_tags(m, j, &a->own);
    else
        hm_json_skip(j);
}

static bool usable(struct misp *m, const struct attribute *a)
{
    struct hm_slice value = hm_buf_slice(&m->value);
    enum hm_intel_outcome o = HM_INTEL_LOADED;
    enum hm_intel_reason why = HM_INTEL_WHY_NONE;
    const char *detail = NULL;
    if (!a->has_type || !a->has_value) {
        o = HM_INTEL_MALFORMED;
        why = HM_INTEL_WHY_NO_FIELD;
        detail = a->has_type ? "value" : "type";
    } else if (a->deleted) {
        o = HM_INTEL_REVOKED;
        why = HM_INTEL_WHY_WITHDRAWN;
    } else if (!a->detect) {
        o = HM_INTEL_IGNORED;
        why = HM_INTEL_WHY_NOT_FOR_DETECTION;
        detail = "to_ids";
    } else if (a->bad_time) {
        o = HM_INTEL_MALFORMED;
        why = HM_INTEL_WHY_BAD_TIME;
        detail = "first_seen";
    }
    if (o != HM_INTEL_LOADED)
        hm_feed_note(m->f, o, why, value, hm_slice_str(detail), 0);
    return o == HM_INTEL_LOADED;
}

static void read_attribute(struct misp *m, struct hm_json *j, const struct head *event)
{
    struct attribute a = {.detect = true, .own = *event};
    struct hm_slice key;
    bool first = true;
    m->f->at = j->p;
    hm_buf_clear(&m->comment);
    hm_buf_clear(&m->value);
    if (!hm_json_enter(j, '{')) {
        hm_json_skip(j);
        return;
    }
    while (hm_json_member(j, &first, &key))
        read_member(m, j, key, &a);
    if (j->error || !usable(m, &a))
        return; /* what is incomplete is not used */
    struct hm_indicator in = {.source = hm_buf_slice(&m->source),
                              .label = hm_buf_slice(m->comment.len ? &m->comment : &m->label),
                              .valid_from_s = a.first_seen_s,
                              .confidence = a.own.confidence,
                              .tlp = a.own.tlp};
    hm_intel_type_name_add(m->f, hm_buf_slice(&m->type), hm_buf_slice(&m->value), &in);
}

static void place(struct misp *m, const char *object, uint64_t n)
{
    snprintf(m->f->place, sizeof m->f->place, "/%llu/Event%s/Attribute/%llu",
             (unsigned long long)m->event, object, (unsigned long long)n);
}

static void read_attributes(struct misp *m, struct hm_json *j, const struct head *h,
                            const char *object)
{
    bool first = true;
    m->found = true;
    if (!hm_json_enter(j, '[')) {
        hm_json_skip(j);
        return;
    }
    for (m->attribute = 0; !m->f->error && hm_json_element(j, &first); m->attribute++) {
        place(m, object, m->attribute);
        read_attribute(m, j, h);
    }
}

/* "Object": groups of attributes. */
static void read_objects(struct misp *m, struct hm_json *j, const struct head *h)
{
    struct hm_slice key;
    bool first = true, member;
    char object[48];
    if (!hm_json_enter(j, '[')) {
        hm_json_skip(j);
        return;
    }
    for (uint64_t n = 0; !m->f->error && hm_json_element(j, &first); n++) {
        if (!hm_json_enter(j, '{')) {
            hm_json_skip(j);
            continue;
        }
        snprintf(object, sizeof object, "/Object/%llu", (unsigned long long)n);
        for (member = true; hm_json_member(j, &member, &key);) {
            if (hm_json_is(key, "Attribute"))
                read_attributes(m, j, h, object);
            else
                hm_json_skip(j);
        }
    }
}

/* --- events ----------------------------------------------------------------------------------- */
static struct hm_slice name_of_org(struct hm_slice org)
{
    struct hm_json j = hm_json(org);
    struct hm_slice key;
    bool first = true;
    if (!org.len || !hm_json_enter(&j, '{'))
        return (struct hm_slice){0};
    while (hm_json_member(&j, &first, &key)) {
        struct hm_slice value = hm_json_skip(&j);
        if (hm_json_is(key, "name"))
            return value;
    }
    return (struct hm_slice){0};
}

static void text_of(struct misp *m, struct hm_slice value, struct hm_buf *to)
{
    struct hm_json j = hm_json(value);
    hm_buf_clear(to);
    if (value.len && !hm_json_text(&j, to))
        hm_buf_clear(to);
    if (j.error == -ENOMEM)
        m->f->error = j.error;
}

/* j is a copy: the event is read again for its attributes. */
static void read_head(struct misp *m, struct hm_json j, struct head *h)
{
    struct hm_slice key;
    bool first = true;
    hm_json_enter(&j, '{');
    while (hm_json_member(&j, &first, &key)) {
        if (hm_json_is(key, "info"))
            h->info = hm_json_skip(&j);
        else if (hm_json_is(key, "Orgc"))
            h->org = hm_json_skip(&j);
        else if (hm_json_is(key, "Tag"))
            read_tags(m, &j, h);
        else
            hm_json_skip(&j);
    }
    if (j.error == -ENOMEM)
        m->f->error = j.error;
    text_of(m, h->info, &m->label);
    text_of(m, name_of_org(h->org), &m->source);
}

static const struct head no_head = {.confidence = HM_CONFIDENCE_OPEN};

static void read_event(struct misp *m, struct hm_json *j)
{
    struct head h = no_head;
    struct hm_slice key;
    bool first = true;
    if (hm_json_peek(j) != '{') {
        hm_json_skip(j);
        return;
    }
    m->found = true;
    read_head(m, *j, &h);
    hm_json_enter(j, '{');
    while (!m->f->error && hm_json_member(j, &first, &key)) {
        if (hm_json_is(key, "Attribute"))
            read_attributes(m, j, &h, "");
        else if (hm_json_is(key, "Object"))
            read_objects(m, j, &h);
        else
            hm_json_skip(j);
    }
    m->event++;
}

/* {"Event":{…}}, or an attribute where no event is around it. */
static void read_wrapped(struct misp *m, struct hm_json *j)
{
    struct hm_json ahead = *j;
    struct hm_slice key;
    bool first = true, event = false, attribute = false;
    if (hm_json_peek(j) != '{') {
        hm_json_skip(j);
        return;
    }
    for (hm_json_enter(&ahead, '{');
         !event && !attribute && hm_json_member(&ahead, &first, &key);) {
        event = hm_json_is(key, "Event");
        attribute = hm_json_is(key, "value");
        if (!event && !attribute)
            hm_json_skip(&ahead);
    }
    if (attribute) {
        m->found = true;
        place(m, "", m->attribute++);
        hm_buf_clear(&m->label);
        hm_buf_clear(&m->source);
        read_attribute(m, j, &no_head);
        return;
    }
    first = true;
    hm_json_enter(j, '{');
    while (!m->f->error && hm_json_member(j, &first, &key)) {
        if (hm_json_is(key, "Event"))
            read_event(m, j);
        else
            hm_json_skip(j);
    }
}

static void read_list(struct misp *m, struct hm_json *j)
{
    bool first = true;
    hm_json_enter(j, '[');
    while (!m->f->error && hm_json_element(j, &first))
        read_wrapped(m, j);
}

static void read_top(struct misp *m, struct hm_json *j)
{
    struct hm_slice key;
    bool first = true;
    if (hm_json_peek(j) == '[') {
        read_list(m, j);
        return;
    }
    if (!hm_json_enter(j, '{')) {
        j->error = -EBADMSG;
        return;
    }
    while (!m->f->error && hm_json_member(j, &first, &key)) {
        char type = hm_json_peek(j);
        if (hm_json_is(key, "Event"))
            read_event(m, j);
        else if (hm_json_is(key, "response") && type == '[')
            read_list(m, j);
        else if (hm_json_is(key, "response") && type == '{') {
            struct hm_slice inside;
            bool one = true;
            hm_json_enter(j, '{');
            while (hm_json_member(j, &one, &inside)) {
                if (hm_json_is(inside, "Attribute"))
                    read_attributes(m, j, &no_head, "");
                else
                    hm_json_skip(j);
            }
        } else if (hm_json_is(key, "Attribute")) {
            read_attributes(m, j, &no_head, "");
        } else {
            hm_json_skip(j);
        }
    }
}

static void tell_end(struct misp *m, const struct hm_json *j)
{
    enum hm_intel_outcome o = j->error == -ENODATA ? HM_INTEL_CUT_OFF
                              : j->error == -E2BIG ? HM_INTEL_OVER_LIMIT
                                                   : HM_INTEL_MALFORMED;
    if (j->error == -ENOMEM)
        m->f->error = j->error;
    if (!j->error || m->f->error)
        return;
    m->f->at = j->p;
    hm_feed_note(m->f, o,
                 o == HM_INTEL_CUT_OFF      ? HM_INTEL_WHY_CUT
                 : o == HM_INTEL_OVER_LIMIT ? HM_INTEL_WHY_JSON_DEPTH
                                            : HM_INTEL_WHY_JSON,
                 (struct hm_slice){0}, (struct hm_slice){0}, 0);
}

int hm_read_misp(struct hm_feed *f, struct hm_error *err)
{
    struct misp m = {.f = f};
    struct hm_buf *bufs[] = {&m.text, &m.value, &m.comment, &m.type, &m.label, &m.source};
    struct hm_json j = hm_json(f->text);
    for (size_t i = 0; i < HM_ARRAY_LEN(bufs); i++)
        *bufs[i] = HM_BUF(HM_JSON_STRING_MAX_BYTES);
    read_top(&m, &j);
    tell_end(&m, &j);
    for (size_t i = 0; i < HM_ARRAY_LEN(bufs); i++)
        hm_buf_done(bufs[i]);
    if (m.found || f->error || (!j.error && j.p - f->text.p < 64))
        return 0;
    return hm_fail(err, -EBADMSG,
                   "no MISP event: neither \"Event\", \"response\" nor \"Attribute\" (a feed's "
                   "manifest only names events)");
}
