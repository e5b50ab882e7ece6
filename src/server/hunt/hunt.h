/* Questions about history. Two halves:
 *   start.c   used by api: lists the snapshot of one tenant, re-executes the worker, hands it over
 *   worker.c  `hinomi-server -p hunt`: locked-down DuckDB, one prepared SELECT, NDJSON rows
 * The snapshot is the tenant's live Parquet files plus every journal record from the store's cursor
 * on, taken in one read of the control database: what was acked is found. Refuses to know users. */
#pragma once
#include "base/error.h"
#include "server/core/control.h"
#include <sys/types.h>

#define HM_HUNT_LIMIT_MAX 5000
#define HM_HUNT_TEXT_MAX  256
#define HM_HUNT_SECONDS   20 /* the worker ends itself then */

struct hm_hunt_query { /* zero: any */
    const char *tenant;
    bool has_endpoint;
    uint8_t endpoint[HM_ID_BYTES];
    uint64_t class, action; /* classes.def, actions.def */
    uint64_t process_key;   /* the process, its children (parent.key) and what acted upon it */
    bool exact_process;     /* process.key alone */
    const char *q; /* substring, any case, of the text columns (image, command lines, paths, names,
                      domains) and IPs */
    uint64_t from_ns, to_ns; /* the column "time": from <= time < to */
    uint32_t limit;          /* 0 = 100 */
    bool oldest_first;       /* else newest first */
    const char *before;      /* "next" of the page before, or NULL */
};

struct hm_hunt_paths {   /* of this server */
    const char *store;   /* <state>/core/store */
    const char *journal; /* <state>/gateway/journal */
};

/* Start a worker. *ret_fd (nonblocking, close-on-exec) gives lines of JSON until end of file:
 *   {event}                      one an event, exactly hm_event_to_json
 *   {"@next":"…"}                more rows follow: pass it as before
 *   {"@damaged":"FILE"}          that segment could not be read; its rows are missing
 *   {"@error":"text"}            the query failed or ran out of time
 *   {"@done":true,"rows":n}      last line; without it the answer is not complete
 * The caller reads, closes and reaps *ret_pid (killing it ends the query).
 * Errors: -EINVAL query out of range; -EMFILE, -ENOMEM; control's errors. */
int hm_hunt_start(struct hm_control *c, const struct hm_hunt_paths *paths,
                  const struct hm_hunt_query *q, pid_t *ret_pid, int *ret_fd,
                  struct hm_error *err) HM_CHECK;
/* After an @damaged line: mark that segment; POKE "segments" so that core rebuilds it. */
int hm_hunt_report_damage(struct hm_control *c, const char *tenant, const char *file) HM_CHECK;

/* Role process `-p hunt`: query on stdin, rows on stdout, descriptors 3 (tenant's folder) and
 * 4 (gateway journal). Returns the exit status. */
int hm_hunt_main(int argc, char **argv);
