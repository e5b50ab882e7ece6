/* See where.h. */
#include "cli/where.h"
#include "cli/cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int slurp(const char *path, char *buf, size_t len)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, len - 1);

    if (n < 0)
        return -errno;
    buf[n] = 0;
    return 0;
}

static void cut_line(char *s)
{
    s[strcspn(s, "\r\n")] = 0;
}

/* ---- what login kept
 * -----------------------------------------------------------------------------*/

static int kept_path(char *ret, size_t len, bool make)
{
    const char *file = getenv("HINOMI_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"),
               *home = getenv("HOME");
    char dir[512];
    int n;

    if (file && *file)
        n = snprintf(ret, len, "%s", file);
    else if (xdg && *xdg)
        n = snprintf(dir, sizeof dir, "%s/hinomi", xdg);
    else if (home && *home)
        n = snprintf(dir, sizeof dir, "%s/.config/hinomi", home);
    else
        return -ENOENT;
    if (n < 0 || (size_t)n >= (file && *file ? len : sizeof dir))
        return -ENAMETOOLONG;
    if (file && *file)
        return 0;
    if (make) {
        char *slash = strrchr(dir, '/');
        *slash = 0;
        mkdir(dir, 0700);
        *slash = '/';
        mkdir(dir, 0700);
    }
    n = snprintf(ret, len, "%s/cli.json", dir);
    return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

static int read_kept(struct hm_where *w)
{
    char path[600], text[40 * 1024];
    int r = kept_path(path, sizeof path, false);
    cJSON *o;

    if (!r)
        r = slurp(path, text, sizeof text);
    if (r)
        return r;
    if (!(o = cJSON_Parse(text)))
        return -EBADMSG;
    snprintf(w->url, sizeof w->url, "%s", hm_js(o, "server"));
    snprintf(w->ca_pem, sizeof w->ca_pem, "%s", hm_js(o, "ca"));
    snprintf(w->cookie, sizeof w->cookie, "%s", hm_js(o, "cookie"));
    snprintf(w->csrf, sizeof w->csrf, "%s", hm_js(o, "csrf"));
    cJSON_Delete(o);
    return *w->url && *w->ca_pem ? 0 : -EBADMSG;
}

int hm_where_save(const struct hm_where *w, struct hm_error *err)
{
    char path[600], aside[640];
    cJSON *o = cJSON_CreateObject();
    hm_autofree char *text = NULL;
    int r = kept_path(path, sizeof path, true);

    cJSON_AddStringToObject(o, "server", w->url);
    cJSON_AddStringToObject(o, "ca", w->ca_pem);
    cJSON_AddStringToObject(o, "cookie", w->cookie);
    cJSON_AddStringToObject(o, "csrf", w->csrf);
    text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (r || !text)
        return hm_fail(err, r ? r : -ENOMEM, "no place for the session: set HOME");
    snprintf(aside, sizeof aside, "%s.%d", path, (int)getpid());
    hm_autoclose int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        rename(aside, path) < 0) {
        r = -errno;
        unlink(aside);
        return hm_fail(err, r, "%s: %s", path, strerror(-r));
    }
    return 0;
}

int hm_where_forget(void)
{
    char path[600];
    int r = kept_path(path, sizeof path, false);

    if (r)
        return r;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- the server's own machine
 * ---------------------------------------------------------------------*/

/* console_listen of a configuration; the loopback address when it listens everywhere. */
static void listen_of(const char *conf, char *ret, size_t len)
{
    char text[16 * 1024];
    const char *line;

    if (slurp(conf, text, sizeof text) || !(line = strstr(text, "console_listen")))
        return;
    line += strcspn(line, "=\n");
    if (*line++ != '=')
        return;
    line += strspn(line, " \t");
    char value[256];
    snprintf(value, sizeof value, "%.*s", (int)strcspn(line, " \t\r\n"), line);
    const char *port = strrchr(value, ':');
    if (!port)
        return;
    if (strncmp(value, "0.0.0.0:", 8) == 0 || strncmp(value, "[::]:", 5) == 0)
        snprintf(ret, len, "https://127.0.0.1%s", port);
    else
        snprintf(ret, len, "https://%s", value);
}

static int read_state(const char *state, struct hm_where *w)
{
    char path[600];
    int r;

    snprintf(path, sizeof path, "%s/admin.token", state);
    if ((r = slurp(path, w->token, sizeof w->token)))
        return r;
    cut_line(w->token);
    snprintf(path, sizeof path, "%s/signer/ca.crt", state);
    return slurp(path, w->ca_pem, sizeof w->ca_pem);
}

/* HINOMI_STATE names the server's folder or the one above it, as `make run` has it. */
static int read_local(struct hm_where *w)
{
    const char *given = getenv("HINOMI_STATE");
    char above[512], path[600];
    int r;

    snprintf(above, sizeof above, "%s", given && *given ? given : "/var/lib/hinomi");
    snprintf(path, sizeof path, "%s/server", above);
    r = read_state(path, w);
    if (r == -ENOENT)
        r = read_state(above, w);
    if (r)
        return r;
    snprintf(w->url, sizeof w->url, "https://127.0.0.1:8443");
    listen_of("/etc/hinomi/server.conf", w->url, sizeof w->url);
    snprintf(path, sizeof path, "%s/server.conf", above);
    listen_of(path, w->url, sizeof w->url);
    return 0;
}

static void set_url(struct hm_where *w, const char *server)
{
    size_t n;

    snprintf(w->url, sizeof w->url, "%s%s", strncmp(server, "https://", 8) == 0 ? "" : "https://",
             server);
    n = strlen(w->url);
    if (n && w->url[n - 1] == '/')
        w->url[n - 1] = 0;
}

int hm_where_find(const char *server, struct hm_where *ret, struct hm_error *err)
{
    const char *env = getenv("HINOMI_SERVER");
    int local, r;

    memset(ret, 0, sizeof *ret);
    r = local = read_local(ret);
    if (local) {
        memset(ret, 0, sizeof *ret);
        r = read_kept(ret);
    }
    if (local == -EACCES && r)
        return hm_fail(err, -EACCES,
                       "the server's state folder is for root: use sudo, or `hinomi login`");
    if (r)
        return hm_fail(err, -ENOENT,
                       "not signed in: hinomi login --server HOST:PORT --ca-sha256 FINGERPRINT");
    if (server || (env && *env))
        set_url(ret, server ? server : env);
    return 0;
}
