/* Every path of the API, who may, and which queue carries it out: one table. */
#pragma once
#include "server/api/shared.h"

enum hm_pool_kind { HM_POOL_FAST, HM_POOL_HASH, HM_POOL_HUNT, HM_POOL_COUNT };

struct hm_route {
    enum hm_method method;
    const char *pattern;
    unsigned need; /* HM_MAY_*; 0: everyone */
    enum hm_pool_kind pool;
    void (*handle)(struct hm_worker *w, struct hm_call *c);
};
extern const struct hm_route hm_routes[];
extern const size_t hm_route_count;

/* Set c->route and c->id from c->path and c->method. On failure the problem (404, 405 with Allow)
 * is the answer. */
bool hm_route_find(struct hm_call *c);
/* Carry out: authentication, CSRF, permission, handler. The only way to a handler. */
void hm_route_run(struct hm_worker *w, struct hm_call *c);

/* handlers, by file */
void hm_handle_sign_in(struct hm_worker *w, struct hm_call *c); /* handle_session.c */
void hm_handle_session(struct hm_worker *w, struct hm_call *c);
void hm_handle_sign_out(struct hm_worker *w, struct hm_call *c);
void hm_handle_password(struct hm_worker *w, struct hm_call *c);
void hm_handle_overview(struct hm_worker *w, struct hm_call *c); /* handle_overview.c */
void hm_handle_stream(struct hm_worker *w, struct hm_call *c);
void hm_handle_event_stream(struct hm_worker *w, struct hm_call *c);
void hm_handle_endpoints(struct hm_worker *w, struct hm_call *c); /* handle_endpoint.c */
void hm_handle_endpoint(struct hm_worker *w, struct hm_call *c);
void hm_handle_endpoint_edit(struct hm_worker *w, struct hm_call *c);
void hm_handle_endpoint_revoke(struct hm_worker *w, struct hm_call *c);
void hm_handle_events(struct hm_worker *w, struct hm_call *c); /* handle_event.c */
void hm_handle_alerts(struct hm_worker *w, struct hm_call *c); /* handle_alert.c */
void hm_handle_alert(struct hm_worker *w, struct hm_call *c);
void hm_handle_alert_edit(struct hm_worker *w, struct hm_call *c);
void hm_handle_alert_tree(struct hm_worker *w, struct hm_call *c); /* handle_tree.c */
void hm_handle_alert_timeline(struct hm_worker *w, struct hm_call *c);
void hm_handle_stories(struct hm_worker *w, struct hm_call *c); /* handle_story.c */
void hm_handle_story(struct hm_worker *w, struct hm_call *c);
void hm_handle_exceptions(struct hm_worker *w, struct hm_call *c); /* handle_exception.c */
void hm_handle_exception_new(struct hm_worker *w, struct hm_call *c);
void hm_handle_exception_preview(struct hm_worker *w, struct hm_call *c);
void hm_handle_exception_end(struct hm_worker *w, struct hm_call *c);
void hm_handle_orders(struct hm_worker *w, struct hm_call *c); /* handle_order.c */
void hm_handle_order(struct hm_worker *w, struct hm_call *c);
void hm_handle_order_new(struct hm_worker *w, struct hm_call *c);
void hm_handle_drill(struct hm_worker *w, struct hm_call *c);
void hm_handle_tokens(struct hm_worker *w, struct hm_call *c); /* handle_token.c */
void hm_handle_token_new(struct hm_worker *w, struct hm_call *c);
void hm_handle_token_revoke(struct hm_worker *w, struct hm_call *c);
void hm_handle_rules(struct hm_worker *w, struct hm_call *c);   /* handle_rules.c */
void hm_handle_audit(struct hm_worker *w, struct hm_call *c);   /* handle_audit.c */
void hm_handle_content(struct hm_worker *w, struct hm_call *c); /* handle_content.c */
void hm_handle_content_endpoints(struct hm_worker *w, struct hm_call *c);
void hm_handle_content_version(struct hm_worker *w, struct hm_call *c);
void hm_handle_import_new(struct hm_worker *w, struct hm_call *c);
void hm_handle_import_data(struct hm_worker *w, struct hm_call *c);
void hm_handle_import_finish(struct hm_worker *w, struct hm_call *c);
void hm_handle_import(struct hm_worker *w, struct hm_call *c);
void hm_handle_sources(struct hm_worker *w, struct hm_call *c); /* handle_source.c */
void hm_handle_source_set(struct hm_worker *w, struct hm_call *c);
void hm_handle_source_pull(struct hm_worker *w, struct hm_call *c);
void hm_handle_source_remove(struct hm_worker *w, struct hm_call *c);
void hm_handle_publish(struct hm_worker *w, struct hm_call *c);
void hm_handle_rollback(struct hm_worker *w, struct hm_call *c);
void hm_handle_rings(struct hm_worker *w, struct hm_call *c);
void hm_handle_bundle(struct hm_worker *w, struct hm_call *c);
void hm_handle_trust(struct hm_worker *w, struct hm_call *c);
void hm_handle_trust_add(struct hm_worker *w, struct hm_call *c);
void hm_handle_trust_remove(struct hm_worker *w, struct hm_call *c);

/* shared by handlers */
const char *hm_severity_name(uint64_t severity); /* OCSF 1..5 */
/* The members of an alert; the caller opens and closes the object. */
void hm_write_alert(struct hm_jw *j, const struct hm_alert_row *r);
void hm_write_orders(struct hm_worker *w, struct hm_call *c, struct hm_jw *j, const char *key,
                     const uint8_t *endpoint, const uint8_t *alert, uint32_t limit);
/* {complete, journal_lag, losses, notes} */
int hm_write_completeness(struct hm_worker *w, struct hm_call *c, struct hm_jw *j, uint64_t losses,
                          const struct hm_text *notes, size_t note_count) HM_CHECK;
uint64_t hm_journal_lag(const struct hm_worker *w, const struct hm_completeness *done);
