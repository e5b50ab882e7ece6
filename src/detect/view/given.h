/* What the Linux agent's events have (linux.def), as data. */
#pragma once
#include "event/event.h"

/* i-th action that this agent gives events of; 0: no more. */
uint64_t hm_given_action(size_t i);
/* Can an event of the action carry the field? Class, action, times and seq always. */
bool hm_given(uint64_t action, enum hm_field f);
