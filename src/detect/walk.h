/* The meaning of a syntax tree, read aloud: one node at a time against one event, with no index, no
 * cache and no cleverness. `explain` shows its answers; tests hold the fast matcher to them. */
#pragma once
#include "detect/ast.h"
#include "detect/view.h"

bool hm_walk(const struct hm_ast *n, const struct hm_view *v);
bool hm_walk_test(const struct hm_ast_test *t, const struct hm_view *v);
/* One pattern of an ANY_OF test; keywords: any text of the event. */
bool hm_walk_pattern(const struct hm_ast_test *t, const struct hm_pattern *p,
                     const struct hm_view *v);
