/* A stream of events from a real journal through the real uplink and the real gateway, while both
 * are killed with SIGKILL again and again: every event is stored, once. */
#include "harness.h"

#include "agent/messages.h"
#include "agent/roles.h"
#include "agent/uplink/shipper.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "server/record.h"
#include "server/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define EVENTS 120000
#define KILLS  8

struct agent {
    struct world *w;
    struct identity id;
    char journal[160];
    struct hm_journal *j;
    pid_t uplink;
    int pidfd, sock; /* to the uplink, as its monitor */
    int engine[2];   /* [0] ours, [1] the uplink's */
    uint64_t orders, times, ups, downs, forked;
    uint64_t written;
};

static void write_pem(const char *path, const struct identity *id)
{
    X509 *certs[] = {id->cert};
    char name[256];
    snprintf(name, sizeof name, "%s/endpoint.key", path);
    assert_int_equal(hm_pki_write_key(name, id->key), 0);
    snprintf(name, sizeof name, "%s/endpoint.crt", path);
    assert_int_equal(hm_pki_write_certs(name, certs, 1), 0);
}

/* As monitor makes it: the engine writes, the uplink's group reads. */
static void journal_make(struct agent *a)
{
    struct hm_journal_options o = {.boot = 7, .quota_bytes = 512u << 20};
    struct hm_log_damage damage[HM_LANE_COUNT];
    struct hm_error err = {0};

    snprintf(a->journal, sizeof a->journal, "%s/journal", a->w->dir);
    assert_int_equal(mkdir(a->journal, 0750), 0);
    assert_int_equal(chown(a->journal, 0, (gid_t)hm_role_uid(&hm_agent_roles[HM_AGENT_UPLINK])), 0);
    assert_int_equal(chmod(a->journal, 02750), 0);
    memcpy(o.endpoint, a->id.id, 16);
    if (hm_journal_open(a->journal, &o, &a->j, damage, &err))
        fail_msg("journal: %s", err.text);
}

