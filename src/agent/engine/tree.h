/* Where a suspicious tree begins: the topmost ancestor that still belongs to the attack, which is
 * what a kill of the tree would end. Table-driven; the rule is in docs/modules/engine.md. */
#pragma once
#include "agent/engine/table.h"

/* The processes from p upwards, nearest first, as far as they are known.
 * Returns how many (at least 1, at most max). Pointers live as hm_table_get's do. */
size_t hm_tree_lineage(struct hm_table *t, struct hm_process *p, struct hm_process **ret,
                       size_t max);
/* Index in that lineage of the tree's root; 0 when the tree is the process itself. */
size_t hm_tree_root(struct hm_process *const *lineage, size_t n);
/* Is p beneath root by who forked it? Dead processes between them do not cut the tree; p itself is
 * not beneath itself. */
bool hm_tree_beneath(const struct hm_table *t, const struct hm_process *p, uint64_t root);
