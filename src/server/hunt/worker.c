/* The worker's half of a hunt: one process, one query, then the end. It holds two folders, has no
 * network, may not execute, and the kernel ends it when it takes too long or too much. Everything
 * it reads was written by endpoints, so what DuckDB can be made to do stays in here. */
#include "server/hunt/hunt.h"
#include "base/log.h"
#include "journal/journal.h"
#include "proc/proc.h"
#include "server/core/columns.h"
#include "server/core/limits.h"
#include "server/core/record.h"
#include "server/hunt/query.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES (4u << 20) /* an alert with all its evidence as JSON */
#define OUT_BYTES      (64 * 1024)

struct worker {
    struct hm_buf input, line, text;
    struct hm_msg_hunt_spec m;
    struct hm_hunt_files files;
    struct hm_duck_db db;
    struct hm_rows tail;
    struct hm_log_reader *reader;
    uint64_t rows;
    char next[64];
};

/* ---- answer ---- */
static void put_line(struct worker *w)
{
    hm_buf_put_u8(&w->line, '\n');
    if (!w->line.error)
        fwrite(w->line.data, 1, w->line.len, stdout);
    hm_buf_clear(&w->line);
}

static void say(struct worker *w, const char *name, struct hm_slice text)
{
    hm_buf_clear(&w->line);
    hm_buf_printf(&w->line, "{\"@%s\":\"", name);
    hm_json_escape(text, &w->line);
    hm_buf_puts(&w->line, "\"}");
    put_line(w);
}

/* ---- the journal's part that is in no file yet ---- */
static int tail_begin(void *ctx)
{
    struct worker *w = ctx;
    int r = hm_log_reader_seek(w->reader, w->m.first_record);
    return r == -ENOENT ? 0 : r;
}

static int tail_next(void *ctx, struct hm_gateway_record *ret_r, uint64_t *ret_number)
{
    struct worker *w = ctx;
    for (;;) {
        struct hm_slice data;
        int r = hm_log_reader_next(w->reader, ret_number, &data);
        if (r == -EBADMSG)
            continue; /* the reader stands after the damage; the store reports it */
        if (r <= 0)
            return r;
        if (*ret_number >= w->m.first_record && hm_gateway_record_decode(data, ret_r) == 0 &&
            hm_slice_eq(ret_r->tenant, w->m.tenant))
            return 1;
    }
}

