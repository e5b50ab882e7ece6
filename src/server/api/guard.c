/* See guard.h. A state machine over bytes; the head is judged as a whole once it is complete. */
#include "server/api/guard.h"
#include "server/api/limits.h"
#include <strings.h>

static bool is_token(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* A line of the head without its CRLF; false at the end. */
static bool next_line(struct hm_slice *rest, struct hm_slice *ret_line)
{
    const uint8_t *cr = rest->len ? memchr(rest->p, '\r', rest->len) : NULL;

    if (!cr || (size_t)(cr - rest->p) + 1 >= rest->len)
        return false;
    *ret_line = hm_slice(rest->p, (size_t)(cr - rest->p));
    rest->len -= ret_line->len + 2;
    rest->p = cr + 2;
    return true;
}

static bool slice_is(struct hm_slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp((const char *)s.p, word, s.len) == 0;
}

struct seen { /* headers that mean something once only */
    unsigned host, length, authorization, type, csrf, origin, cookie;
};

/* METHOD SP /target SP HTTP/1.x, with nothing to guess. */
static bool check_request_line(struct hm_slice line, bool *ret_may_have_body, bool *ret_11)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"};
    size_t i = 0, target, m;

    while (i < line.len && is_token(line.p[i]))
        i++;
    for (m = 0; m < HM_ARRAY_LEN(known); m++)
        if (i == strlen(known[m]) && memcmp(line.p, known[m], i) == 0)
            break;
    if (m == HM_ARRAY_LEN(known) || i >= line.len || line.p[i] != ' ')
        return false;
    *ret_may_have_body = m == 2 || m == 3 || m == 5;
    target = ++i;
    while (i < line.len && line.p[i] > 0x20 && line.p[i] < 0x7f)
        i++;
    if (i == target || line.p[target] != '/' || line.len - i != 9)
        return false;
    *ret_11 = memcmp(line.p + i, " HTTP/1.1", 9) == 0;
    return *ret_11 || memcmp(line.p + i, " HTTP/1.0", 9) == 0;
}

/* At most seven digits and nothing else: no sign, no list, no spaces within. */
static bool parse_length(struct hm_slice v, uint64_t *ret)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > 7)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    *ret = n;
    return true;
}

static struct hm_slice trim(struct hm_slice v)
{
    while (v.len && (v.p[0] == ' ' || v.p[0] == '\t'))
        v.p++, v.len--;
    while (v.len && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
        v.len--;
    return v;
}

/* 0, or the status that refuses this header. */
static int check_header(struct hm_slice line, struct seen *seen, uint64_t *length,
                        const char **ret_why)
{
    size_t n = 0;
    struct hm_slice name, value;
    unsigned *once = NULL;

    while (n < line.len && is_token(line.p[n]))
        n++;
    if (n == 0 || n >= line.len || line.p[n] != ':')
        return *ret_why = "header name", 400; /* also folded lines and "Name :" */
    name = hm_slice(line.p, n);
    value = trim(hm_slice(line.p + n + 1, line.len - n - 1));
    for (size_t i = 0; i < value.len; i++)
        if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f)
            return *ret_why = "header value", 400;
    if (slice_is(name, "transfer-encoding"))
        return *ret_why = "transfer-encoding", 501;
    if (slice_is(name, "content-length")) {
        once = &seen->length;
        if (!parse_length(value, length))
            return *ret_why = "content-length", 400;
    }
    once = slice_is(name, "host")            ? &seen->host
           : slice_is(name, "authorization") ? &seen->authorization
           : slice_is(name, "content-type")  ? &seen->type
           : slice_is(name, "x-csrf-token")  ? &seen->csrf
           : slice_is(name, "origin")        ? &seen->origin
           : slice_is(name, "cookie")        ? &seen->cookie
                                             : once;
    if (once && (*once)++)
        return *ret_why = "header given twice", 400;
    return 0;
}

int hm_guard_head(struct hm_slice head, uint64_t *ret_body, const char **ret_why)
{
    struct hm_slice line;
    struct seen seen = {0};
    bool may_have_body = false, v11 = false;
    uint64_t length = 0;
    int status;

    *ret_body = 0;
    *ret_why = "";
    if (!next_line(&head, &line) || !check_request_line(line, &may_have_body, &v11))
        return *ret_why = "request line", 400;
    while (next_line(&head, &line) && line.len)
        if ((status = check_header(line, &seen, &length, ret_why)))
            return status;
    if (v11 && seen.host != 1)
        return *ret_why = "host", 400;
    if (may_have_body && !seen.length)
        return *ret_why = "content-length is needed", 411;
    if (!may_have_body && length)
        return *ret_why = "body where none may be", 400;
    if (length > HM_API_BODY_MAX)
        return *ret_why = "body too large", 413;
    *ret_body = length;
    return 0;
}

void hm_guard_init(struct hm_guard *g)
{
    *g = (struct hm_guard){.head = HM_BUF(HM_API_HEAD_MAX)};
}

void hm_guard_done(struct hm_guard *g)
{
    hm_buf_done(&g->head);
}

static void refuse(struct hm_guard *g, int status, const char *why)
{
    g->state = HM_GUARD_BAD;
    g->status = status;
    g->why = why;
    hm_buf_done(&g->head);
}

static void end_request(struct hm_guard *g)
{
    g->state = HM_GUARD_HEAD;
    g->requests++;
    g->head = (hm_buf_done(&g->head), HM_BUF(HM_API_HEAD_MAX));
}

/* CR and LF come only as a pair: evhttp would take a bare LF for a line's end and see another head
 * than we do. */
static void feed_head_byte(struct hm_guard *g, uint8_t c)
{
    bool after_cr = g->head.len && g->head.data[g->head.len - 1] == '\r';
    const char *why;
    int status;

    if ((c == '\n') != after_cr)
        return refuse(g, 400, "line ending");
    if (c == 0)
        return refuse(g, 400, "NUL in head");
    hm_buf_put_u8(&g->head, c);
    if (g->head.error)
        return refuse(g, 431, "head too large");
    if (c != '\n' || g->head.len < 4 || memcmp(g->head.data + g->head.len - 4, "\r\n\r\n", 4) != 0)
        return;
    status = hm_guard_head(hm_buf_slice(&g->head), &g->body_left, &why);
    if (status)
        return refuse(g, status, why);
    if (g->body_left)
        g->state = HM_GUARD_BODY;
    else
        end_request(g);
}

void hm_guard_feed(struct hm_guard *g, struct hm_slice bytes)
{
    for (size_t i = 0; i < bytes.len && g->state != HM_GUARD_BAD;) {
        if (g->state == HM_GUARD_HEAD) {
            feed_head_byte(g, bytes.p[i++]);
            continue;
        }
        size_t n = bytes.len - i;
        if (n > g->body_left)
            n = (size_t)g->body_left;
        i += n;
        g->body_left -= n;
        if (g->body_left == 0)
            end_request(g);
    }
}

bool hm_guard_idle(const struct hm_guard *g)
{
    return g->state == HM_GUARD_HEAD && g->head.len == 0;
}
