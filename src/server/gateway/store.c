/* Owns the journal's writer, the sync thread and the checkpoint; refuses to know sessions. */
#include "server/gateway/store.h"

#include "server/gateway/limits.h"
#include "server/record.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>

struct hm_store {
    struct hm_log *log;
    struct hm_chain *chain;
    char journal[1024], tips[1024];
    struct hm_buf record;
    uint64_t durable, checkpointed;
    bool full;          /* appends are refused until hm_store_check_full() says otherwise */
    uint64_t full_said; /* when it was logged last */
    bool syncing;       /* the loop's view: a sync was begun and not ended */
    pthread_t thread;
    bool has_thread;
    int event_fd;
    /* Shared with the thread, under lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, work;
    int sync_fd, result;
    uint64_t sync_next;
    struct hm_buf checkpoint; /* not empty: written after a good sync, by whoever holds `work` */
};

/* ---- the sync thread ---- */

/* Only while the other side waits for this sync: `checkpoint` has one user at a time. */
static void write_checkpoint(struct hm_store *s)
{
    int r = hm_chain_write(s->tips, hm_buf_slice(&s->checkpoint));
    if (r)
        hm_warn("%s: %s", s->tips, strerror(-r));
    hm_buf_clear(&s->checkpoint);
}

/* The tips are those of `next` at this moment; they are written once that is on disk. */
static void prepare_checkpoint(struct hm_store *s, uint64_t next)
{
    hm_chain_encode(s->chain, next, &s->checkpoint);
    if (s->checkpoint.error)
        hm_buf_done(&s->checkpoint);
    s->checkpointed = next; /* after a failure the next try is as far away as after a success */
}

static void *sync_main(void *arg)
{
    struct hm_store *s = arg;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->work && !s->stop)
            pthread_cond_wait(&s->wake, &s->lock);
        if (!s->work)
            break;
        s->work = false;
        int fd = s->sync_fd;
        pthread_mutex_unlock(&s->lock);
        int r = fdatasync(fd) < 0 ? -errno : 0;
        close(fd);
        if (r == 0 && s->checkpoint.len)
            write_checkpoint(s);
        pthread_mutex_lock(&s->lock);
        s->result = r;
        if (eventfd_write(s->event_fd, 1) < 0)
            hm_err("eventfd: %s", strerror(errno));
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool hm_store_sync_begin(struct hm_store *s)
{
    int fd;
    uint64_t next;

    if (s->syncing || hm_log_sync_fd(s->log, &fd, &next))
        return false;
    s->syncing = true;
    if (next - s->checkpointed >= HM_GATEWAY_CHECKPOINT_RECORDS)
        prepare_checkpoint(s, next);
    pthread_mutex_lock(&s->lock);
    s->sync_fd = fd;
    s->sync_next = next;
    s->work = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return true;
}

int hm_store_sync_end(struct hm_store *s, uint64_t *ret_next)
{
    eventfd_t n;

    if (eventfd_read(s->event_fd, &n) < 0)
        return errno == EAGAIN ? -EAGAIN : -errno;
    pthread_mutex_lock(&s->lock);
    int r = s->result;
    uint64_t next = s->sync_next;
    pthread_mutex_unlock(&s->lock);
    s->syncing = false;
    if (r)
        return -EIO;
    s->durable = next;
    *ret_next = next;
    return 0;
}

/* ---- start ---- */

static int replay_one(struct hm_store *s, uint64_t number, struct hm_slice record)
{
    struct hm_gateway_record rec;
    struct hm_chain_tip tip = {.record = number};
    struct hm_batch_head head;

    if (hm_gateway_record_decode(record, &rec) || hm_batch_head(rec.batch, &head, tip.hash))
        return -EBADMSG;
    memcpy(tip.endpoint, head.endpoint, sizeof tip.endpoint);
    tip.epoch = head.epoch;
    tip.lane = head.lane;
    tip.next = head.number + 1;
    return hm_chain_put(s->chain, &tip);
}

static int replay_from(struct hm_store *s, uint64_t from, struct hm_error *err)
{
    struct hm_log_reader *r;
    struct hm_slice record;
    uint64_t number, n = 0, bad = 0;

    int e = hm_log_reader_open(s->journal, &r, err);
    if (e)
        return e;
    e = hm_log_reader_seek(r, from);
    if (e && e != -ENOENT)
        goto out;
    while ((e = hm_log_reader_next(r, &number, &record)) == 1 || e == -EBADMSG) {
        if (e == -EBADMSG || (e = replay_one(s, number, record)) == -EBADMSG || e == -ENOSPC)
            bad++; /* no room for a tip: that epoch begins anew as a gap, the others go on */
        else if (e)
            goto out;
        n++;
    }
    if (n || bad)
        hm_info("replayed %llu records, %llu unreadable", (unsigned long long)n,
                (unsigned long long)bad);
out:
    hm_log_reader_close(r);
    return e;
}

