/* Sign in and out. The CA is pinned before a password is typed: a server whose certificates do not
 * lead to the given fingerprint never sees one. */
#include "base/crypto.h"
#include "cli/ask.h"
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <termios.h>

/* The certificate with that fingerprint among what the server showed. */
static bool pick_ca(struct hm_slice chain, const char *want, char *ret_pem, size_t len,
                    char *ret_last)
{
    BIO *in = BIO_new_mem_buf(chain.p, (int)chain.len), *out = BIO_new(BIO_s_mem());
    X509 *x;
    bool found = false;

    while (in && out && !found && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        X509_digest(x, EVP_sha256(), sum, &n);
        for (unsigned i = 0; i < n; i++)
            snprintf(ret_last + 2 * i, 3, "%02x", sum[i]);
        found = want && strcmp(ret_last, want) == 0 && PEM_write_bio_X509(out, x) == 1;
        X509_free(x);
    }
    if (found) {
        int n = BIO_read(out, ret_pem, (int)len - 1);
        ret_pem[n > 0 ? n : 0] = 0;
    }
    BIO_free(in);
    BIO_free(out);
    return found;
}

/* "AA:BB:…" or "aabb…" as 64 lower-case digits. */
static void plain_hex(const char *s, char ret[65])
{
    size_t n = 0;

    for (; *s && n < 64; s++)
        if (*s != ':')
            ret[n++] = (char)(*s >= 'A' && *s <= 'F' ? *s + 32 : *s);
    ret[n] = 0;
}

static bool read_secret(const char *prompt, char *buf, size_t len)
{
    struct termios old, quiet;
    bool tty = tcgetattr(STDIN_FILENO, &old) == 0, ok;

    if (tty) {
        fputs(prompt, stderr);
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ok = fgets(buf, (int)len, stdin) != NULL;
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (ok)
        buf[strcspn(buf, "\n")] = 0;
    return ok;
}

static int pin_server(struct hm_cli *c, struct hm_where *w)
{
    static const struct hm_text
        text = {"%s", "%s"},
        first = {"the server's CA has the fingerprint %s; compare it with what "
                 "the server printed, then add --ca-sha256",
                 "サーバーの CA のフィンガープリントは %s です。サーバーの表示と照合し、"
                 "--ca-sha256 を付けてください"},
        wrong = {"the server's CA is %s, not the one you gave",
                 "サーバーの CA は %s で、指定と違います"};
    hm_auto(hm_buf_done) struct hm_buf chain = HM_BUF(256 * 1024);
    struct hm_error err = {0};
    char want[65] = "", last[65] = "";

    if (hm_client_chain(w->url, &chain, &err))
        return hm_say(c, HM_EXIT_UNREACHABLE, &text, err.text);
    if (c->o.ca_sha256)
        plain_hex(c->o.ca_sha256, want);
    if (pick_ca(hm_buf_slice(&chain), c->o.ca_sha256 ? want : NULL, w->ca_pem, sizeof w->ca_pem,
                last))
        return HM_EXIT_OK;
    return c->o.ca_sha256 ? hm_say(c, HM_EXIT_UNREACHABLE, &wrong, last)
                          : hm_say(c, HM_EXIT_USAGE, &first, last);
}

static int keep(struct hm_cli *c, struct hm_where *w, const cJSON *session)
{
    static const struct hm_text text = {"%s", "%s"},
                                done = {"signed in as %s", "%s としてサインインしました"};
    struct hm_error err = {0};

    snprintf(w->cookie, sizeof w->cookie, "%s", hm_client_cookie(c->client));
    snprintf(w->csrf, sizeof w->csrf, "%s", hm_js(session, "csrf"));
    if (hm_where_save(w, &err))
        return hm_say(c, HM_EXIT_FAILED, &text, err.text);
    return hm_say(c, HM_EXIT_OK, &done, hm_js(session, "user"));
}

static int sign_in(struct hm_cli *c, const char *user, const char *password, cJSON **ret)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "user", user);
    cJSON_AddStringToObject(body, "password", password);
    return hm_send(c, "POST", "/api/v1/session", body, ret);
}

static int reconnect(struct hm_cli *c, const struct hm_where *w)
{
    hm_client_free(c->client);
    c->client = hm_client_new(w, c->lang == HM_LANG_JA ? "ja" : "en");
    return c->client ? HM_EXIT_OK : HM_EXIT_FAILED;
}

/* The one-time password opens nothing but this door. */
static int change_password(struct hm_cli *c, struct hm_where *w, const char *old, cJSON **session)
{
    static const struct hm_text prompt = {"new password (12 characters or more): ",
                                          "新しいパスワード（12 文字以上）: "};
    char new[1100];
    cJSON *body, *nothing = NULL;
    int code;

    snprintf(w->cookie, sizeof w->cookie, "%s", hm_client_cookie(c->client));
    snprintf(w->csrf, sizeof w->csrf, "%s", hm_js(*session, "csrf"));
    if ((code = reconnect(c, w)) || !read_secret(hm_text(&prompt, c->lang), new, sizeof new))
        return code ? code : HM_EXIT_USAGE;
    body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "old", old);
    cJSON_AddStringToObject(body, "new", new);
    code = hm_send(c, "POST", "/api/v1/session/password", body, &nothing);
    cJSON_Delete(nothing);
    if (!code) {
        *w->cookie = 0;
        cJSON_Delete(*session);
        *session = NULL;
        code = reconnect(c, w);
    }
    if (!code)
        code = sign_in(c, c->o.user ? c->o.user : "admin", new, session);
    explicit_bzero(new, sizeof new);
    return code;
}

int hm_cmd_login(struct hm_cli *c)
{
    static const struct hm_text
        usage = {"login --server HOST:PORT --ca-sha256 FINGERPRINT [--user NAME]",
                 "login --server HOST:PORT --ca-sha256 フィンガープリント [--user 名前]"},
        prompt = {"password: ", "パスワード: "};
    struct hm_where w = {0};
    char password[1100];
    cJSON *session = NULL;
    int code;

    if (!c->o.server)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    snprintf(w.url, sizeof w.url, "%s%s", strncmp(c->o.server, "https://", 8) ? "https://" : "",
             c->o.server);
    if ((code = pin_server(c, &w)))
        return code;
    if (!read_secret(hm_text(&prompt, c->lang), password, sizeof password))
        return HM_EXIT_USAGE;
    code = reconnect(c, &w);
    if (!code)
        code = sign_in(c, c->o.user ? c->o.user : "admin", password, &session);
    if (!code && hm_jb(session, "must_change_password"))
        code = change_password(c, &w, password, &session);
    if (!code)
        code = keep(c, &w, session);
    explicit_bzero(password, sizeof password);
    cJSON_Delete(session);
    return code;
}

int hm_cmd_logout(struct hm_cli *c)
{
    cJSON *nothing = NULL;
    int code = hm_send(c, "DELETE", "/api/v1/session", NULL, &nothing);

    cJSON_Delete(nothing);
    return hm_where_forget() ? HM_EXIT_FAILED : code;
}
