/* One request and its answer, free of evhttp: the listener fills it on the loop, a worker carries
 * it out, the listener sends the answer. Owns its memory (one arena); refuses to know sockets.
 * Threads: belongs to one thread at a time. */
#pragma once
#include "base/text.h"
#include "server/api/args.h"
#include "server/api/jw.h"
#include "server/core/control.h"

enum hm_method {
    HM_GET = 1,
    HM_HEAD = 2,
    HM_POST = 4,
    HM_PATCH = 8,
    HM_DELETE = 16,
    HM_OTHER = 32
};

enum hm_permission {                     /* what a role may; bits */
                     HM_MAY_NOTHING = 0, /* open to everyone */
                     HM_MAY_SESSION =
                         1, /* any signed-in user, also before the one-time password is changed */
                     HM_MAY_READ = 2,
                     HM_MAY_HUNT = 4,
                     HM_MAY_TRIAGE = 8,
                     HM_MAY_RESPOND = 16,
                     HM_MAY_MANAGE = 32,
                     HM_MAY_AUDIT = 64,
};

struct hm_who {
    bool signed_in, by_cookie, must_change;
    unsigned may;
    char tenant[HM_TENANT_MAX], user[65], role[32], language[8], csrf[65];
    uint64_t expires_ms;
};

enum hm_stream_kind { HM_STREAM_NONE, HM_STREAM_CHANGES, HM_STREAM_EVENTS };
struct hm_stream_filter {
    bool has_endpoint;
    uint8_t endpoint[HM_ID_BYTES];
    uint64_t class;
    const char *q;
};

struct hm_route;
struct hm_call {
    struct hm_arena *arena;
    enum hm_method method;
    const char *path, *query; /* path decoded, query raw or NULL */
    const char *cookie, *bearer, *csrf, *origin, *host, *content_type, *last_event_id;
    const char *address; /* of the client */
    enum hm_lang lang;
    bool lang_said; /* the client named Japanese or English itself */
    struct hm_slice body;
    const struct hm_route *route;
    uint8_t id[HM_ID_BYTES]; /* {id} of the path */
    struct hm_who who;

    int status;
    const char *type;
    struct hm_buf out;
    const char *set_cookie, *allow; /* or NULL */
    unsigned retry_after_s;
    const char *poke;           /* a table core should look at, or NULL */
    const char *end_streams_of; /* a user whose streams end now, or NULL */
    enum hm_stream_kind stream; /* the answer is a stream instead */
    struct hm_stream_filter filter;
};

struct hm_call *hm_call_new(void); /* NULL: out of memory */
void hm_call_free(struct hm_call *c);
const char *hm_call_copy(struct hm_call *c, const char *s); /* into the arena; NULL stays NULL */

enum hm_problem_id {
#define P(ID, ...) HM_P_##ID,
#include "server/api/problems.def"
#undef P
    HM_P_COUNT
};
/* Answer with a problem. field and detail may be NULL. The body so far is thrown away. */
void hm_call_problem(struct hm_call *c, enum hm_problem_id id, const char *field,
                     const struct hm_text *detail);
/* The problem that fits an error of control.h. */
void hm_call_error(struct hm_call *c, int err);
enum hm_problem_id hm_problem_by_status(int status);

/* Begin a JSON answer. */
struct hm_jw hm_call_json(struct hm_call *c, int status);
void hm_call_empty(struct hm_call *c, int status);

/* Parse query or body by a table; on failure the problem is already the answer. */
bool hm_call_query(struct hm_call *c, const struct hm_param *params, size_t n, struct hm_arg *args);
bool hm_call_body(struct hm_call *c, const struct hm_param *params, size_t n, struct hm_arg *args);
