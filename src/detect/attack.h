/* ATT&CK in words for people: names of techniques and tactics in English and Japanese, and what to
 * do about a tactic when a rule itself has no advice. Knows no rule and no event. */
#pragma once
#include "base/slice.h"

struct hm_attack_technique {
    const char *id, *name, *name_ja;
};
struct hm_attack_tactic {
    const char *id, *name, *name_ja; /* id: "defense-evasion" */
    const char *advice, *advice_ja;
};
/* NULL when it is not in the table. */
const struct hm_attack_technique *hm_attack_technique(struct hm_slice id);
const struct hm_attack_tactic *hm_attack_tactic(struct hm_slice id);
