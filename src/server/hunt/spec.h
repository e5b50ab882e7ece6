/* The message between hunt's two halves. */
#pragma once
#include "wire/message.h"
#define HM_MSG_DEF "server/hunt/spec.def"
#include "wire/message_structs.h"
#undef HM_MSG_DEF

#define HM_HUNT_FD_STORE   3 /* the tenant's folder */
#define HM_HUNT_FD_JOURNAL 4
