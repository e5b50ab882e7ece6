/* What every event says about who did it: process, parent, user, container. Owns which fields those
 * are; borrows every string from the table. */
#pragma once
#include "agent/engine/table.h"
#include "agent/engine/users.h"
#include "event/event.h"

/* Process, parent and user of p; parent may be NULL. Strings live as long as their processes. */
void hm_enrich_actor(struct hm_event *e, const struct hm_process *p,
                     const struct hm_process *parent, const struct hm_users *users);
/* All that is known of the process itself, as a process event says it. */
void hm_enrich_process(struct hm_event *e, const struct hm_process *p,
                       const struct hm_process *parent, const struct hm_users *users);
