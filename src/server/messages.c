/* The one expansion of the server's message table into descriptors. */
#include "server/messages.h"

#define HM_MSG_DEF "server/messages.def"
#include "wire/message_descs.h"
#undef HM_MSG_DEF
