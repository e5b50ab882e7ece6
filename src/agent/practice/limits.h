/* The practice world's numbers, in one place. Addresses are those reserved for documentation. */
#pragma once

#define HM_PRACTICE_ATTACKER  "198.51.100.7"
#define HM_PRACTICE_ATTACKER6 "2001:db8:51::7"
#define HM_PRACTICE_PORT      4444
#define HM_PRACTICE_SERVER    "192.0.2.1"
#define HM_PRACTICE_ENDPOINT  "192.0.2.10"
/* Drills run as this: an unprivileged user every system has, like a broken web service. */
#define HM_PRACTICE_UID 65534
#define HM_PRACTICE_GID 65534
/* A drill ends by itself after this. */
#define HM_DRILL_MAX_S 600
/* Connections the relay and the attacker hold at once. */
#define HM_RELAY_MAX 64
