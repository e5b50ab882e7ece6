/* One world and one api for the tests of a program, and requests to it in words. */
#pragma once
#include "https.h"
#include "serve.h"

extern struct world world;
extern struct serve serve;
int set_up(void **state);
int tear_down(void **state);

#define H "Host: localhost\r\n"
struct request {
    const char *method, *path, *headers, *body;
};
void send_request(struct request q, struct reply *ret);
int status_of(struct request q);
const char *bearer(void); /* root's API token as a header */
void open_stream(struct https *h, const char *path, const char *headers);
/* Read until the text was seen; false after 10 s. */
bool wait_text(struct https *h, const char *text);
/* Read until nothing comes for a second; how much it was. */
size_t drain_stream(struct https *h);
