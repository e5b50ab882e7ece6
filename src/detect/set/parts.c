/* Owns what each kind of event leaves of the rule set: made once, so that an event is asked only
 * what some rule can still want to know of it. Of audit records, which an event gives several of,
 * most rules mean one type only; records that no rule means are not even made. */
#include "detect/set/parts.h"
#include <errno.h>
#include <stdlib.h>

static size_t sources_of(const struct hm_ruleset *rs, uint32_t source, uint32_t list[2])
{
    const struct hm_source_key *k = &rs->keys[source];
    size_t n = 0;
    if (rs->every[k->view] && rs->every[k->view] != source)
        list[n++] = rs->every[k->view];
    list[n++] = source;
    return n;
}

static int own_form(struct hm_ruleset *rs, uint32_t source)
{
    const struct hm_bindings *b = rs->bindings;
    uint32_t list[2];
    size_t n = sources_of(rs, source, list);
    uint64_t *none = calloc(b->word_count, sizeof *none);
    struct hm_view known = {.present = none};
    int r = none ? hm_program_part_new(rs->program, list, n, &known, b->present[HM_VIEW_EVENT],
                                       &rs->parts->own[source])
                 : -ENOMEM;
    free(none);
    return r;
}

/* The record's columns, told apart by whether they are always the same. */
static void tell_apart(const struct hm_bindings *b, const struct hm_audit_event *a,
                       enum hm_audit_record record, uint64_t *known, uint64_t *varies)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct hm_binding *of = &b->of[HM_VIEW_AUDITD][i];
        uint64_t bit = UINT64_C(1) << (i % 64);
        if (!(b->shapes[record][i / 64] & bit))
            continue;
        if (hm_audit_fixed(a, record, (enum hm_column)of->field))
            known[i / 64] |= bit;
        else
            varies[i / 64] |= bit;
    }
}

static int one_record(struct hm_ruleset *rs, uint32_t source, const struct hm_event *blank,
                      enum hm_audit_record record)
{
    const struct hm_bindings *b = rs->bindings;
    struct hm_set_records *to = &rs->parts->records[source];
    struct hm_reading reading;
    uint32_t list[2];
    size_t n = sources_of(rs, source, list);
    uint64_t *known = calloc(2 * b->word_count, sizeof *known);
    if (!known)
        return -ENOMEM;
    tell_apart(b, to->event, record, known, known + b->word_count);
    hm_audit_reading(b, blank, record, &reading);
    reading.view.present = known;
    int r = hm_program_part_new(rs->program, list, n, &reading.view, known + b->word_count,
                                &to->of[record]);
    if (!r && !hm_program_part_empty(to->of[record]))
        to->wanted |= UINT64_C(1) << record;
    free(known);
    return r;
}

static int audit_records(struct hm_ruleset *rs, uint32_t source)
{
    struct hm_set_records *to = &rs->parts->records[source];
    struct hm_event *blank = calloc(1, sizeof *blank);
    int r = blank ? 0 : -ENOMEM;
    to->event = hm_audit_event_of(rs->keys[source].key);
    if (!r)
        hm_event_set_u64(blank, HM_F_ACTION, rs->keys[source].key);
    for (size_t i = 0; !r && to->event && i < to->event->count; i++)
        if (!to->of[to->event->records[i]])
            r = one_record(rs, source, blank, (enum hm_audit_record)to->event->records[i]);
    free(blank);
    return r;
}

int hm_set_parts(struct hm_ruleset *rs)
{
    struct hm_set_parts *parts = rs->parts = calloc(1, sizeof *parts);
    if (!parts)
        return -ENOMEM;
    parts->own = calloc(rs->source_count, sizeof *parts->own);
    parts->records = calloc(rs->source_count, sizeof *parts->records);
    int r = parts->own && parts->records ? 0 : -ENOMEM;
    for (uint32_t i = 1; !r && rs->routed && i < rs->source_count; i++) {
        if (rs->keys[i].view == HM_VIEW_EVENT)
            r = own_form(rs, i);
        else if (rs->keys[i].view == HM_VIEW_AUDITD && rs->keys[i].key)
            r = audit_records(rs, i);
    }
    return r;
}

void hm_set_parts_free(struct hm_ruleset *rs)
{
    struct hm_set_parts *parts = rs->parts;
    if (!parts)
        return;
    for (size_t i = 0; parts->own && i < rs->source_count; i++)
        hm_program_part_free(parts->own[i]);
    for (size_t i = 0; parts->records && i < rs->source_count; i++)
        for (int k = 0; k < HM_RECORD_COUNT; k++)
            hm_program_part_free(parts->records[i].of[k]);
    free(parts->own);
    free(parts->records);
    free(parts);
}

size_t hm_set_parts_bytes(const struct hm_ruleset *rs)
{
    const struct hm_set_parts *parts = rs->parts;
    size_t n = 0;
    for (size_t i = 0; parts && i < rs->source_count; i++) {
        n += sizeof *parts->own + sizeof *parts->records + hm_program_part_memory(parts->own[i]);
        for (int k = 0; k < HM_RECORD_COUNT; k++)
            n += hm_program_part_memory(parts->records[i].of[k]);
    }
    return n;
}
