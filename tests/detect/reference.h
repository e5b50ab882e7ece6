/* What a condition means, said as plainly as possible: the tree is walked, each pattern asked. Slow
 * and obvious; the matcher has to agree with it (test_match.c, test_corpus.c). */
#pragma once
#include "detect/ast.h"
#include "detect/view.h"

bool reference_match(const struct hm_ast *a, const struct hm_view *v);
