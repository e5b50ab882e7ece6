/* What rules may ask about a process beyond its own event: its ancestors, a deceiving name, who
 * wrote its executable, root without an explanation, its tree. With these, behaviours that plain
 * Sigma cannot say are Sigma rules (docs/adr/0009, docs/modules/behaviour.md). Owns the memory of
 * recent writes; refuses to know rules. Bounded; nothing is allocated after _new. */
#pragma once
#include "agent/engine/table.h"
#include "event/event.h"

#define HM_CONTEXT_GENERATIONS 8 /* ancestors that rules can name */

struct hm_context;
struct hm_context *hm_context_new(void); /* NULL: out of memory */
void hm_context_free(struct hm_context *c);

/* Set the context fields of e, an event that p did; table finds its ancestors. They borrow from
 * c until the next call. Only for matching and evidence: e has been journalled before. */
void hm_context_fill(struct hm_context *c, struct hm_table *table, struct hm_process *p,
                     struct hm_event *e);
/* A file was made or changed (file.path, by p or NULL). */
void hm_context_wrote(struct hm_context *c, struct hm_table *table, struct hm_process *p,
                      struct hm_slice path, uint64_t boot_ns);
/* p began to run what e, its exec, says. File events come later than the ring's
 * (they wait for paths), so that a write is often told after the exec it made possible: this
 * remembers who asked meanwhile. */
void hm_context_ran(struct hm_context *c, const struct hm_process *p, const struct hm_event *e);
/* After hm_context_wrote: a process that ran that very file within the last seconds and could not
 * be told who wrote it; 0 none. Each is returned once. */
uint64_t hm_context_late(struct hm_context *c, struct hm_slice path, uint64_t boot_ns);
/* Did the ids of p change to root between two records without a setuid program? image: what it ran
 * before the record. Notes it in p; forks inherit it. */
struct hm_ids_before {
    bool known;
    uint32_t uid, euid;
};
void hm_context_gain(struct hm_process *p, const struct hm_ids_before *before, bool setuid);
