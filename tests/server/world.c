/* See world.h. */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct hm_control_first first;
    char path[128];
    snprintf(w->dir, sizeof w->dir, "/tmp/hinomi-store-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof path, "%s/core", w->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(w->db, sizeof w->db, "%s/core/control.db", w->dir);
    snprintf(w->store, sizeof w->store, "%s/core/store", w->dir);
    snprintf(w->journal, sizeof w->journal, "%s/journal", w->dir);
    assert_int_equal(mkdir(w->store, 0755), 0);
    assert_int_equal(mkdir(w->journal, 0755), 0);
    assert_int_equal(hm_control_init(w->db, &first, NULL), 0);
    assert_int_equal(hm_control_open(w->db, &w->c, NULL), 0);
    w->log = feed_log_open(w->journal);
    return w;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

void world_free(struct world *w)
{
    hm_control_close(w->c);
    feed_log_close(w->log);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
}

struct hm_parquet *world_store(struct world *w)
{
    struct hm_parquet_options o = {w->store, w->journal, w->db};
    struct hm_parquet *s = NULL;
    struct hm_error err = {0};
    if (hm_parquet_open(&o, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

void world_store_all(struct world *w)
{
    struct hm_parquet *s = world_store(w);
    struct hm_error err = {0};
    int r;
    do
        r = hm_parquet_step(s, UINT64_MAX, hm_control_now_ms(), true, &err);
    while (r == 1);
    if (r)
        fail_msg("%s", err.text);
    hm_parquet_close(s);
}

static void take_line(struct hunt_answer *a, const char *line)
{
    if (strncmp(line, "{\"@next\":\"", 10) == 0)
        snprintf(a->next, sizeof a->next, "%.*s", (int)strcspn(line + 10, "\""), line + 10);
    else if (strncmp(line, "{\"@damaged\":", 12) == 0)
        a->damaged++;
    else if (strncmp(line, "{\"@error\":\"", 11) == 0)
        snprintf(a->error, sizeof a->error, "%s", line + 11);
    else if (strncmp(line, "{\"@done\":true", 13) == 0)
        a->done = true;
    else {
        a->lines = realloc(a->lines, (a->rows + 1) * sizeof *a->lines);
        a->lines[a->rows++] = strdup(line);
    }
}

void world_hunt(struct world *w, const struct hm_hunt_query *q, struct hunt_answer *ret)
{
    struct hm_hunt_paths paths = {w->store, w->journal};
    struct hm_error err = {0};
    pid_t pid;
    int fd, status;
    *ret = (struct hunt_answer){0};
    int r = hm_hunt_start(w->c, &paths, q, &pid, &fd, &err);
    if (r) {
        snprintf(ret->error, sizeof ret->error, "start %d: %s", r, err.text);
        return;
    }
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    FILE *in = fdopen(fd, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, in)) > 0) {
        line[n - 1] = 0;
        take_line(ret, line);
    }
    free(line);
    fclose(in);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

void hunt_answer_done(struct hunt_answer *a)
{
    for (uint64_t i = 0; i < a->rows; i++)
        free(a->lines[i]);
    free(a->lines);
    *a = (struct hunt_answer){0};
}

uint64_t line_u64(const char *line, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *p = strstr(line, key);
    assert_non_null(p);
    return strtoull(p + strlen(key), NULL, 10);
}
