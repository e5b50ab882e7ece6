/* Ceilings of the API process, and what happens at each. Knows nothing else. */
#pragma once

#define HM_API_CONNECTIONS_MAX  512           /* then the one that keeps us waiting longest goes */
#define HM_API_HEAD_MAX         (16 * 1024)   /* request line and headers: 431 */
#define HM_API_BODY_MAX         (1024 * 1024) /* 413 */
#define HM_API_REQUEST_SECONDS  20            /* head and body must be here by then: cut */
#define HM_API_IDLE_SECONDS     60            /* a kept-alive connection without a request: cut */
#define HM_API_ANSWER_MAX       (64 * 1024 * 1024) /* 500: a list that large is a bug */
#define HM_API_ARENA_MAX        (4 * 1024 * 1024)  /* what one request may keep in memory */
#define HM_API_QUERY_MAX        16                 /* parameters of a query, members of a body */
#define HM_API_FAST_THREADS     2                  /* questions to the control database */
#define HM_API_FAST_QUEUE       256                /* 503 */
#define HM_API_HASH_THREADS     2                  /* argon2id: 64 MiB each while it runs */
#define HM_API_HASH_QUEUE       8                  /* 503 */
#define HM_API_HUNT_THREADS     2                  /* hunt workers at the same time */
#define HM_API_HUNT_QUEUE       8                  /* 503 */
#define HM_API_STREAMS_MAX      64                 /* server-sent event clients: 503 */
#define HM_API_STREAMS_PER_USER 16
#define HM_API_STREAM_QUEUE     (512 * 1024) /* unread bytes of a client: then events are left out */
#define HM_API_STREAM_STUCK_S   30           /* full for so long: cut */
#define HM_API_STREAM_LIFE_S    600 /* then the client comes again and proves its session anew */
#define HM_API_STREAM_BEAT_S    15
#define HM_API_RECENT_BYTES     (4 * 1024 * 1024) /* events kept for Last-Event-ID */
#define HM_API_FILE_CHUNK       (256 * 1024)      /* of a file on its way out, per connection */
#define HM_API_LIMITER_SLOTS    4096 /* users, addresses and pairs remembered by the rate limit */
