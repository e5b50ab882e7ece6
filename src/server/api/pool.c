/* See pool.h. */
#include "server/api/pool.h"
#include "server/api/limits.h"
#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    struct job *next;
    struct hm_call *call;
    void *tag;
};

struct queue {
    struct job *head, **tail;
    size_t count, max;
    pthread_cond_t more;
    unsigned threads;
};

struct thread {
    struct hm_pools *pools;
    struct queue *queue;
    struct hm_worker worker;
    pthread_t id;
    bool running;
};

#define THREADS (HM_API_FAST_THREADS + HM_API_HASH_THREADS + HM_API_HUNT_THREADS)

struct hm_pools {
    pthread_mutex_t lock; /* guards queues, done list and stop */
    struct queue queues[HM_POOL_COUNT];
    struct thread threads[THREADS];
    struct job *done, **done_tail;
    bool stop;
    int wake;
    struct event *wake_event;
    void (*on_done)(void *ctx, struct hm_call *c, void *tag);
    void *ctx;
};

static const struct {
    unsigned threads;
    size_t max;
} kinds[HM_POOL_COUNT] = {
    [HM_POOL_FAST] = {HM_API_FAST_THREADS, HM_API_FAST_QUEUE},
    [HM_POOL_HASH] = {HM_API_HASH_THREADS, HM_API_HASH_QUEUE},
    [HM_POOL_HUNT] = {HM_API_HUNT_THREADS, HM_API_HUNT_QUEUE},
};

static struct job *take(struct thread *t)
{
    struct queue *q = t->queue;
    struct job *j;

    pthread_mutex_lock(&t->pools->lock);
    while (!q->head && !t->pools->stop)
        pthread_cond_wait(&q->more, &t->pools->lock);
    j = t->pools->stop ? NULL : q->head;
    if (j) {
        q->head = j->next;
        if (!q->head)
            q->tail = &q->head;
        q->count--;
        j->next = NULL;
    }
    pthread_mutex_unlock(&t->pools->lock);
    return j;
}

static void give_back(struct hm_pools *p, struct job *j)
{
    uint64_t one = 1;
    ssize_t n;

    pthread_mutex_lock(&p->lock);
    *p->done_tail = j;
    p->done_tail = &j->next;
    pthread_mutex_unlock(&p->lock);
    n = write(p->wake, &one, sizeof one); /* full means: it is awake already */
    (void)n;
}

static void *run(void *arg)
{
    struct thread *t = arg;
    struct job *j;

    while ((j = take(t))) {
        hm_route_run(&t->worker, j->call);
        give_back(t->pools, j);
    }
    return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct hm_pools *p = arg;
    uint64_t count;
    struct job *list, *next;
    ssize_t n = read(fd, &count, sizeof count);

    (void)n;
    (void)what;
    pthread_mutex_lock(&p->lock);
    list = p->done;
    p->done = NULL;
    p->done_tail = &p->done;
    pthread_mutex_unlock(&p->lock);
    for (; list; list = next) {
        next = list->next;
        p->on_done(p->ctx, list->call, list->tag);
        free(list);
    }
}

static int start_thread(struct hm_pools *p, struct thread *t, struct queue *q,
                        struct hm_shared *shared, struct hm_error *err)
{
    int r;

    *t = (struct thread){.pools = p, .queue = q, .worker = {.shared = shared}};
    r = hm_control_open(shared->database, &t->worker.control, err);
    if (!r)
        r = -pthread_create(&t->id, NULL, run, t);
    t->running = r == 0;
    return r;
}

int hm_pools_new(struct event_base *base, struct hm_shared *shared,
                 void (*done)(void *ctx, struct hm_call *c, void *tag), void *ctx,
                 struct hm_pools **ret_p, struct hm_error *err)
{
    struct hm_pools *p = calloc(1, sizeof *p);
    size_t t = 0;
    int r = p ? 0 : -ENOMEM;

    if (r)
        return hm_fail(err, r, "out of memory");
    *p = (struct hm_pools){
        .on_done = done, .ctx = ctx, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    p->done_tail = &p->done;
    pthread_mutex_init(&p->lock, NULL);
    for (size_t k = 0; k < HM_POOL_COUNT; k++) {
        struct queue *q = &p->queues[k];
        q->tail = &q->head;
        q->max = kinds[k].max;
        pthread_cond_init(&q->more, NULL);
        for (unsigned i = 0; i < kinds[k].threads && !r; i++)
            r = start_thread(p, &p->threads[t++], q, shared, err);
    }
    p->wake_event = r ? NULL : event_new(base, p->wake, EV_READ | EV_PERSIST, on_wake, p);
    if (!r && (!p->wake_event || event_add(p->wake_event, NULL) < 0))
        r = hm_fail(err, -ENOMEM, "cannot watch the workers");
    if (r) {
        hm_pools_free(p);
        return r;
    }
    *ret_p = p;
    return 0;
}

static void drop_jobs(struct job *j)
{
    for (struct job *next; j; j = next) {
        next = j->next;
        hm_call_free(j->call);
        free(j);
    }
}

void hm_pools_free(struct hm_pools *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    for (size_t k = 0; k < HM_POOL_COUNT; k++)
        pthread_cond_broadcast(&p->queues[k].more);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < THREADS; i++) {
        if (p->threads[i].running)
            pthread_join(p->threads[i].id, NULL);
        hm_control_close(p->threads[i].worker.control);
    }
    if (p->wake_event)
        event_free(p->wake_event);
    for (size_t k = 0; k < HM_POOL_COUNT; k++) {
        drop_jobs(p->queues[k].head);
        pthread_cond_destroy(&p->queues[k].more);
    }
    drop_jobs(p->done);
    if (p->wake >= 0)
        close(p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int hm_pools_put(struct hm_pools *p, struct hm_call *c, void *tag)
{
    struct queue *q = &p->queues[c->route->pool];
    struct job *j = malloc(sizeof *j);
    int r = 0;

    if (!j)
        return -ENOMEM;
    *j = (struct job){.call = c, .tag = tag};
    pthread_mutex_lock(&p->lock);
    if (q->count >= q->max) {
        r = -EAGAIN;
    } else {
        *q->tail = j;
        q->tail = &j->next;
        q->count++;
        pthread_cond_signal(&q->more);
    }
    pthread_mutex_unlock(&p->lock);
    if (r)
        free(j);
    return r;
}
