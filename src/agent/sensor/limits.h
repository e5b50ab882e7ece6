/* Ceilings of the sensor, kernel side and user side, each with its reason. Plain numbers only: BPF
 * programs include this file. */
#pragma once

/* A path of the kernel is at most PATH_MAX; longer dentry chains keep their tail and say so. */
#define HM_SENSOR_PATH_MAX 4096
/* Components walked per path. 64 covers every path a distribution ships; the verifier pays for
 * more. */
#define HM_SENSOR_PATH_STEPS 64
/* Arguments that still travel in the main ring; above, the record goes to the ring of its own, so
 * that a flood of long command lines cannot blind the sensor. */
#define HM_SENSOR_ARGS_SHORT 4096
#define HM_SENSOR_ARGS_MAX   32768
/* Loader variables kept per exec; the environment is read in pieces, at most ENV_STEPS of them. */
#define HM_SENSOR_ENV_MAX   2048
#define HM_SENSOR_ENV_PIECE 512
#define HM_SENSOR_ENV_STEPS 256
#define HM_SENSOR_NAME_MAX  256 /* interpreter, cgroup leaf: NAME_MAX of the kernel plus NUL */
/* Every record fits here: fixed part, strings at their ceilings, slack for the verifier's masks. */
#define HM_SENSOR_RECORD_MAX (64 * 1024 - 1)

/* Rings. Powers of two, multiples of the page size. 8 MiB holds 26,000 records of 320 bytes: 0.35 s
 * of a 75,000/s flood with a consumer that does nothing. */
#define HM_SENSOR_RING_BYTES      (8u << 20)
#define HM_SENSOR_ARGS_RING_BYTES (2u << 20)
/* The consumer is woken at most this often; above WAKE_BYTES of backlog it is woken at once. */
#define HM_SENSOR_WAKE_NS    2000000ull
#define HM_SENSOR_WAKE_BYTES (1u << 20)
#define HM_SENSOR_IDLE_MS    250 /* safety net of the consumer's sleep */
/* Bytes of a DNS answer that are kept: what resolvers of today advertise (1,232) fits. */
#define HM_SENSOR_DNS_MAX 1280
/* Which programs already told of which rare system call (LRU: a forgotten one tells again). */
#define HM_SENSOR_RARE_TOLD_MAX 8192
/* Owners of accepted sockets, remembered for their CLOSE (LRU: the oldest is forgotten). */
#define HM_SENSOR_ACCEPTED_MAX 8192
