/* One connection beneath evhttp: the guard that reads along, and the clock that cuts it. */
#pragma once
#include "server/api/guard.h"
#include <event2/bufferevent.h>
#include <openssl/ssl.h>

struct hm_conns; /* all of a listener */
struct evconnlistener;
struct event_base;
struct hm_conns *hm_conns_new(struct event_base *base, SSL_CTX *tls);
void hm_conns_free(struct hm_conns *c); /* after evhttp is gone */
/* The listener that rests while HM_API_CONNECTIONS_MAX are open. */
void hm_conns_watch(struct hm_conns *c, struct evconnlistener *l);
/* evhttp's bevcb: never NULL, or evhttp would speak plain HTTP. */
struct bufferevent *hm_conns_accept(struct event_base *base, void *conns);
const struct hm_guard *hm_conns_guard(struct bufferevent *bev);
size_t hm_conns_count(const struct hm_conns *c);