/* ---- locking in ---- */
static int limit(int what, uint64_t value)
{
    struct rlimit l;
    if (getrlimit(what, &l) < 0)
        return -errno;
    if (l.rlim_max > value) /* api's own hard limits may be lower already */
        l.rlim_max = value;
    l.rlim_cur = l.rlim_max;
    return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int lock_in(struct hm_error *err)
{
    struct hm_sandbox_path paths[2];
    struct stat st;
    size_t n = 0;
    int abi = 0, r = 0;
#ifndef __SANITIZE_ADDRESS__ /* whose shadow alone is larger */
    r = limit(RLIMIT_AS, (uint64_t)HM_HUNT_ADDRESS_MIB << 20);
#endif
    if (!r)
        r = limit(RLIMIT_CPU, 2 * HM_HUNT_SECONDS);
    if (!r)
        r = limit(RLIMIT_CORE, 0);
    if (!r && prctl(PR_SET_DUMPABLE, 0) < 0)
        r = -errno;
    if (r)
        return hm_fail(err, r, "limits: %s", strerror(-r));
    if (fstat(HM_HUNT_FD_STORE, &st) == 0 && S_ISDIR(st.st_mode))
        paths[n++] = (struct hm_sandbox_path){HM_HUNT_FD_STORE, false};
    paths[n++] = (struct hm_sandbox_path){HM_HUNT_FD_JOURNAL, false};
    r = hm_sandbox_files(paths, n, false, &abi, err);
    if (!r && abi == 0)
        hm_debug("this kernel has no Landlock: system calls are filtered all the same");
    return r ? r : hm_sandbox_syscalls(false, err);
}

static int open_database(struct worker *w, const struct hm_duck *d, struct hm_error *err)
{
    char folder[32];
    snprintf(folder, sizeof folder, "/proc/self/fd/%d", HM_HUNT_FD_STORE);
    struct hm_duck_options o = {folder, HM_HUNT_MEMORY_MIB, HM_HUNT_THREADS};
    int r = hm_duck_open(d, &o, &w->db, err);
    w->tail = (struct hm_rows){.begin = tail_begin, .next = tail_next, .ctx = w};
    if (!r)
        r = hm_columns_register(&w->db, "hm_tail", &w->tail, err);
    return r ? r : hm_duck_lock(&w->db, &o, err);
}

/* ---- the query ---- */
static void put_row(struct worker *w, duckdb_data_chunk chunk, uint64_t row)
{
    struct hm_event e;
    hm_columns_event(w->db.d, chunk, row, &w->text, &e);
    hm_buf_clear(&w->line);
    hm_event_to_json(&e, &w->line);
    if (w->line.error) /* absurdly large: named instead of dropped without a word */
        say(w, "error", hm_slice_str("an event is too large to show"));
    else
        put_line(w);
    snprintf(w->next, sizeof w->next, "%" PRIx64 "-%" PRIx64 "-%" PRIx64,
             hm_event_u64(&e, HM_F_WALL_NS), hm_event_u64(&e, HM_F_EPOCH),
             hm_event_u64(&e, HM_F_SEQ));
}

static void put_rows(struct worker *w, duckdb_result result)
{
    const struct hm_duck *d = w->db.d;
    bool more = false;
    duckdb_data_chunk chunk;
    while (!more && (chunk = d->fetch_chunk(result))) {
        uint64_t n = d->data_chunk_get_size(chunk);
        for (uint64_t i = 0; i < n && !more; i++) {
            more = w->rows == w->m.limit;
            if (!more) {
                put_row(w, chunk, i);
                w->rows++;
            }
        }
        d->destroy_data_chunk(&chunk);
    }
    if (more)
        say(w, "next", hm_slice_str(w->next));
}

static int query(struct worker *w, const struct hm_hunt_files *f, bool print, struct hm_error *err)
{
    duckdb_result result = {0};
    uint64_t edge = 0;
    bool any;
    int r = hm_hunt_edge(&w->db, &w->m, f, &edge, &any, err);
    if (r || !any)
        return r;
    r = hm_hunt_rows(&w->db, &w->m, f, edge, &result, err);
    if (r)
        return r;
    if (print)
        put_rows(w, result);
    w->db.d->destroy_result(&result);
    return 0;
}

/* Some file cannot be read: find which, name them, answer from the rest. */
static int query_without_damaged(struct worker *w, struct hm_error *err)
{
    struct hm_hunt_files good = {calloc(w->files.count + 1, sizeof(struct hm_slice)), 0};
    if (!good.names)
        return -ENOMEM;
    for (size_t i = 0; i < w->files.count; i++) {
        struct hm_hunt_files one = {&w->files.names[i], 1};
        if (query(w, &one, false, NULL) == 0)
            good.names[good.count++] = w->files.names[i];
        else
            say(w, "damaged", w->files.names[i]);
    }
    int r = good.count == w->files.count ? -EIO : query(w, &good, true, err);
    free(good.names);
    return r;
}

static int answer(struct worker *w, struct hm_error *err)
{
    int r = query(w, &w->files, true, err);
    return r && w->files.count ? query_without_damaged(w, err) : r;
}

/* ---- the start ---- */
static int read_spec(struct worker *w, struct hm_error *err)
{
    ssize_t n;
    do {
        uint8_t *p = hm_buf_extend(&w->input, OUT_BYTES);
        if (!p)
            return hm_fail(err, w->input.error, "the query is too long");
        n = read(STDIN_FILENO, p, OUT_BYTES);
        w->input.len -= OUT_BYTES - (n > 0 ? (size_t)n : 0);
    } while (n > 0);
    int r = hm_msg_decode(&hm_desc_hunt_spec, hm_buf_slice(&w->input), &w->m);
    if (!r && (!hm_tenant_valid(w->m.tenant) || w->m.limit < 1 || w->m.limit > HM_HUNT_LIMIT_MAX ||
               (w->m.endpoint.len && w->m.endpoint.len != HM_ID_BYTES)))
        r = -EBADMSG;
    if (!r)
        r = hm_hunt_files_parse(w->m.files, &w->files);
    return r ? hm_fail(err, r, "malformed query") : 0;
}

static void *watch(void *arg)
{
    const struct hm_duck_db *db = arg;
    sleep(HM_HUNT_SECONDS - 2);
    db->d->interrupt(db->con); /* ends as an error with words */
    sleep(2);
    _exit(3);
}

static int work(struct worker *w, struct hm_error *err)
{
    const struct hm_duck *d;
    pthread_t t;
    int r = read_spec(w, err);
    if (!r)
        r = hm_duck_load(&d, err); /* before the walls go up: it is a file like any other */
    if (!r)
        r = hm_log_reader_open_at(HM_HUNT_FD_JOURNAL, &w->reader);
    if (!r)
        r = lock_in(err); /* before DuckDB has threads: they inherit it */
    if (!r)
        r = open_database(w, d, err);
    if (!r && (pthread_create(&t, NULL, watch, &w->db) != 0 || pthread_detach(t) != 0))
        r = -EAGAIN;
    return r ? r : answer(w, err);
}

int hm_hunt_main(int argc, char **argv)
{
    struct worker w = {.input = HM_BUF(HM_HUNT_SPEC_BYTES),
                       .line = HM_BUF(LINE_MAX_BYTES),
                       .text = HM_BUF(3 * HM_EVENT_MAX_BYTES)};
    struct hm_error err = {0};
    (void)argc;
    (void)argv;
    hm_log_init("hunt", STDERR_FILENO);
    int r = work(&w, &err);
    if (r) {
        hm_warn("%s", err.text[0] ? err.text : strerror(-r));
        say(&w, "error", hm_slice_str(err.text[0] ? err.text : strerror(-r)));
    } else {
        hm_buf_clear(&w.line);
        hm_buf_printf(&w.line, "{\"@done\":true,\"rows\":%" PRIu64 "}", w.rows);
        put_line(&w);
    }
    fflush(stdout);
    _exit(r ? 1 : 0); /* one query, one process: the kernel frees faster than we do */
}
