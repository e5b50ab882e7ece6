/* What handlers know of the process they run in: settings that do not change after the start, and
 * the few shared things that carry their own lock. Refuses to know evhttp and the loop. */
#pragma once
#include "server/api/call.h"
#include "server/api/limiter.h"
#include "server/hunt/hunt.h"
#include <pthread.h>
#include <stdatomic.h>

struct hm_rules_cache;

struct hm_package { /* the agent's .deb */
    char name[128];
    uint64_t size, mtime_ns, inode;
    char sha256[65];
};

struct hm_shared {
    char database[4096], store[4096], journal[4096];
    char content[4096];                  /* bodies: core/content */
    uint8_t root_key[65], key_set[4096]; /* public: what other servers pin, who signs content */
    size_t root_key_len, key_set_len;
    char public_host[512], agents_listen[512], console_listen[512], language[8];
    char ca_sha256[65]; /* of the CA's certificate, DER */
    int www_fd, packages_fd, rules_fd;
    uint64_t started_ms;
    _Atomic uint64_t journal_next; /* first record of the gateway's journal that is not there yet */
    struct hm_limiter *limiter;
    pthread_mutex_t lock; /* guards the two caches below */
    struct hm_package package;
    struct hm_rules_cache *rules;
};

struct hm_worker { /* one a thread */
    struct hm_shared *shared;
    struct hm_control *control;
};

/* The agent's package as it lies there now; hashed when it changed. -ENOENT: none. */
int hm_package_find(struct hm_shared *s, struct hm_package *ret) HM_CHECK;
/* Open what hm_package_find() found; -ENOENT when it was replaced meanwhile. */
int hm_package_open(struct hm_shared *s, const struct hm_package *p) HM_CHECK;
void hm_rules_free(struct hm_rules_cache *r);
