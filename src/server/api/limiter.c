/* See limiter.h. A fixed table, four ways a bucket, hashed with a secret key: nobody can choose
 * what is pushed out; what is pushed out is the oldest of its bucket. */
#include "server/api/limiter.h"
#include "server/api/limits.h"
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define WAYS      4
#define FORGET_MS (30u * 60 * 1000)

static const struct rule {
    unsigned free_failures; /* before the first lock-out */
    unsigned first_s, last_s;
} rules[] = {
    {5, 30, 900},  /* user and address together */
    {30, 30, 300}, /* user */
    {30, 30, 900}, /* address */
};
#define RULES (sizeof rules / sizeof rules[0])

struct slot {
    uint64_t key; /* 0: free */
    uint64_t last_ms, until_ms;
    unsigned failures;
};

struct hm_limiter {
    pthread_mutex_t lock;
    uint8_t secret[crypto_shorthash_KEYBYTES];
    struct slot slots[RULES][HM_API_LIMITER_SLOTS / WAYS][WAYS];
};

struct hm_limiter *hm_limiter_new(void)
{
    struct hm_limiter *l;

    if (sodium_init() < 0 || !(l = calloc(1, sizeof *l)))
        return NULL;
    randombytes_buf(l->secret, sizeof l->secret);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void hm_limiter_free(struct hm_limiter *l)
{
    if (l)
        pthread_mutex_destroy(&l->lock);
    free(l);
}

/* One household or one attacker holds a whole IPv6 /64. */
static void address_group(const char *address, char *ret, size_t len)
{
    unsigned colons = 0;

    snprintf(ret, len, "%s", address);
    if (strstr(ret, "::") || !strchr(ret, ':'))
        return; /* IPv4, or too short to cut by counting: kept whole */
    for (char *p = ret; *p; p++)
        if (*p == ':' && ++colons == 4)
            *p-- = 0;
}

static uint64_t key_of(const struct hm_limiter *l, size_t rule, const char *user,
                       const char *address)
{
    char text[256], group[80];
    uint64_t key;

    address_group(address, group, sizeof group);
    snprintf(text, sizeof text, "%zu|%.100s|%s", rule, rule == 2 ? "" : user,
             rule == 1 ? "" : group);
    crypto_shorthash((uint8_t *)&key, (const uint8_t *)text, strlen(text), l->secret);
    return key ? key : 1;
}

/* The slot of this key, made in place of the oldest when it is new. */
static struct slot *slot_of(struct hm_limiter *l, size_t rule, uint64_t key, uint64_t now_ms)
{
    struct slot *bucket = l->slots[rule][key % (HM_API_LIMITER_SLOTS / WAYS)], *oldest = bucket;

    for (size_t i = 0; i < WAYS; i++) {
        if (bucket[i].key == key) {
            if (now_ms - bucket[i].last_ms > FORGET_MS && now_ms > bucket[i].until_ms)
                bucket[i].failures = 0;
            return &bucket[i];
        }
        if (bucket[i].last_ms < oldest->last_ms)
            oldest = &bucket[i];
    }
    *oldest = (struct slot){.key = key};
    return oldest;
}

static void count_failure(const struct rule *r, struct slot *s, uint64_t now_ms)
{
    uint64_t wait_s = r->first_s;

    s->last_ms = now_ms;
    if (++s->failures < r->free_failures)
        return;
    for (unsigned i = r->free_failures; i < s->failures && wait_s < r->last_s; i++)
        wait_s *= 2;
    s->until_ms = now_ms + 1000 * (wait_s < r->last_s ? wait_s : r->last_s);
}

unsigned hm_limiter_try(struct hm_limiter *l, const char *user, const char *address,
                        uint64_t now_ms)
{
    struct slot *s[RULES];
    uint64_t until = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < RULES; i++) {
        s[i] = slot_of(l, i, key_of(l, i, user, address), now_ms);
        if (s[i]->until_ms > until)
            until = s[i]->until_ms;
    }
    for (size_t i = 0; until <= now_ms && i < RULES; i++)
        count_failure(&rules[i], s[i], now_ms);
    pthread_mutex_unlock(&l->lock);
    return until > now_ms ? (unsigned)((until - now_ms + 999) / 1000) : 0;
}

/* The pair and the name are clean again; the address keeps its past (it may be trying others), but
 * for this attempt. */
void hm_limiter_good(struct hm_limiter *l, const char *user, const char *address)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < RULES; i++) {
        struct slot *s = slot_of(l, i, key_of(l, i, user, address), 0);
        s->until_ms = 0;
        s->failures = i == 2 && s->failures ? s->failures - 1 : 0;
    }
    pthread_mutex_unlock(&l->lock);
}
