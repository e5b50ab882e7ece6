/* The store's thread: everything of DuckDB happens here, so that alerts never wait for it. Owns
 * when it works; parquet.c owns what it does. */
#include "server/core/core.h"
#include "server/core/parquet.h"
#include "base/log.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define RETRY_S 5

struct hm_store_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t durable;
    bool repair, stop;
    char folder[1024], journal[1024], control[1024];
};

/* Sleep until poked, at most seconds; returns what there is to do. */
static void wait_for(struct hm_store_thread *t, int seconds, bool *ret_repair, bool *ret_stop,
                     uint64_t *ret_durable)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&t->lock);
    if (!t->stop && !t->repair)
        pthread_cond_timedwait(&t->wake, &t->lock, &until);
    *ret_repair = t->repair;
    *ret_stop = t->stop;
    *ret_durable = t->durable;
    t->repair = false;
    pthread_mutex_unlock(&t->lock);
}

static int work(struct hm_store_thread *t, struct hm_parquet *s, bool repair, uint64_t durable,
                struct hm_error *err)
{
    int r = repair ? hm_parquet_repair(s, err) : 0;
    bool stop = false;
    do {
        if (r >= 0)
            r = hm_parquet_step(s, durable, hm_control_now_ms(), false, err);
        pthread_mutex_lock(&t->lock);
        stop = t->stop;
        durable = t->durable;
        pthread_mutex_unlock(&t->lock);
    } while (r == 1 && !stop);
    while (r == 0 && !stop && hm_parquet_compact(s, hm_control_now_ms(), err) == 1) {
        pthread_mutex_lock(&t->lock);
        stop = t->stop;
        pthread_mutex_unlock(&t->lock);
    }
    return r < 0 ? r : 0;
}

static void *run(void *arg)
{
    struct hm_store_thread *t = arg;
    struct hm_parquet_options o = {t->folder, t->journal, t->control};
    struct hm_parquet *s = NULL;
    bool stop = false, repair = true, failed = false;
    uint64_t durable = 0;
    while (!stop) {
        struct hm_error err = {0};
        int r = s ? 0 : hm_parquet_open(&o, &s, &err);
        if (!r)
            r = work(t, s, repair, durable, &err);
        if (r && !failed)
            hm_err("store: %s; it tries again, alerts are not affected",
                   err.text[0] ? err.text : strerror(-r));
        failed = r != 0;
        wait_for(t, r ? RETRY_S : 1, &repair, &stop, &durable);
    }
    hm_parquet_close(s);
    return NULL;
}

struct hm_store_thread *hm_store_thread_start(const char *state)
{
    struct hm_store_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    snprintf(t->folder, sizeof t->folder, "%s/core/store", state);
    snprintf(t->journal, sizeof t->journal, "%s/gateway/journal", state);
    snprintf(t->control, sizeof t->control, "%s/core/control.db", state);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    if (pthread_create(&t->thread, NULL, run, t) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void hm_store_thread_poke(struct hm_store_thread *t, uint64_t durable, bool repair)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->durable = durable;
    t->repair = t->repair || repair;
    if (repair) /* new records wait for its own clock: it gathers seconds of them anyway */
        pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void hm_store_thread_stop(struct hm_store_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    free(t);
}
