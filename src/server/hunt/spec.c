/* The one expansion of hunt's message into a descriptor. */
#include "server/hunt/spec.h"

#define HM_MSG_DEF "server/hunt/spec.def"
#include "wire/message_descs.h"
#undef HM_MSG_DEF
