/* Ceilings of process separation. */
#pragma once

/* Bytes a socket between two of our processes may hold: a burst of some thousand small requests
 * fits while the other side is busy; past it the sender sees -EAGAIN and decides. */
#define HM_IPC_SOCKET_BYTES (1024 * 1024)
/* Variables a child inherits; each is a name we read ourselves or a sanitizer reads. */
#define HM_ROLE_ENV_MAX 16
