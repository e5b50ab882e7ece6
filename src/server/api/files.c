/* The console's files and the agent's package, streamed in pieces. A path is resolved by the kernel
 * beneath one directory descriptor (openat2 RESOLVE_BENEATH, no symbolic links): no spelling of
 * ".." leads out. Paths without a file that look like pages get index.html, for the console routes
 * them itself. */
#include "base/log.h"
#include "server/api/api.h"
#include "server/api/limits.h"
#include "server/api/openapi.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sending {
    struct evhttp_request *req;
    int fd;
    uint64_t left;
};

const char *hm_files_type(const char *path)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".webp", "image/webp"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".txt", "text/plain; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
        {".yaml", "application/yaml"},
        {".deb", "application/vnd.debian.binary-package"},
    };
    size_t n = strlen(path), k;

    for (size_t i = 0; i < HM_ARRAY_LEN(types); i++)
        if ((k = strlen(types[i].end)) < n && strcasecmp(path + n - k, types[i].end) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static int open_beneath(int dir, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    struct stat st;
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return -ENOENT;
}

static void sending_free(struct sending *s)
{
    close(s->fd);
    free(s);
}

static void on_closed(struct evhttp_connection *con, void *arg)
{
    struct sending *s = arg;

    (void)con;
    evhttp_request_free(s->req); /* detached from its connection by now */
    sending_free(s);
}

static void send_more(struct evhttp_connection *con, void *arg)
{
    struct sending *s = arg;
    struct evbuffer *piece = evbuffer_new();
    size_t want = s->left < HM_API_FILE_CHUNK ? (size_t)s->left : HM_API_FILE_CHUNK;
    int n = piece && want ? evbuffer_read(piece, s->fd, (int)want) : 0;

    if (n > 0) {
        s->left -= (uint64_t)n;
        hm_conn_deadline(s->req, 60); /* one piece a minute at least */
        evhttp_send_reply_chunk_with_cb(s->req, piece, send_more, s);
    } else {
        evhttp_connection_set_closecb(con, NULL, NULL);
        if (s->left) { /* shorter than promised: only cutting says so */
            hm_conn_cut(s->req);
        }
        hm_conn_deadline(s->req, HM_API_IDLE_SECONDS);
        evhttp_send_reply_end(s->req);
        sending_free(s);
    }
    if (piece)
        evbuffer_free(piece);
}

/* Takes fd. */
static void send_file(struct evhttp_request *req, int fd, uint64_t size)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    struct evhttp_connection *con = evhttp_request_get_connection(req);
    struct sending *s = malloc(sizeof *s);
    char length[24];

    snprintf(length, sizeof length, "%llu", (unsigned long long)size);
    evhttp_add_header(out, "Content-Length", length);
    if (!s || evhttp_request_get_command(req) == EVHTTP_REQ_HEAD || size == 0) {
        close(fd);
        free(s);
        hm_conn_deadline(req, HM_API_IDLE_SECONDS);
        evhttp_send_reply(req, 200, NULL, NULL);
        return;
    }
    *s = (struct sending){req, fd, size};
    evhttp_send_reply_start(req, 200, NULL);
    evhttp_connection_set_closecb(con, on_closed, s);
    send_more(con, s);
}

static bool accepts_gzip(struct evhttp_request *req)
{
    const char *h = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept-Encoding");

    return h && strstr(h, "gzip") && !strstr(h, "gzip;q=0");
}

/* Vite names built files by their content: "/assets/index-BqK3x9aZ.js" never changes. */
static bool immutable(const char *path)
{
    return strncmp(path, "assets/", 7) == 0 && strchr(path, '-');
}

