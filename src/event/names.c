/* The event table as data, and names to numbers and back. Names are looked up when rules and
 * queries are compiled, not per event: a walk over the rows is enough. */
#include "event/event.h"
#include "columns.inc"

/* Rows ascend: an enumerator without a value is its predecessor plus one. */
enum {
#define F(num, id, ...) LEAST_##id, NUMBER_##id = (num),
#include "event/fields.def"
#undef F
};
#define F(num, id, ...)                                                                            \
    _Static_assert(NUMBER_##id >= LEAST_##id && NUMBER_##id < 512, "fields.def ascends, below "    \
                                                                   "512");
#include "event/fields.def"
#undef F

/* clang-format off */
const struct hm_field_info hm_fields[HM_FIELD_COUNT] = {
#define F(num, id, name, type, sigma, ocsf, unit, privacy, meaning) \
    {num, HM_TYPE_##type, HM_PRIVACY_##privacy, (num) >= 16 && (num) <= 22, \
     #id, name, HM_COLUMN_##id, sigma, ocsf, unit, meaning},
#include "event/fields.def"
#undef F
};
/* clang-format on */

int hm_field_by_name(struct hm_slice json_name)
{
    for (int f = 0; f < HM_FIELD_COUNT; f++)
        if (hm_slice_eq(json_name, hm_slice_str(hm_fields[f].name)))
            return f;
    return -1;
}

static bool lists(const char *names, struct hm_slice name)
{
    while (*names) {
        size_t n = strcspn(names, " ");
        if (hm_slice_eq(hm_slice(names, n), name))
            return true;
        names += n + (names[n] == ' ');
    }
    return false;
}

/* A name may stand in several rows; the first one wins. */
int hm_field_by_sigma(struct hm_slice sigma_name)
{
    for (int f = 0; sigma_name.len && f < HM_FIELD_COUNT; f++)
        if (lists(hm_fields[f].sigma, sigma_name))
            return f;
    return -1;
}

struct name {
    uint32_t number, class;
    const char *name;
};

static const struct name classes[] = {
#define C(num, id, name, ocsf) {num, 0, name},
#include "event/classes.def"
#undef C
};

static const struct name actions[] = {
#define A(num, id, class, name) {num, HM_CLASS_##class, name},
#include "event/actions.def"
#undef A
};

static const char *name_of(const struct name *rows, size_t n, uint64_t number)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].number == number)
            return rows[i].name;
    return "unknown";
}

const char *hm_class_name(uint64_t c)
{
    return name_of(classes, HM_ARRAY_LEN(classes), c);
}

const char *hm_action_name(uint64_t a)
{
    return name_of(actions, HM_ARRAY_LEN(actions), a);
}

static uint64_t number_of(const struct name *rows, size_t n, uint64_t class, struct hm_slice name)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].class == class && hm_slice_eq(name, hm_slice_str(rows[i].name)))
            return rows[i].number;
    return 0;
}

uint64_t hm_class_by_name(struct hm_slice name)
{
    return number_of(classes, HM_ARRAY_LEN(classes), 0, name);
}

uint64_t hm_action_by_name(uint64_t class, struct hm_slice name)
{
    return number_of(actions, HM_ARRAY_LEN(actions), class, name);
}
