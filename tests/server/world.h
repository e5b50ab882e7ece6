/* Test helper: a server's state folder with control database, gateway journal and store, and hunts
 * run by the real worker (this test program, re-executed with -p hunt). */
#pragma once
#include "feed.h"
#include "server/core/control_core.h"
#include "server/core/parquet.h"
#include "server/hunt/hunt.h"

struct world {
    char dir[64], db[96], journal[96], store[96];
    struct hm_control *c;
    struct feed_log *log;
};

struct world *world_new(void);
void world_free(struct world *w);
struct hm_parquet *world_store(struct world *w);
void world_store_all(struct world *w); /* open, write everything, close */

struct hunt_answer {
    uint64_t rows, damaged;
    bool done;
    char error[300], next[64];
    char **lines; /* events only */
};
/* Runs one query to its end. */
void world_hunt(struct world *w, const struct hm_hunt_query *q, struct hunt_answer *ret);
void hunt_answer_done(struct hunt_answer *a);
/* Value of "name":N in a line of JSON. */
uint64_t line_u64(const char *line, const char *name);