static int recover(struct hm_store *s, struct hm_error *err)
{
    uint64_t from = 0;

    int r = hm_chain_load(s->chain, s->tips, &from);
    if (r && r != -ENOENT)
        hm_warn("%s is damaged and made anew from the journal", s->tips);
    if (r || from > hm_log_next(s->log) || from < hm_log_first(s->log))
        from = hm_log_first(s->log);
    s->checkpointed = from;
    return replay_from(s, from, err);
}

static int start_thread(struct hm_store *s)
{
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0)
        return -errno;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    int r = pthread_create(&s->thread, NULL, sync_main, s);
    s->has_thread = r == 0;
    return -r;
}

static void say_damage(const struct hm_log_damage *d)
{
    if (d->reason[0])
        hm_warn("journal: %s, %llu bytes set aside from record %llu on", d->reason,
                (unsigned long long)d->bytes, (unsigned long long)d->first_record);
}

int hm_store_open(const char *dir, struct hm_chain *chain, struct hm_store **ret_s,
                  struct hm_error *err)
{
    struct hm_log_options o = {.segment_bytes = 64u << 20};
    struct hm_log_damage damage = {0};
    struct hm_store *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->chain = chain;
    s->event_fd = -1;
    s->record = HM_BUF(HM_BATCH_MAX_BYTES + 4096);
    s->checkpoint = HM_BUF(HM_CHAIN_FILE_MAX);
    snprintf(s->journal, sizeof s->journal, "%s/journal", dir);
    snprintf(s->tips, sizeof s->tips, "%s/tips", dir);
    int r = hm_log_open(s->journal, &o, &s->log, &damage, err);
    if (!r) {
        say_damage(&damage);
        r = recover(s, err);
    }
    /* What the last process wrote without sync is on disk before anybody hears of it. */
    if (!r && (r = hm_log_sync(s->log)) == 0)
        r = start_thread(s);
    if (r) {
        hm_store_close(s);
        return r;
    }
    s->durable = hm_log_next(s->log);
    *ret_s = s;
    return 0;
}

static void stop_thread(struct hm_store *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
}

void hm_store_close(struct hm_store *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        stop_thread(s);
        if (hm_log_sync(s->log) == 0 && hm_log_next(s->log) != s->checkpointed) {
            prepare_checkpoint(s, hm_log_next(s->log));
            write_checkpoint(s);
        }
    }
    if (s->event_fd >= 0)
        close(s->event_fd);
    hm_log_close(s->log);
    hm_buf_done(&s->record);
    hm_buf_done(&s->checkpoint);
    free(s);
}

/* ---- append ---- */

void hm_store_failed(int r)
{
    hm_err("the journal's disk failed: %s", strerror(-r));
    _exit(1);
}

int hm_store_append(struct hm_store *s, const struct hm_store_item *i, uint64_t *ret_number)
{
    if (s->full)
        return -ENOSPC;
    hm_buf_clear(&s->record);
    struct hm_gateway_record rec = {.tenant = i->tenant,
                                    .host_name = i->host_name,
                                    .received_ns = i->received_ns,
                                    .batch = i->batch};
    memcpy(rec.endpoint, i->endpoint, sizeof rec.endpoint);
    hm_gateway_record_encode(&rec, &s->record);
    if (s->record.error)
        return s->record.error;
    int r = hm_log_append(s->log, hm_buf_slice(&s->record), ret_number);
    if (r && hm_log_broken(s->log))
        hm_store_failed(r);
    if (r == -ENOSPC)
        s->full = true;
    return r;
}

static bool over_reserve(const char *path, uint64_t *ret_percent)
{
    struct statvfs v;

    if (statvfs(path, &v) < 0)
        return false; /* then appending itself will tell */
    uint64_t used = v.f_blocks - v.f_bfree, room = used + v.f_bavail;
    *ret_percent = room ? used * 100 / room : 0;
    return *ret_percent >= HM_GATEWAY_DISK_MAX_PERCENT;
}

bool hm_store_check_full(struct hm_store *s)
{
    uint64_t percent = 0, now = hm_clock_mono_ns();
    bool was = s->full;

    s->full = over_reserve(s->journal, &percent);
    if ((was || s->full) && now - s->full_said > HM_GATEWAY_LOG_EVERY_S * UINT64_C(1000000000)) {
        s->full_said = now;
        hm_err("disk %llu %% full: acks stop until there is room", (unsigned long long)percent);
    }
    return s->full;
}

uint64_t hm_store_next(const struct hm_store *s)
{
    return hm_log_next(s->log);
}

uint64_t hm_store_durable(const struct hm_store *s)
{
    return s->durable;
}

int hm_store_event_fd(const struct hm_store *s)
{
    return s->event_fd;
}
