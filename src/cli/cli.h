/* What every command of `hinomi` is given, and the exit codes that scripts rely on. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include <cjson/cJSON.h>

enum hm_exit {
    HM_EXIT_OK = 0,
    HM_EXIT_FAILED = 1,
    HM_EXIT_USAGE = 2,
    HM_EXIT_NOT_FOUND = 3,
    HM_EXIT_NOT_PERMITTED = 4, /* also: not signed in */
    HM_EXIT_UNREACHABLE = 5,
    HM_EXIT_ORDER = 6, /* refused, failed, expired, or no outcome in time */
};

struct hm_options { /* NULL, false or 0: not given */
    const char *server, *ca_sha256, *user, *endpoint, *class, *action, *process, *q, *from, *to;
    const char *state, *severity, *reason, *group, *limit, *expires, *uses, *wait, *rules;
    const char *warninglists, *title, *owner, *rule, *where;
    const char *name, *note, *publish, *soak, *kind, *url, *collection, *every, *secret_file;
    bool private_net, may_shrink;
    bool preview, json, follow, all, no_wait, no_tree, proto, markdown, help;
};

struct hm_client;
struct hm_cli {
    enum hm_lang lang;
    struct hm_options o;
    char **args; /* what is left after options */
    int argc;
    struct hm_client *client; /* connected on first use: hm_cli_client() */
};

/* ---- speaking
 * -----------------------------------------------------------------------------------*/
/* To stderr, in the user's language; returns code so that `return hm_say(…)` reads well. */
int hm_say(const struct hm_cli *c, int code, const struct hm_text *format, ...);
/* The problem a request ended with. */
int hm_say_problem(const struct hm_cli *c, int code, const cJSON *problem);

/* ---- asking (client.c, resolve.c)
 * ----------------------------------------------------------------*/
/* Every request returns an exit code; on HM_EXIT_OK *ret is the answer (cJSON_Delete; NULL for an
 * empty one). Failures have been told to the user. */
int hm_get(struct hm_cli *c, const char *path, cJSON **ret) HM_CHECK;
int hm_send(struct hm_cli *c, const char *method, const char *path, cJSON *body,
            cJSON **ret) HM_CHECK; /* frees body */
/* The raw JSON, printed readably: numbers beyond 2^53 stay as they are. */
int hm_get_print(struct hm_cli *c, const char *path) HM_CHECK;
/* Full id of an endpoint (name, id or unique start of one) or an alert (start of its id). */
/* A word of the API ("healthy", "done") as people read it; an unknown one as it is. words.c */
const char *hm_word(const struct hm_cli *c, const char *word);
int hm_resolve_endpoint(struct hm_cli *c, const char *text, char ret_id[33]) HM_CHECK;
int hm_resolve_alert(struct hm_cli *c, const char *text, char ret_id[33]) HM_CHECK;

/* ---- JSON
 * ---------------------------------------------------------------------------------------*/
const char *hm_js(const cJSON *o, const char *name); /* "" when it is no string */
double hm_jn(const cJSON *o, const char *name);      /* 0 when it is no number */
const cJSON *hm_jo(const cJSON *o, const char *name);
bool hm_jb(const cJSON *o, const char *name);
void hm_json_pretty(struct hm_slice in, struct hm_buf *out); /* indents by two, changes no value */
/* The elements of the first array "items", each as its raw JSON on a line of its own. */
void hm_json_items(struct hm_slice in, struct hm_buf *out);

/* ---- commands
 * -----------------------------------------------------------------------------------*/
int hm_cmd_login(struct hm_cli *c); /* session.c */
int hm_cmd_logout(struct hm_cli *c);
int hm_cmd_overview(struct hm_cli *c); /* list.c */
int hm_cmd_endpoints(struct hm_cli *c);
int hm_cmd_exception(struct hm_cli *c); /* exception.c */
int hm_cmd_stories(struct hm_cli *c);
int hm_cmd_alerts(struct hm_cli *c);
int hm_cmd_orders(struct hm_cli *c);
int hm_cmd_rules(struct hm_cli *c);
int hm_cmd_audit(struct hm_cli *c);
int hm_cmd_events(struct hm_cli *c); /* events.c */
int hm_cmd_alert(struct hm_cli *c);  /* alert.c */
int hm_cmd_tree(struct hm_cli *c);
int hm_cmd_timeline(struct hm_cli *c);
int hm_cmd_state(struct hm_cli *c);
int hm_cmd_kill(struct hm_cli *c); /* act.c */
int hm_cmd_isolate(struct hm_cli *c);
int hm_cmd_release(struct hm_cli *c);
int hm_cmd_drill(struct hm_cli *c);
int hm_cmd_revoke(struct hm_cli *c);
int hm_cmd_token(struct hm_cli *c); /* token.c */
int hm_cmd_yara(struct hm_cli *c);  /* yara.c */
/* Takes its words as they are: its options may come several times. sigma.c */
int hm_cmd_sigma(struct hm_cli *c, int argc, char **argv);
int hm_cmd_content(struct hm_cli *c); /* content.c */
int hm_cmd_schema(struct hm_cli *c);  /* schema.c */
int hm_cmd_intel(struct hm_cli *c);   /* intel.c */
int hm_cmd_version(struct hm_cli *c);

void hm_print_event(struct hm_cli *c, const cJSON *e); /* one line */
