/* A state folder with a real control database, real certificates, a real gateway journal and known
 * content: what api and CLI are tested against. Filled through control's own functions, the way
 * core fills it. */
#pragma once
#include "server/core/control_core.h"

struct hm_batch_writer;
struct hm_log;
struct world {
    char dir[64]; /* the state folder */
    struct hm_control *control;
    struct hm_batch_writer *writer; /* the endpoint's journal, as the gateway stored it */
    struct hm_log *log;
    struct hm_control_first first;
    char ca_sha256[65];
    uint8_t endpoint[16], practice[16], gone[16], alert[16], old_alert[16];
};

/* Everything but the journal's events; dies loudly when it cannot. */
void world_make(struct world *w);
void world_free(struct world *w); /* deletes the folder */
/* Append batches with an event a text: its command line. */
void world_journal(struct world *w, const char *const *command_lines, size_t n);
/* What an endpoint would have reported: waits until the newest order is of that kind and requested,
 * then moves it on. */
int world_outcome(struct world *w, const char *kind, const char *state, const char *detail);