static void uplink_start(struct agent *a)
{
    char path[256], server[64];
    int fds[5];
    struct hm_msg_nonce nonce = {.nonce = hm_slice_str("0123456789abcdef")};

    assert_int_equal(
        hm_role_spawn(&hm_agent_roles[HM_AGENT_UPLINK], &a->uplink, &a->pidfd, &a->sock, NULL), 0);
    const char *names[] = {"endpoint.key", "endpoint.crt", "server/signer/ca.crt", "journal"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", a->w->dir, names[i]);
        fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    fds[4] = a->engine[1];
    snprintf(server, sizeof server, "localhost:%d",
             a->w->port); /* through the resolver, locked in */
    struct hm_msg_uplink_start m = {.server = hm_slice_str(server),
                                    .endpoint = hm_slice(a->id.id, 16),
                                    .agent_version = hm_slice_str("test"),
                                    .boot = 7,
                                    .host_name = hm_slice_str("stream"),
                                    .os = hm_slice_str("Debian"),
                                    .kernel = hm_slice_str("6.1")};
    assert_int_equal(hm_ipc_send(a->sock, &hm_desc_uplink_start, &m, fds, 5), 0);
    assert_int_equal(hm_ipc_send(a->sock, &hm_desc_nonce, &nonce, NULL, 0), 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void uplink_stop(struct agent *a, bool kill_it)
{
    siginfo_t si = {0};

    if (kill_it)
        kill(a->uplink, SIGKILL);
    else
        shutdown(a->sock, SHUT_RDWR);
    waitid(P_PID, (id_t)a->uplink, &si, WEXITED);
    if (!kill_it)
        assert_int_equal(si.si_code == CLD_EXITED ? si.si_status : -1, 0);
    close(a->sock);
    close(a->pidfd);
}

/* What monitor and engine do with what the uplink says. */
static void hear(struct agent *a)
{
    struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;

    while (hm_ipc_recv(a->sock, &buf, &m) > 0) {
        struct hm_msg_link_state s;
        a->orders += m.number == HM_MSG_GOT_ORDER;
        a->times += m.number == HM_MSG_GOT_TIME;
        if (m.number == HM_MSG_LINK_STATE && !hm_msg_decode(&hm_desc_link_state, m.payload, &s)) {
            a->ups += s.up != 0;
            a->downs += s.up == 0;
        }
    }
    while (hm_ipc_recv(a->engine[0], &buf, &m) > 0) {
        struct hm_msg_acked k;
        struct hm_msg_forked f;
        if (m.number == HM_MSG_ACKED && !hm_msg_decode(&hm_desc_acked, m.payload, &k) &&
            k.epoch == hm_journal_epoch(a->j))
            hm_journal_acked(a->j, (enum hm_lane)k.lane, k.next);
        if (m.number == HM_MSG_FORKED && !hm_msg_decode(&hm_desc_forked, m.payload, &f) &&
            f.epoch == hm_journal_epoch(a->j)) {
            a->forked++;
            assert_int_equal(hm_journal_new_epoch(a->j), 0);
        }
    }
    hm_buf_done(&buf);
}

/* One event in a hundred is an alert; each carries its number. */
static void put_events(struct agent *a, int n)
{
    struct hm_event e;
    char text[200];

    for (int i = 0; i < n; i++) {
        hm_event_clear(&e);
        hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
        hm_event_set_u64(&e, HM_F_WALL_NS, hm_clock_wall_ns());
        hm_event_set_u64(&e, HM_F_PROCESS_PID, ++a->written);
        snprintf(text, sizeof text, "event %llu of a stream that is long enough to fill batches %d",
                 (unsigned long long)a->written, rand());
        hm_event_set(&e, HM_F_AGENT_DETAIL, hm_slice_str(text));
        enum hm_lane lane = a->written % 500 == 0 ? HM_LANE_ALERT : HM_LANE_BULK;
        assert_int_equal(hm_journal_put(a->j, lane, &e), 0);
    }
    (void)!hm_journal_tick(a->j, hm_clock_mono_ns(), 200);
    struct hm_msg_durable d = {.epoch = hm_journal_epoch(a->j),
                               .bulk = hm_journal_durable(a->j, HM_LANE_BULK),
                               .alert = hm_journal_durable(a->j, HM_LANE_ALERT)};
    if (hm_ipc_send(a->engine[0], &hm_desc_durable, &d, NULL, 0))
        hm_debug("the uplink is behind: it looks by itself");
}

struct seen {
    uint8_t *count; /* by number */
    uint64_t total, twice, seq_twice, alerts;
    struct hm_map *seqs;
};

static int see(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct seen *s = ctx;
    uint64_t n = hm_event_u64(e, HM_F_PROCESS_PID);
    int inserted = 0;

    (void)canonical;
    if (n == 0 || n > EVENTS)
        return -EBADMSG;
    s->total++;
    s->twice += s->count[n]++ > 0;
    s->alerts += hm_event_u64(e, HM_F_SEQ) & 1;
    if (hm_map_put(s->seqs, hm_event_u64(e, HM_F_SEQ), &inserted) && !inserted)
        s->seq_twice++;
    return 0;
}

static void count_journal(struct world *w, struct seen *s)
{
    char dir[256];
    struct hm_log_reader *r;
    struct hm_slice record;
    uint64_t number;
    struct hm_buf raw = HM_BUF(4u << 20);

    s->total = s->twice = s->seq_twice = s->alerts = 0;
    memset(s->count, 0, EVENTS + 1);
    hm_map_free(s->seqs);
    s->seqs = hm_map_new(1, 4 * EVENTS);
    snprintf(dir, sizeof dir, "%s/gateway/journal", w->state);
    assert_int_equal(hm_log_reader_open(dir, &r, NULL), 0);
    while (hm_log_reader_next(r, &number, &record) == 1) {
        struct hm_gateway_record rec;
        assert_int_equal(hm_gateway_record_decode(record, &rec), 0);
        assert_true(hm_slice_eq(rec.host_name, hm_slice_str("stream")));
        hm_buf_clear(&raw);
        assert_int_equal(hm_batch_each(rec.batch, &raw, see, s), 0);
    }
    hm_log_reader_close(r);
    hm_buf_done(&raw);
}

static void every_event_is_stored_once_whoever_is_killed(void **state)
{
    struct world w;
    struct agent a = {.w = &w};
    struct seen s = {.count = calloc(1, EVENTS + 1)};

    (void)state;
    assert_int_equal(world_make(&w, 0), 0);
    identity_make(w.ca_key, w.ca, 0x44, &a.id);
    write_pem(w.dir, &a.id);
    journal_make(&a);
    assert_int_equal(hm_ipc_pair(a.engine), 0);
    uplink_start(&a);

    uint64_t begin = hm_clock_mono_ns();
    int kills = 0;
    while (a.written < EVENTS) {
        put_events(&a, 300);
        hear(&a);
        usleep(12000);
        if (a.written > (uint64_t)(kills + 1) * EVENTS / (KILLS + 1)) {
            if (kills % 4 == 3) { /* one in four: the uplink; else the gateway */
                uplink_stop(&a, true);
                uplink_start(&a);
            } else {
                gateway_stop(&w, true);
                assert_int_equal(gateway_start(&w), 0);
            }
            kills++;
        }
    }
    assert_int_equal(kills, KILLS);
    for (int i = 0; i < 600; i++) { /* at most a minute until all is there */
        put_events(&a, 0);
        hear(&a);
        count_journal(&w, &s);
        if (s.total >= EVENTS)
            break;
        usleep(100000);
    }
    print_message("%llu events, %d kills, %.1f s; welcomed %llu times\n",
                  (unsigned long long)s.total, kills, (double)(hm_clock_mono_ns() - begin) / 1e9,
                  (unsigned long long)a.times);
    assert_int_equal(s.total, EVENTS);
    assert_int_equal(s.twice, 0);
    assert_int_equal(s.seq_twice, 0);
    assert_int_equal(s.alerts, EVENTS / 500);
    assert_true(a.ups >= 3); /* the kills hit a line that stood */
    assert_int_equal(a.forked, 0);
    assert_int_equal(w.core.forks, 0);
    assert_int_equal(w.core.missing, 0);
    for (uint64_t n = 1; n <= EVENTS; n++)
        if (s.count[n] != 1)
            fail_msg("event %llu is there %d times", (unsigned long long)n, s.count[n]);
    uplink_stop(&a, false);
    hm_journal_close(a.j);
    identity_done(&a.id);
    close(a.engine[0]);
    close(a.engine[1]);
    hm_map_free(s.seqs);
    free(s.count);
    world_end(&w);
}

static uint64_t stored_events(struct world *w, struct seen *s)
{
    count_journal(w, s);
    return s->total;
}

static void wait_total(struct agent *a, struct seen *s, uint64_t want)
{
    for (int i = 0; i < 300 && stored_events(a->w, s) < want; i++) {
        put_events(a, 0);
        hear(a);
        usleep(50000);
    }
    assert_int_equal(s->total, want);
}

static void copy_journal(const struct agent *a, const char *from, const char *to)
{
    char cmd[512];
    snprintf(cmd, sizeof cmd, "rm -rf '%s/%s' && cp -a '%s/%s' '%s/%s'", a->w->dir, to, a->w->dir,
             from, a->w->dir, to);
    assert_int_equal(system(cmd), 0);
}

/* The uplink's child shares our descriptors until it executes: its copy of the lock may outlive
 * our close for a moment. */
static int journal_reopen(struct agent *a, const struct hm_journal_options *o)
{
    struct hm_log_damage damage[HM_LANE_COUNT];
    int r = -EBUSY;

    for (int i = 0; i < 500 && r == -EBUSY; i++) {
        r = hm_journal_open(a->journal, o, &a->j, damage, NULL);
        if (r == -EBUSY)
            usleep(10000);
    }
    return r;
}

/* A machine is set back to an older image: its journal continues where the server already is. */
static void an_older_state_becomes_a_new_epoch(void **state)
{
    struct world w;
    struct agent a = {.w = &w};
    struct seen s = {.count = calloc(1, EVENTS + 1)};

    (void)state;
    assert_int_equal(world_make(&w, 0), 0);
    identity_make(w.ca_key, w.ca, 0x55, &a.id);
    write_pem(w.dir, &a.id);
    journal_make(&a);
    assert_int_equal(hm_ipc_pair(a.engine), 0);
    uplink_start(&a);
    put_events(&a, 1000);
    hm_journal_close(a.j);
    copy_journal(&a, "journal", "image"); /* the snapshot */
    struct hm_journal_options o = {.boot = 7};
    memcpy(o.endpoint, a.id.id, 16);
    assert_int_equal(journal_reopen(&a, &o), 0);
    put_events(&a, 1000);
    uint64_t epoch = hm_journal_epoch(a.j);
    wait_total(&a, &s, 2000);
    uplink_stop(&a, false);
    hm_journal_close(a.j);

    copy_journal(&a, "image", "journal"); /* reverted */
    assert_int_equal(journal_reopen(&a, &o), 0);
    assert_int_equal(hm_journal_epoch(a.j), epoch);
    uplink_start(&a);
    for (int i = 0; i < 200 && !a.forked; i++) {
        put_events(&a, i == 0 ? 500 : 0);
        hear(&a);
        usleep(50000);
    }
    assert_int_equal(a.forked, 1);
    assert_true(hm_journal_epoch(a.j) != epoch);
    uint64_t before = stored_events(&w, &s);
    put_events(&a, 700); /* from here on nothing is unwatched */
    wait_total(&a, &s, before + 700);
    uplink_stop(&a, false);
    hm_journal_close(a.j);
    identity_done(&a.id);
    close(a.engine[0]);
    close(a.engine[1]);
    hm_map_free(s.seqs);
    free(s.count);
    world_end(&w);
}

/* ---- what may leave at all ---- */

static int take_batch(void *ctx, struct hm_slice batch)
{
    struct hm_batch_head head;
    assert_int_equal(hm_batch_head(batch, &head, NULL), 0);
    ++*(int *)ctx;
    return 0;
}

static void no_ack(void *ctx, uint64_t epoch, enum hm_lane lane, uint64_t next)
{
    fail_msg("acked %p %llx %d %llu", ctx, (unsigned long long)epoch, (int)lane,
             (unsigned long long)next);
}

static void no_fork(void *ctx, uint64_t epoch)
{
    fail_msg("forked %p %llx", ctx, (unsigned long long)epoch);
}

static struct hm_journal *three_batches(const char *dir)
{
    struct hm_journal_options o = {.boot = 7};
    struct hm_journal *j;
    struct hm_event e;
    assert_int_equal(hm_journal_open(dir, &o, &j, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        hm_event_clear(&e);
        hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
        hm_event_set_u64(&e, HM_F_WALL_NS, hm_clock_wall_ns());
        assert_int_equal(hm_journal_put(j, HM_LANE_ALERT, &e), 0);
    }
    return j;
}

static void what_is_not_on_disk_does_not_leave(void **state)
{
    char dir[] = "/tmp/hm-ship.XXXXXX", cmd[64];
    int sent = 0;
    struct hm_shipper_ops ops = {take_batch, no_ack, no_fork, &sent};
    (void)state;
    assert_non_null(mkdtemp(dir));
    struct hm_journal *j = three_batches(dir);
    uint64_t epoch = hm_journal_epoch(j), none[HM_LANE_COUNT] = {0},
             two[HM_LANE_COUNT] = {[HM_LANE_BULK] = 3, [HM_LANE_ALERT] = 2},
             all[HM_LANE_COUNT] = {[HM_LANE_ALERT] = hm_journal_durable(j, HM_LANE_ALERT)};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hm_shipper *s = hm_shipper_new(fd, &ops);
    assert_non_null(s);
    assert_true(hm_shipper_rewind(s) == epoch);
    hm_shipper_open(s, epoch, none);
    assert_int_equal(hm_shipper_pump(s), 0);
    assert_int_equal(sent, 0); /* the engine has not spoken yet */
    hm_shipper_set_current(s, epoch, none);
    assert_int_equal(hm_shipper_pump(s), 0);
    assert_int_equal(sent, 0);
    hm_shipper_set_current(s, epoch, two);
    assert_int_equal(hm_shipper_pump(s), 0);
    assert_int_equal(sent, 2);
    assert_int_equal(all[HM_LANE_ALERT], 3);
    hm_shipper_set_current(s, epoch, all);
    assert_int_equal(hm_shipper_pump(s), 0);
    assert_int_equal(sent, 3);
    hm_shipper_free(s);
    close(fd);
    hm_journal_close(j);
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-p") == 0)
        return strcmp(argv[2], "uplink") == 0 ? hm_uplink_main() : hm_gateway_main(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_on_disk_does_not_leave),
        cmocka_unit_test(every_event_is_stored_once_whoever_is_killed),
        cmocka_unit_test(an_older_state_becomes_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
