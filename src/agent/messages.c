/* The one expansion of the agent's message table into descriptors. */
#include "agent/messages.h"

#define HM_MSG_DEF "agent/messages.def"
#include "wire/message_descs.h"
#undef HM_MSG_DEF
