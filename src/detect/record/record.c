/* Owns where a record's values are: names to fields by one hash, values in the order of the line,
 * lists gathered at its end. */
#include "base/map.h"
#include "detect/record/limits.h"
#include "detect/record/reader.h"
#include <errno.h>

static uint64_t name_hash(struct hm_slice s)
{
    uint64_t a = 0, b = 0;
    if (s.len >= 8) {
        memcpy(&a, s.p, 8);
        memcpy(&b, s.p + s.len - 8, 8);
    } else {
        memcpy(&a, s.p, s.len);
    }
    uint64_t h = (a ^ (b << 29 | b >> 35) ^ s.len) * UINT64_C(0x9e3779b97f4a7c15);
    if (s.len > 16)
        h ^= s.p[s.len / 2] * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

uint32_t hm_record_field(const struct hm_record *r, struct hm_slice name)
{
    uint64_t hash = name_hash(name);
    for (size_t i = hash & r->key_mask;; i = (i + 1) & r->key_mask) {
        const struct hm_key_slot *k = &r->keys[i];
        if (!k->len)
            return HM_NAME_NONE;
        if (k->hash == hash && k->len == name.len && memcmp(k->text, name.p, name.len) == 0)
            return k->id;
    }
}

static int add_names(struct hm_record *r, const struct hm_names *names)
{
    size_t bytes = 0, slots = 64;
    for (uint32_t i = 0; i < r->name_count; i++)
        bytes += strlen(hm_names_text(names, i)) + 1;
    while (slots < r->name_count * 4)
        slots *= 2;
    r->key_mask = slots - 1;
    r->keys = calloc(slots, sizeof *r->keys);
    r->key_texts = malloc(bytes + 1);
    if (!r->keys || !r->key_texts)
        return -ENOMEM;
    char *to = r->key_texts;
    for (uint32_t i = 0; i < r->name_count; i++) {
        struct hm_slice name = hm_slice_str(hm_names_text(names, i));
        if (name.len == 0)
            continue;
        memcpy(to, name.p, name.len);
        struct hm_key_slot k = {name_hash(name), i, (uint32_t)name.len, to};
        size_t at = k.hash & r->key_mask;
        while (r->keys[at].len)
            at = (at + 1) & r->key_mask;
        r->keys[at] = k;
        to += name.len;
    }
    return 0;
}

static bool set_in_line(const struct hm_record *r, uint32_t field)
{
    return field < r->name_count && r->fields[field].stamp == r->stamp;
}

static void get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    const struct hm_record *r = (const struct hm_record *)v;
    if (!set_in_line(r, field)) {
        *ret_d = (struct hm_datum){.kind = HM_DATUM_ABSENT};
        return;
    }
    const struct hm_field_slot *f = &r->fields[field];
    *ret_d = f->array ? f->list : r->nodes[f->first].datum;
}

static bool each_text(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx)
{
    const struct hm_record *r = (const struct hm_record *)v;
    for (size_t i = 0; i < r->text_count; i++)
        if (each(ctx, r->texts[i]))
            return true;
    return false;
}

struct hm_record *hm_record_new(const struct hm_names *names)
{
    struct hm_record *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->name_count = hm_names_count(names);
    r->fields = calloc(r->name_count + 1, sizeof *r->fields);
    r->present = calloc(r->name_count / 64 + 1, sizeof *r->present);
    r->path = malloc(HM_RECORD_PATH_MAX);
    if (!r->fields || !r->present || !r->path || add_names(r, names)) {
        hm_record_free(r);
        return NULL;
    }
    r->view = (struct hm_view){.get = get, .each_text = each_text, .present = r->present};
    return r;
}

void hm_record_free(struct hm_record *r)
{
    if (!r)
        return;
    free(r->fields);
    free(r->present);
    free(r->keys);
    free(r->key_texts);
    free(r->nodes);
    free(r->items);
    free(r->texts);
    free(r->lists);
    free(r->decoded);
    free(r->path);
    free(r);
}

const struct hm_view *hm_record_view(const struct hm_record *r)
{
    return &r->view;
}

void hm_record_alias(struct hm_record *r, uint32_t name, uint32_t real)
{
    if (name >= r->name_count || !set_in_line(r, real))
        return;
    r->fields[name] = r->fields[real];
    r->present[name / 64] |= UINT64_C(1) << (name % 64);
}

static int more(void *array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t bigger = *cap ? *cap * 2 : 128;
    void **a = array, *p = bigger <= HM_RECORD_VALUES_MAX ? reallocarray(*a, bigger, size) : NULL;
    if (!p)
        return bigger > HM_RECORD_VALUES_MAX ? -E2BIG : -ENOMEM;
    *a = p;
    *cap = bigger;
    return 0;
}

int hm_record_text(struct hm_record *r, struct hm_slice text)
{
    int e = more(&r->texts, &r->text_cap, r->text_count, sizeof *r->texts);
    if (!e)
        r->texts[r->text_count++] = text;
    return e;
}

static int begin_list(struct hm_record *r, uint32_t field)
{
    int e = more(&r->lists, &r->list_cap, r->list_count, sizeof *r->lists);
    if (!e)
        r->lists[r->list_count++] = field;
    return e;
}

int hm_record_put(struct hm_record *r, uint32_t field, const struct hm_datum *d, uint32_t array)
{
    struct hm_field_slot *f = &r->fields[field];
    bool goes_on = array && f->stamp == r->stamp && f->array == array;
    if (!goes_on) { /* new, or the last of several counts */
        *f = (struct hm_field_slot){
            .stamp = r->stamp, .array = array, .first = HM_NAME_NONE, .last = HM_NAME_NONE};
        r->present[field / 64] |= UINT64_C(1) << (field % 64);
        int e = array ? begin_list(r, field) : 0;
        if (e)
            return e;
    }
    if (!d)
        return 0;
    int e = more(&r->nodes, &r->node_cap, r->node_count, sizeof *r->nodes);
    if (e)
        return e;
    uint32_t at = (uint32_t)r->node_count++;
    r->nodes[at] = (struct hm_value_node){*d, HM_NAME_NONE};
    if (f->last != HM_NAME_NONE)
        r->nodes[f->last].next = at;
    else
        f->first = at;
    f->last = at;
    f->count++;
    return 0;
}
