/* Owns the making of bindings: every field id of a rule set, once for each view. Knows no value. */
#include "detect/view/bindings.h"
#include <errno.h>
#include <stdlib.h>

static void (*const bind[HM_VIEW_KINDS])(struct hm_slice, struct hm_binding *) = {
    [HM_VIEW_EVENT] = hm_event_bind,
    [HM_VIEW_AUDITD] = hm_audit_bind,
    [HM_VIEW_LOG] = hm_log_bind,
};

/* One run of bytes for all names, so that the bindings need nothing of the rule set's. */
static int keep_names(struct hm_bindings *b, const struct hm_names *names)
{
    size_t bytes = 1;
    for (size_t i = 0; i < b->count; i++)
        bytes += strlen(hm_names_text(names, (uint32_t)i)) + 1;
    char *at = b->names = malloc(bytes);
    if (!at)
        return -ENOMEM;
    for (size_t i = 0; i < b->count; i++) {
        const char *name = hm_names_text(names, (uint32_t)i);
        size_t len = strlen(name) + 1;
        memcpy(at, name, len);
        for (int k = 0; k < HM_VIEW_KINDS; k++)
            b->of[k][i].key = at;
        at += len;
    }
    return 0;
}

static void set(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static void bind_all(struct hm_bindings *b, enum hm_view_kind kind)
{
    for (size_t i = 0; i < b->count; i++) {
        struct hm_binding *of = &b->of[kind][i];
        bind[kind](hm_slice_str(of->key), of);
        if (of->form == HM_FORM_NONE)
            continue;
        set(b->present[kind], i);
        b->bound[kind][b->bound_count[kind]++] = (uint32_t)i;
    }
}

static void bind_shapes(struct hm_bindings *b)
{
    for (size_t s = 0; s < hm_audit_shapes(); s++)
        for (size_t i = 0; i < b->count; i++)
            if (hm_audit_shape_has(s, &b->of[HM_VIEW_AUDITD][i]))
                set(b->shapes[s], i);
}

static bool make_room(struct hm_bindings *b)
{
    bool all = true;
    for (int k = 0; k < HM_VIEW_KINDS; k++) {
        b->of[k] = calloc(b->count + 1, sizeof *b->of[k]);
        b->present[k] = calloc(b->word_count, sizeof *b->present[k]);
        b->bound[k] = calloc(b->count + 1, sizeof *b->bound[k]);
        all = all && b->of[k] && b->present[k] && b->bound[k];
    }
    b->shapes = calloc(hm_audit_shapes(), sizeof *b->shapes);
    for (size_t s = 0; b->shapes && s < hm_audit_shapes(); s++)
        all = (b->shapes[s] = calloc(b->word_count, sizeof **b->shapes)) && all;
    b->words = hm_words_new();
    return all && b->shapes && b->words;
}

int hm_bindings_new(const struct hm_names *names, struct hm_bindings **ret_b)
{
    struct hm_bindings *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    b->count = hm_names_count(names);
    b->word_count = b->count / 64 + 1;
    if (!make_room(b) || keep_names(b, names)) {
        hm_bindings_free(b);
        return -ENOMEM;
    }
    for (int k = 0; k < HM_VIEW_KINDS; k++)
        bind_all(b, (enum hm_view_kind)k);
    bind_shapes(b);
    *ret_b = b;
    return 0;
}

void hm_bindings_free(struct hm_bindings *b)
{
    if (!b)
        return;
    for (int k = 0; k < HM_VIEW_KINDS; k++) {
        free(b->of[k]);
        free(b->present[k]);
        free(b->bound[k]);
    }
    for (size_t s = 0; b->shapes && s < hm_audit_shapes(); s++)
        free(b->shapes[s]);
    free(b->shapes);
    hm_words_free(b->words);
    free(b->names);
    free(b);
}

const uint32_t *hm_bindings_bound(const struct hm_bindings *b, enum hm_view_kind kind,
                                  size_t *ret_count)
{
    *ret_count = b->bound_count[kind];
    return b->bound[kind];
}

size_t hm_readings(const struct hm_bindings *b, enum hm_view_kind kind, const struct hm_event *e,
                   struct hm_reading ret_r[HM_READINGS_MAX])
{
    switch (kind) {
    case HM_VIEW_EVENT:
        return hm_event_readings(b, e, ret_r);
    case HM_VIEW_AUDITD:
        return hm_audit_readings(b, e, UINT64_MAX, ret_r);
    case HM_VIEW_LOG:
        return hm_log_readings(b, e, ret_r);
    case HM_VIEW_KINDS:
        break;
    }
    return 0;
}
