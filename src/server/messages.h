/* The server's table of requests between its own processes: structs and descriptors. */
#pragma once
#include "wire/message.h"
#define HM_MSG_DEF "server/messages.def"
#include "wire/message_structs.h"
#undef HM_MSG_DEF
