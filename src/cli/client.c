/* See client.h. */
#include "cli/client.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define ANSWER_MAX     (256u * 1024 * 1024)
#define LINE_MAX_BYTES (8u * 1024 * 1024)

struct hm_client {
    CURL *curl;
    struct hm_where where;
    char language[16], set_cookie[80];
};

struct hm_client *hm_client_new(const struct hm_where *w, const char *language)
{
    struct hm_client *c = calloc(1, sizeof *c);

    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) || !(c->curl = curl_easy_init())) {
        free(c);
        return NULL;
    }
    c->where = *w;
    snprintf(c->language, sizeof c->language, "%s", language);
    return c;
}

void hm_client_free(struct hm_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    explicit_bzero(&c->where, sizeof c->where);
    free(c);
}

const char *hm_client_cookie(const struct hm_client *c)
{
    return c->set_cookie;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char name[] = "set-cookie: __Host-hinomi=";
    struct hm_client *c = ctx;
    size_t len = size * n, at = sizeof name - 1;

    if (len > at && strncasecmp(p, name, at) == 0)
        snprintf(c->set_cookie, sizeof c->set_cookie, "%.*s", (int)strcspn(p + at, ";\r\n"),
                 p + at);
    return len;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct hm_buf *out = ctx;

    hm_buf_put(out, p, size * n);
    return out->error ? 0 : size * n;
}

static struct curl_slist *add(struct curl_slist *l, const char *name, const char *value)
{
    char line[512];

    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(l, line);
    return more ? more : l;
}

static struct curl_slist *headers_of(struct hm_client *c, const char *last_id)
{
    const struct hm_where *w = &c->where;
    char value[300];
    struct curl_slist *l = add(NULL, "Accept-Language", c->language);

    l = add(l, "Expect", "");
    l = add(l, "Content-Type", "application/json");
    if (*w->token) {
        snprintf(value, sizeof value, "Bearer %s", w->token);
        l = add(l, "Authorization", value);
    } else if (*w->cookie) {
        snprintf(value, sizeof value, "__Host-hinomi=%s", w->cookie);
        l = add(l, "Cookie", value);
        l = add(l, "X-CSRF-Token", w->csrf);
    }
    return last_id && *last_id ? add(l, "Last-Event-ID", last_id) : l;
}

static void pin(struct hm_client *c)
{
    struct curl_blob ca = {c->where.ca_pem, strlen(c->where.ca_pem), CURL_BLOB_COPY};

    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(c->curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, ""); /* the pinned server itself, never a proxy */
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
}

static int failure(CURLcode e, const char *url, struct hm_error *err)
{
    switch (e) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return hm_fail(err, -EKEYREJECTED, "%s: its certificate is not from the pinned CA: %s", url,
                       curl_easy_strerror(e));
    default:
        return hm_fail(err, -ECONNREFUSED, "%s: %s", url, curl_easy_strerror(e));
    }
}

static int perform(struct hm_client *c, const char *path, struct curl_slist *headers,
                   struct hm_error *err)
{
    char url[4096];
    long status = 0;
    CURLcode e;

    snprintf(url, sizeof url, "%s%s", c->where.url, path);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
    c->set_cookie[0] = 0;
    e = curl_easy_perform(c->curl);
    curl_slist_free_all(headers);
    if (e != CURLE_OK && e != CURLE_WRITE_ERROR)
        return failure(e, c->where.url, err);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

int hm_client_request(struct hm_client *c, const char *method, const char *path, const char *body,
                      struct hm_buf *out, struct hm_error *err)
{
    out->max = ANSWER_MAX;
    pin(c);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, out);
    return perform(c, path, headers_of(c, NULL), err);
}

/* ---- streams
 * ------------------------------------------------------------------------------------*/

struct stream {
    struct hm_buf line, data;
    char event[64], id[64];
    int (*each)(void *ctx, const char *event, const char *id, const char *data);
    void *ctx;
};

static void take_field(struct stream *s, const char *line)
{
    if (strncmp(line, "event: ", 7) == 0)
        snprintf(s->event, sizeof s->event, "%s", line + 7);
    else if (strncmp(line, "id: ", 4) == 0)
        snprintf(s->id, sizeof s->id, "%s", line + 4);
    else if (strncmp(line, "data: ", 6) == 0)
        hm_buf_puts(&s->data, line + 6);
}

/* An empty line ends an event. */
static int end_line(struct stream *s)
{
    int r = 0;

    hm_buf_put_u8(&s->line, 0);
    if (s->line.error)
        return 1;
    if (s->line.len > 1) {
        take_field(s, (const char *)s->line.data);
    } else if (s->data.len) {
        hm_buf_put_u8(&s->data, 0);
        r = s->data.error ? 1 : s->each(s->ctx, s->event, s->id, (const char *)s->data.data);
        hm_buf_clear(&s->data);
        s->event[0] = 0;
    }
    hm_buf_clear(&s->line);
    return r;
}

static size_t on_stream(char *p, size_t size, size_t n, void *ctx)
{
    struct stream *s = ctx;

    for (size_t i = 0; i < size * n; i++) {
        if (p[i] == '\n') {
            if (end_line(s))
                return 0;
        } else if (p[i] != '\r') {
            hm_buf_put_u8(&s->line, (uint8_t)p[i]);
        }
    }
    return size * n;
}

int hm_client_stream(struct hm_client *c, const char *path, const char *last_id,
                     int (*each)(void *ctx, const char *event, const char *id, const char *data),
                     void *ctx, struct hm_error *err)
{
    struct stream s = {
        .line = HM_BUF(LINE_MAX_BYTES), .data = HM_BUF(LINE_MAX_BYTES), .each = each, .ctx = ctx};

    pin(c);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L); /* a beat comes every 15 s */
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_stream);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s);
    int r = perform(c, path, headers_of(c, last_id), err);
    hm_buf_done(&s.line);
    hm_buf_done(&s.data);
    return r;
}

int hm_client_chain(const char *url, struct hm_buf *ret_pem, struct hm_error *err)
{
    CURL *curl = curl_easy_init();
    struct curl_certinfo *info = NULL;
    CURLcode e;

    if (!curl)
        return hm_fail(err, -ENOMEM, "out of memory");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 0L);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L); /* nothing secret is sent; compared below */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    e = curl_easy_perform(curl);
    if (e == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) == CURLE_OK && info)
        for (int i = 0; i < info->num_of_certs; i++)
            for (struct curl_slist *l = info->certinfo[i]; l; l = l->next)
                if (strncmp(l->data, "Cert:", 5) == 0) {
                    hm_buf_puts(ret_pem, l->data + 5);
                    hm_buf_put_u8(ret_pem, '\n');
                }
    curl_easy_cleanup(curl);
    return e == CURLE_OK ? 0 : failure(e, url, err);
}
