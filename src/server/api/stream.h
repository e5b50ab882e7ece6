/* Server-sent events: who listens, what each may leave unread, when each must come again. Owns the
 * clients; refuses to know where events come from. Threads: the loop. */
#pragma once
#include "server/api/api.h"

struct hm_event;
struct hm_streams;
struct hm_streams *hm_streams_new(struct hm_api *api); /* NULL: out of memory */
void hm_streams_free(struct hm_streams *s);
/* Takes req over. -EBUSY: too many. */
int hm_streams_add(struct hm_streams *s, struct evhttp_request *req, struct hm_call *c) HM_CHECK;
void hm_streams_end(struct hm_streams *s, const char *tenant, const char *user);
void hm_streams_changed(struct hm_streams *s, const char *tenant, const char *kind, const char *id);
/* One live event: record and index are its place in the journal. */
void hm_streams_event(struct hm_streams *s, struct hm_slice tenant, const struct hm_event *e,
                      uint64_t record, uint64_t index);
bool hm_streams_want_events(const struct hm_streams *s);
/* Does this event pass? Exposed for tests. */
bool hm_stream_match(const struct hm_stream_filter *f, const struct hm_event *e);
