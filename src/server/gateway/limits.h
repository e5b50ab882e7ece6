/* Ceilings of the gateway, each with its reason. */
#pragma once

/* 12,000 agents a gateway, and room for those that are being replaced. */
#define HM_GATEWAY_SESSIONS_MAX 16384
/* Handshakes cost 1.5 ms each and are what a stranger can make us do: the rest waits in the
 * kernel's queue. */
#define HM_GATEWAY_HANDSHAKES_MAX 512
/* What a peer may send before it is welcomed: a HELLO or ENROLL is about 1 KiB. */
#define HM_GATEWAY_FIRST_FRAME_MAX (16 * 1024)
/* Half-received frames of all peers together; a peer that would pass it is closed. */
#define HM_GATEWAY_BUFFERED_MAX (256u * 1024 * 1024)
/* A peer that does not read its acks. */
#define HM_GATEWAY_OUT_MAX    (1024 * 1024)
#define HM_GATEWAY_READ_BYTES (64 * 1024)
/* One peer may not keep the loop for longer than these reads; then the others get their turn. */
#define HM_GATEWAY_READS_A_TURN 8

#define HM_GATEWAY_HANDSHAKE_S      10  /* to finish the handshake */
#define HM_GATEWAY_HANDSHAKE_BUSY_S 2   /* the same while no other could begin one */
#define HM_GATEWAY_HELLO_S          10  /* to say who he is */
#define HM_GATEWAY_CORE_S           20  /* for core and signer to answer */
#define HM_GATEWAY_FRAME_S          60  /* from a frame's first byte to its last: slow senders */
#define HM_GATEWAY_IDLE_S           100 /* agents ping every 30 s */
#define HM_GATEWAY_WRITE_S          60  /* output that does not move */
#define HM_GATEWAY_FULL_PING_S      20  /* while the disk is full: tells agents we are alive */

/* Messages to core that wait while it is slow; it answers thousands a second. */
#define HM_GATEWAY_CORE_QUEUE_MAX 32768
/* Endpoint, epoch, lane: two lanes for 12,000 endpoints with 20 epochs each. */
#define HM_GATEWAY_TIPS_MAX (512 * 1024)
/* Of one endpoint: a machine reset every night has its own epoch a day, for more than a year. One
 * that makes up epochs fills its own share, not the table of all. */
#define HM_GATEWAY_TIPS_EACH_MAX 1024
/* Connections of one endpoint: clones of one machine speak at once, each with an epoch. */
#define HM_GATEWAY_SESSIONS_EACH_MAX 128
/* A checkpoint of the tips after so many records: a start replays at most these. */
#define HM_GATEWAY_CHECKPOINT_RECORDS 20000
/* One fsync for all batches of this time. */
#define HM_GATEWAY_SYNC_MS 5
/* The rest of the disk is kept for control data and notices (architecture.md). */
#define HM_GATEWAY_DISK_MAX_PERCENT 95
/* A refusal of one kind is logged at once, then at most this often with its count. */
#define HM_GATEWAY_LOG_EVERY_S   60
#define HM_GATEWAY_HOST_NAME_MAX 256
#define HM_GATEWAY_TENANT_MAX    128
/* Versions of content held open: two of each tenant that is changing versions. */
#define HM_GATEWAY_BODIES_MAX 64
