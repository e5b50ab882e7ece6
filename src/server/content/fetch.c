/* One HTTP request of a feed. Owns what may be connected to and how much may come back. */
#include "server/content/source.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
    struct hm_reply *r;
    bool private_ok, refused, too_much;
};

void hm_reply_done(struct hm_reply *r)
{
    hm_buf_done(&r->body);
}

static bool public_v4(uint32_t a)
{
    static const struct {
        uint32_t net, mask;
    } closed[] = {{0x00000000, 0xff000000},                           /* this network */
                  {0x0a000000, 0xff000000}, {0x64400000, 0xffc00000}, /* private, carrier */
                  {0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000}, /* loopback, link */
                  {0xac100000, 0xfff00000}, {0xc0000000, 0xffffff00}, /* private, protocols */
                  {0xc0a80000, 0xffff0000}, {0xc6120000, 0xfffe0000}, /* private, benchmarks */
                  {0xe0000000, 0xe0000000}};                          /* multicast and beyond */
    for (size_t i = 0; i < HM_ARRAY_LEN(closed); i++)
        if ((a & closed[i].mask) == closed[i].net)
            return false;
    return true;
}

/* Global unicast only, and none that carries an IPv4 address inside. */
static bool public_v6(const uint8_t a[16])
{
    bool mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a);
    if (mapped)
        return public_v4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 |
                         a[15]);
    bool tunnel = (a[0] == 0x20 && a[1] == 0x02) ||                            /* 6to4 */
                  (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0 && a[3] == 0) ||  /* Teredo */
                  (a[0] == 0 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b); /* NAT64 */
    return (a[0] & 0xe0) == 0x20 && !tunnel;
}

bool hm_fetch_address_ok(const void *sockaddr, bool private_ok)
{
    const struct sockaddr *sa = sockaddr;
    if (private_ok)
        return sa->sa_family == AF_INET || sa->sa_family == AF_INET6;
    if (sa->sa_family == AF_INET)
        return public_v4(ntohl(((const struct sockaddr_in *)sockaddr)->sin_addr.s_addr));
    return sa->sa_family == AF_INET6 &&
           public_v6(((const struct sockaddr_in6 *)sockaddr)->sin6_addr.s6_addr);
}

/* Asked for every address that curl is about to connect to, redirects included: a name is judged by
 * where it leads now. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct call *c = ctx;
    (void)purpose;
    if (!hm_fetch_address_ok(&a->addr, c->private_ok)) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct call *c = ctx;
    hm_buf_put(&c->r->body, p, size * n);
    c->too_much |= c->r->body.error == -E2BIG;
    return c->r->body.error ? 0 : size * n;
}

static void keep(const char *line, size_t len, const char *name, char *ret, size_t room)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0)
        return;
    line += n, len -= n;
    while (len && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    if (len < room)
        snprintf(ret, room, "%.*s", (int)len, line);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct call *c = ctx;
    keep(p, size * n, "ETag:", c->r->etag, sizeof c->r->etag);
    keep(p, size * n, "Last-Modified:", c->r->modified, sizeof c->r->modified);
    keep(p, size * n, "X-TAXII-Date-Added-Last:", c->r->added_last, sizeof c->r->added_last);
    keep(p, size * n, "X-TAXII-Date-Added-First:", c->r->added_first, sizeof c->r->added_first);
    return size * n;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char line[2400];
    if (!*value || strpbrk(value, "\r\n") ||
        (size_t)snprintf(line, sizeof line, "%s: %s", name, value) >= sizeof line)
        return !*value;
    struct curl_slist *more = curl_slist_append(*list, line);
    if (more)
        *list = more;
    return more != NULL;
}

static bool set_headers(const struct hm_source *s, const struct hm_request *q,
                        struct curl_slist **list)
{
    char key[2200];
    const char *name = hm_source_text(s, "key_header"), *value = hm_source_text(s, "key");
    bool plain = !*name || strcasecmp(name, "Authorization") == 0;
    snprintf(key, sizeof key, "%s%s", *value && plain ? "Bearer " : "", value);
    return add_header(list, "Accept", q->accept) && add_header(list, "If-None-Match", q->etag) &&
           add_header(list, "If-Modified-Since", q->modified) &&
           add_header(list, *name ? name : "Authorization", key);
}

static void set_limits(CURL *h)
{
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, 3L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(h, CURLOPT_TIMEOUT, 180L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROXY, ""); /* the guard would judge the proxy's address */
    curl_easy_setopt(h, CURLOPT_USERAGENT, "hinomi/" HM_VERSION);
    curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "");
}

static int code_of(CURLcode code, const struct call *c, const char *detail, struct hm_error *err)
{
    if (c->refused)
        return hm_fail(err, -EACCES,
                       "it leads to a private address, which this source may not have");
    if (c->too_much)
        return hm_fail(err, -E2BIG, "it sends more than %u MiB", HM_CONTENT_FILE_MAX >> 20);
    if (code == CURLE_PARTIAL_FILE)
        return hm_fail(err, -EBADMSG, "the answer was cut off");
    return hm_fail(err, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, "%s",
                   *detail ? detail : curl_easy_strerror(code));
}

static int perform(CURL *h, struct call *c, const struct hm_source *s, const struct hm_request *q,
                   struct hm_error *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    set_limits(h);
    bool ok = set_headers(s, q, &headers);
    curl_easy_setopt(h, CURLOPT_URL, q->url);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    if (*hm_source_text(s, "user")) {
        curl_easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(h, CURLOPT_USERNAME, hm_source_text(s, "user"));
        curl_easy_setopt(h, CURLOPT_PASSWORD, hm_source_text(s, "password"));
    }
    CURLcode code = ok ? curl_easy_perform(h) : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return code_of(code, c, detail, err);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &c->r->status);
    return 0;
}

int hm_fetch(const struct hm_source *s, const struct hm_request *q, struct hm_reply *ret_reply,
             struct hm_error *err)
{
    struct call c = {.r = ret_reply, .private_ok = hm_source_flag(s, "private")};
    *ret_reply = (struct hm_reply){.body = HM_BUF(HM_CONTENT_FILE_MAX)};
    CURL *h = curl_easy_init();
    if (!h)
        return hm_fail(err, -ENOMEM, "out of memory");
    int r = perform(h, &c, s, q, err);
    curl_easy_cleanup(h);
    if (!r && ret_reply->status == 401)
        r = hm_fail(err, -EACCES, "the source wants other credentials (401)");
    else if (!r && (ret_reply->status < 200 || ret_reply->status > 304 ||
                    (ret_reply->status >= 300 && ret_reply->status < 304)))
        r = hm_fail(err, -EIO, "the source answered %ld", ret_reply->status);
    if (r)
        hm_reply_done(ret_reply);
    return r;
}
