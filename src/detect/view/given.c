/* See given.h. */
#include "detect/view/given.h"

#define F(id)                 HM_F_##id,
#define GIVES(action, fields) static const uint16_t of_##action[] = {fields};
#include "detect/view/linux.def"

static const struct {
    uint64_t action;
    size_t count;
    const uint16_t *fields;
} given[] = {
#define GIVES(action, fields) {HM_ACTION_##action, HM_ARRAY_LEN(of_##action), of_##action},
#include "detect/view/linux.def"
};

uint64_t hm_given_action(size_t i)
{
    return i < HM_ARRAY_LEN(given) ? given[i].action : 0;
}

bool hm_given(uint64_t action, enum hm_field f)
{
    static const uint16_t always[] = {HM_F_CLASS, HM_F_ACTION, HM_F_BOOT_NS, HM_F_WALL_NS,
                                      HM_F_SEQ};
    for (size_t i = 0; i < HM_ARRAY_LEN(always); i++)
        if (always[i] == f)
            return true;
    /* lent to the rules with every event of a known process (docs/adr/0009) */
    if (hm_fields[f].number >= hm_fields[HM_F_CONTEXT_ANCESTORS].number)
        return hm_given(action, HM_F_PROCESS_KEY);
    for (size_t i = 0; i < HM_ARRAY_LEN(given); i++)
        for (size_t k = 0; given[i].action == action && k < given[i].count; k++)
            if (given[i].fields[k] == f)
                return true;
    return false;
}