static bool unchanged(struct evhttp_request *req, const struct stat *st)
{
    const char *have = evhttp_find_header(evhttp_request_get_input_headers(req), "If-None-Match");
    char tag[64];

    snprintf(tag, sizeof tag, "\"%llx-%llx\"", (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec * 1000 +
                 (unsigned)st->st_mtim.tv_nsec / 1000000);
    evhttp_add_header(evhttp_request_get_output_headers(req), "ETag", tag);
    return have && strcmp(have, tag) == 0;
}

static bool try_file(struct hm_api *api, struct evhttp_request *req, const char *path)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    bool zipped = false;
    char gz[1024];
    struct stat st;
    int fd = open_beneath(api->shared.www_fd, path), z;

    if (fd < 0)
        return false;
    if (accepts_gzip(req) && snprintf(gz, sizeof gz, "%s.gz", path) < (int)sizeof gz &&
        (z = open_beneath(api->shared.www_fd, gz)) >= 0) {
        close(fd);
        fd = z;
        zipped = true;
    }
    if (fstat(fd, &st) < 0) {
        close(fd);
        return false;
    }
    hm_reply_headers(req);
    evhttp_add_header(out, "Content-Type", hm_files_type(path));
    evhttp_add_header(out, "Cache-Control",
                      immutable(path) ? "public, max-age=31536000, immutable" : "no-cache");
    evhttp_add_header(out, "Vary", "Accept-Encoding");
    if (zipped)
        evhttp_add_header(out, "Content-Encoding", "gzip");
    if (unchanged(req, &st)) {
        close(fd);
        hm_conn_deadline(req, HM_API_IDLE_SECONDS);
        evhttp_send_reply(req, 304, NULL, NULL);
    } else {
        send_file(req, fd, (uint64_t)st.st_size);
    }
    return true;
}

static void send_text(struct evhttp_request *req, const char *type, const char *text, size_t len)
{
    struct hm_call *c = hm_call_new();

    if (!c)
        return hm_reply_problem(req, HM_P_BUSY, HM_LANG_EN);
    c->status = 200;
    c->type = type;
    hm_buf_put(&c->out, text, len);
    hm_reply_call(req, c);
    hm_call_free(c);
}

static void serve_package(struct hm_api *api, struct evhttp_request *req, bool sums,
                          enum hm_lang lang)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    struct hm_package p;
    char line[256];
    int fd;

    if (hm_package_find(&api->shared, &p) < 0)
        return hm_reply_problem(req, HM_P_NO_PACKAGE, lang);
    if (sums) {
        int n = snprintf(line, sizeof line, "%s  %s\n", p.sha256, p.name);
        return send_text(req, "text/plain; charset=utf-8", line, (size_t)n);
    }
    fd = hm_package_open(&api->shared, &p);
    if (fd < 0)
        return hm_reply_problem(req, HM_P_NO_PACKAGE, lang);
    hm_reply_headers(req);
    evhttp_add_header(out, "Content-Type", hm_files_type(p.name));
    evhttp_add_header(out, "Cache-Control", "no-cache");
    send_file(req, fd, p.size);
}

void hm_files_serve(struct hm_api *api, struct evhttp_request *req, const char *path,
                    enum hm_lang lang)
{
    const char *last = strrchr(path, '/');

    hm_conn_deadline(req, 120);
    if (strcmp(path, "/healthz") == 0)
        return send_text(req, "text/plain; charset=utf-8", "ok", 2);
    if (strcmp(path, "/api/v1/openapi.yaml") == 0)
        return send_text(req, "application/yaml", hm_openapi_text, hm_openapi_len);
    if (strcmp(path, "/install/hinomi-agent.deb") == 0)
        return serve_package(api, req, false, lang);
    if (strcmp(path, "/install/SHA256SUMS") == 0)
        return serve_package(api, req, true, lang);
    if (strncmp(path, "/api/", 5) == 0 || strncmp(path, "/install/", 9) == 0)
        return hm_reply_problem(req, HM_P_NOT_FOUND, lang);
    if (path[1] && try_file(api, req, path + 1))
        return;
    if ((last && !strchr(last, '.')) && try_file(api, req, "index.html"))
        return;
    hm_reply_problem(req, HM_P_NOT_FOUND, lang);
}
