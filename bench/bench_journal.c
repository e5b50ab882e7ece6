/* The endpoint's journal beside SQLite in WAL mode (synchronous=FULL), same events, same disk, same
 * run: events a second until all of them are durable, bytes on disk for an event, single durable
 * appends a second, and the time to recover a full segment. */
#include "base/clock.h"
#include "codec_event.h"
#include "journal/journal.h"
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define EVENTS  400000u
#define COMMIT  250u /* events a transaction of the peer: what one batch of ours holds */
#define APPENDS 1500u

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static double seconds(void)
{
    return (double)hm_clock_mono_ns() / 1e9;
}

/* An exec like the last one but for what differs between two: ids, times, and the arguments. */
static void make_event(struct hm_event *e, uint64_t i, char line[200])
{
    hm_event_clear(e);
#define N(field, name, value) hm_event_set_u64(e, HM_F_##field, value);
#define S(field, name, text)  hm_event_set(e, HM_F_##field, hm_slice(text, sizeof(text) - 1));
    BENCH_FIELDS(N, S)
#undef N
#undef S
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    int n = snprintf(line, 200, BENCH_CMDLINE " --job=%llu --key=%016llx", (unsigned long long)i,
                     (unsigned long long)x);
    hm_event_set(e, HM_F_PROCESS_COMMAND_LINE, hm_slice(line, (size_t)n));
    hm_event_set_u64(e, HM_F_PROCESS_KEY, x ^ x >> 29);
    hm_event_set_u64(e, HM_F_PROCESS_PID, 1000 + i % 30000);
    hm_event_set_u64(e, HM_F_BOOT_NS, UINT64_C(86400000000000) + i * 13007);
    hm_event_set_u64(e, HM_F_WALL_NS, UINT64_C(1763762400000000000) + i * 13007);
    hm_event_set_u64(e, HM_F_PROCESS_START_NS, UINT64_C(86400000000000) + i * 13003);
}

static uint64_t bytes_below;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *f)
{
    bytes_below += type == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}

static uint64_t size_of(const char *path)
{
    bytes_below = 0;
    nftw(path, add_size, 16, FTW_PHYS);
    return bytes_below;
}

struct result {
    double events_per_s, bytes_per_event, appends_per_s, recover_ms;
};

/* --- ours ------------------------------------------------------------------------------------ */

static void our_events(const char *dir, struct result *r)
{
    struct hm_journal_options o = {.boot = 1};
    struct hm_journal *j = NULL;
    static struct hm_event e;
    char line[200];

    MUST(hm_journal_open(dir, &o, &j, NULL, NULL) == 0);
    double from = seconds();
    for (uint64_t i = 0; i < EVENTS; i++) {
        make_event(&e, i, line);
        MUST(hm_journal_put(j, HM_LANE_BULK, &e) == 0);
        if (i % 10000 == 0)
            MUST(hm_journal_tick(j, hm_clock_mono_ns(), 30000) >= 0);
    }
    hm_journal_close(j); /* closes the last batch and syncs */
    r->events_per_s = EVENTS / (seconds() - from);
    r->bytes_per_event = (double)size_of(dir) / EVENTS;
}

static void our_appends(const char *dir, struct hm_slice event, struct result *r)
{
    struct hm_log *l = NULL;

    MUST(hm_log_open(dir, NULL, &l, NULL, NULL) == 0);
    double from = seconds();
    for (uint32_t i = 0; i < APPENDS; i++)
        MUST(hm_log_append(l, event, NULL) == 0 && hm_log_sync(l) == 0);
    r->appends_per_s = APPENDS / (seconds() - from);
    for (size_t left = (16u << 20) / (event.len + 8) - APPENDS; left > 1; left--)
        MUST(hm_log_append(l, event, NULL) == 0);
    hm_log_close(l);
    from = seconds();
    MUST(hm_log_open(dir, NULL, &l, NULL, NULL) == 0);
    r->recover_ms = (seconds() - from) * 1000;
    hm_log_close(l);
}

/* --- the peer -------------------------------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
{
    MUST(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3 *peer_open(const char *file, sqlite3_stmt **ret_insert)
{
    sqlite3 *db = NULL;

    MUST(sqlite3_open(file, &db) == SQLITE_OK);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, "PRAGMA synchronous=FULL");
    run(db, "CREATE TABLE event (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)");
    MUST(sqlite3_prepare_v2(db, "INSERT INTO event (body) VALUES (?)", -1, ret_insert, NULL) ==
         SQLITE_OK);
    return db;
}

static void peer_insert(sqlite3_stmt *s, struct hm_slice event)
{
    MUST(sqlite3_bind_blob(s, 1, event.p, (int)event.len, SQLITE_STATIC) == SQLITE_OK);
    MUST(sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK);
}

static void peer_events(const char *file, struct result *r)
{
    sqlite3_stmt *insert;
    sqlite3 *db = peer_open(file, &insert);
    struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES);
    static struct hm_event e;
    char line[200];

    double from = seconds();
    for (uint64_t i = 0; i < EVENTS; i++) {
        if (i % COMMIT == 0)
            run(db, "BEGIN");
        make_event(&e, i, line);
        hm_buf_clear(&b);
        hm_event_encode(&e, &b);
        peer_insert(insert, hm_buf_slice(&b));
        if (i % COMMIT == COMMIT - 1)
            run(db, "COMMIT");
    }
    sqlite3_finalize(insert);
    MUST(sqlite3_close(db) == SQLITE_OK); /* and the checkpoint: its file is complete */
    r->events_per_s = EVENTS / (seconds() - from);
    r->bytes_per_event = (double)size_of(file) / EVENTS;
    hm_buf_done(&b);
}

static void peer_appends(const char *file, struct hm_slice event, struct result *r)
{
    sqlite3_stmt *insert;
    sqlite3 *db = peer_open(file, &insert);

    double from = seconds();
    for (uint32_t i = 0; i < APPENDS; i++)
        peer_insert(insert, event); /* a transaction each */
    r->appends_per_s = APPENDS / (seconds() - from);
    sqlite3_finalize(insert);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

static void line(const char *metric, double value, const char *unit, const char *better,
                 double peer)
{
    printf(
        "{\"bench\":\"journal\",\"metric\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"better\":\"%s\","
        "\"peer\":\"sqlite-wal\",\"peer_value\":%.1f}\n",
        metric, value, unit, better, peer);
}

int main(int argc, char **argv)
{
    struct result ours = {0}, peer = {0};
    struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES);
    static struct hm_event e;
    char text[200], path[4][500];

    MUST(argc == 2); /* a folder on the disk in question */
    static const char *const names[] = {"journal", "log", "peer.db", "peer-append.db"};
    for (int i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", argv[1], names[i]);
    make_event(&e, 1, text);
    hm_event_encode(&e, &b);
    our_events(path[0], &ours);
    peer_events(path[2], &peer);
    our_appends(path[1], hm_buf_slice(&b), &ours);
    peer_appends(path[3], hm_buf_slice(&b), &peer);
    line("events_per_s", ours.events_per_s, "1/s", "higher", peer.events_per_s);
    line("bytes_per_event", ours.bytes_per_event, "B", "lower", peer.bytes_per_event);
    line("durable_appends_per_s", ours.appends_per_s, "1/s", "higher", peer.appends_per_s);
    printf("{\"bench\":\"journal\",\"metric\":\"recover_16_mib_ms\",\"value\":%.1f,\"unit\":\"ms\","
           "\"better\":\"lower\",\"peer\":null,\"peer_value\":null}\n",
           ours.recover_ms);
    hm_buf_done(&b);
    return 0;
}
