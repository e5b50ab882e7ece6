/* How answers leave: the security headers, problems, languages. The only file that sets headers. */
#include "server/api/api.h"
#include "server/api/limits.h"
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <strings.h>

void hm_reply_headers(struct evhttp_request *req)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
         "form-action 'self'; frame-ancestors 'none'"},
        {"Strict-Transport-Security", "max-age=31536000"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()"},
    };
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);

    for (size_t i = 0; i < HM_ARRAY_LEN(headers); i++)
        evhttp_add_header(out, headers[i].name, headers[i].value);
}

static void on_sent(struct evhttp_request *req, void *arg)
{
    (void)arg;
    hm_conn_deadline(req, HM_API_IDLE_SECONDS);
}

void hm_reply_call(struct evhttp_request *req, const struct hm_call *c)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    struct evbuffer *body = evbuffer_new();
    bool head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
    char text[24];

    hm_reply_headers(req);
    evhttp_add_header(out, "Cache-Control", "no-store");
    if (c->type)
        evhttp_add_header(out, "Content-Type", c->type);
    if (c->set_cookie)
        evhttp_add_header(out, "Set-Cookie", c->set_cookie);
    if (c->allow)
        evhttp_add_header(out, "Allow", c->allow);
    if (c->status == 401)
        evhttp_add_header(out, "WWW-Authenticate", "Bearer realm=\"hinomi\"");
    if (c->retry_after_s) {
        snprintf(text, sizeof text, "%u", c->retry_after_s);
        evhttp_add_header(out, "Retry-After", text);
    }
    snprintf(text, sizeof text, "%zu", c->out.len);
    if (c->status != 204)
        evhttp_add_header(out, "Content-Length", text);
    if (body && !head)
        evbuffer_add(body, c->out.data, c->out.len);
    hm_conn_deadline(req, 120); /* the time a client has to take the answer */
    evhttp_request_set_on_complete_cb(req, on_sent, NULL);
    evhttp_send_reply(req, c->status, NULL, body);
    if (body)
        evbuffer_free(body);
}

void hm_reply_problem(struct evhttp_request *req, enum hm_problem_id id, enum hm_lang lang)
{
    struct hm_call *c = hm_call_new();

    if (!c) {
        evhttp_send_reply(req, 503, NULL, NULL);
        return;
    }
    c->lang = lang;
    hm_call_problem(c, id, NULL, NULL);
    hm_reply_call(req, c);
    hm_call_free(c);
}

/* "ja-JP,ja;q=0.9,en;q=0.8": the better of the two we speak. */
enum hm_lang hm_reply_language(const char *s, bool *ret_said)
{
    double best_ja = 0, best_en = 0;

    while (s && *s) {
        size_t n = strcspn(s, ",");
        const char *q = memmem(s, n, ";q=", 3);
        double v = q ? (q[3] == '0' && q[4] == '.' ? (q[5] - '0') / 10.0 : q[3] == '0' ? 0 : 1) : 1;
        s += strspn(s, " \t");
        if (strncasecmp(s, "ja", 2) == 0 && v > best_ja)
            best_ja = v;
        if (strncasecmp(s, "en", 2) == 0 && v > best_en)
            best_en = v;
        s += strcspn(s, ",");
        s += *s == ',';
    }
    if (ret_said)
        *ret_said = best_ja > 0 || best_en > 0;
    return best_ja > best_en ? HM_LANG_JA : HM_LANG_EN;
}
