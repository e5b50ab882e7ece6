/* api_under_test: a world and the real api over it, for tests that are not written in C. Prints
 *   state DIR / port N / ca HEX / token TEXT / password TEXT
 * and serves until its input ends. Lines of input: "outcome KIND STATE JSON" reports the outcome
 * of the newest order; "event TEXT" appends an event to the journal; "changed KIND ID" is core's
 * message. */
#include "serve.h"
#include "proc/proc.h"
#include "server/messages.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void changed(struct serve *s, char *kind)
{
    char *id = strchr(kind, ' ');

    if (id)
        *id++ = 0;
    struct hm_msg_changed m = {.kind = hm_slice_str(kind),
                               .id = hm_slice_str(id ? id : ""),
                               .tenant = hm_slice_str("default")};
    if (hm_ipc_send(s->core, &hm_desc_changed, &m, NULL, 0))
        fprintf(stderr, "changed was not taken\n");
}

static void obey(struct world *w, struct serve *s, char *line)
{
    char *state, *rest;

    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "outcome ", 8) == 0 && (state = strchr(line + 8, ' ')) &&
        (rest = strchr(state + 1, ' '))) {
        *state++ = 0;
        *rest++ = 0;
        if (world_outcome(w, line + 8, state, rest))
            fprintf(stderr, "no %s order to move on\n", line + 8);
    } else if (strncmp(line, "event ", 6) == 0) {
        const char *text = line + 6;
        world_journal(w, &text, 1);
    } else if (strncmp(line, "changed ", 8) == 0) {
        changed(s, line + 8);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct world w;
    struct serve s;
    char line[4096];

    serve_maybe_worker(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    world_make(&w);
    world_journal(&w, (const char *const[]){"first"}, 1);
    serve_start(&s, &w);
    printf("state %s\nport %d\nca %s\ntoken %s\npassword %s\n", w.dir, s.port, w.ca_sha256,
           w.first.api_token, w.first.password);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(&w, &s, line);
    serve_stop(&s);
    world_free(&w);
    return 0;
}
