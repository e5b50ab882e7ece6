/* Words for a rule that brings none of ours: made of its title, techniques, tactics, log source and
 * the fields that it asks for. */
#pragma once
#include "base/arena.h"
#include "detect/ruleset.h"
#include "detect/sigma/yaml.h"

/* Fill what is still empty of r: title_ja, reason, reason_ja, advice, advice_ja. Title, techniques
 * and tactics have to be there already. Texts live in the arena.
 * Errors: -ENOMEM, -E2BIG (a text past its ceiling). Threads: reentrant. */
int hm_imported_words(struct hm_arena *a, const struct hm_yaml *doc, struct hm_rule *r) HM_CHECK;
