/* Enrolment tokens, and the one line that brings an agent onto a bare machine. Debian 12 without
 * curl and wget still has apt-helper; it does not know our CA, so TLS is not verified there, and
 * the package's SHA-256 in the line is what is trusted. The agent then pins the CA by its own hash.
 */
#include "server/api/route.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const char *token_state(const struct hm_enroll_token_row *r, uint64_t now_ms)
{
    return r->revoked               ? "revoked"
           : r->used >= r->uses     ? "used"
           : r->expires_ms < now_ms ? "expired"
                                    : "usable";
}

static int list_row(void *ctx, const struct hm_enroll_token_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", r->id, sizeof r->id);
    hm_jw_str(j, "group", r->group);
    hm_jw_u64(j, "uses", r->uses);
    hm_jw_u64(j, "used", r->used);
    hm_jw_time_ms(j, "created", r->created_ms);
    hm_jw_time_ms(j, "expires", r->expires_ms);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "state", token_state(r, hm_control_now_ms()));
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_tokens(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    int r;

    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    r = hm_enroll_token_list(w->control, c->who.tenant, list_row, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (r && r != -ENOENT)
        hm_call_error(c, r);
}

void hm_handle_token_revoke(struct hm_worker *w, struct hm_call *c)
{
    int r = hm_enroll_token_revoke(w->control, c->who.tenant, c->id, c->who.user);

    if (r)
        return hm_call_error(c, r);
    hm_call_empty(c, 204);
}

/* ---- the line ---------------------------------------------------------------------------------*/

static const char *port_of(const char *listen)
{
    const char *colon = strrchr(listen, ':');

    return colon ? colon + 1 : "";
}

/* It goes into a shell line: a name or an address, nothing else. */
static bool plain_host(const char *h)
{
    for (const char *p = h; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr(".-:[]", *p))
            return false;
    return *h;
}

/* The configured name; else the one the client reached us by. */
static bool public_host(const struct hm_shared *s, const struct hm_call *c, char *ret, size_t len)
{
    size_t n;

    if (s->public_host[0]) {
        bool v6 = strchr(s->public_host, ':') && s->public_host[0] != '[';
        snprintf(ret, len, v6 ? "[%s]" : "%s", s->public_host);
    } else {
        snprintf(ret, len, "%s", c->host ? c->host : "");
        n = strlen(ret);
        while (n && isdigit((unsigned char)ret[n - 1]))
            n--;
        if (n && ret[n - 1] == ':' && (ret[0] != '[' || (n > 1 && ret[n - 2] == ']')))
            ret[n - 1] = 0;
    }
    return plain_host(ret);
}

static void write_command(struct hm_buf *out, const struct hm_shared *s, const char *host,
                          const char *token, const struct hm_package *p)
{
    hm_buf_printf(
        out,
        "d=$(mktemp -d) && chmod 711 $d && /usr/lib/apt/apt-helper -o APT::Sandbox::User=root "
        "-o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false "
        "download-file https://%s:%s/install/hinomi-agent.deb $d/hinomi-agent.deb SHA256:%s && "
        "dpkg -i $d/hinomi-agent.deb && hinomi-agent enroll --server %s:%s --token %s "
        "--ca-sha256 %s && systemctl enable --now hinomi-agent",
        host, port_of(s->console_listen), p->sha256, host, port_of(s->agents_listen), token,
        s->ca_sha256);
    hm_buf_put_u8(out, 0);
}

static bool loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

static const struct hm_text no_package = {"no package to hand out: run `make deb` on the server",
                                          "配布できるパッケージがありません。サーバーで "
                                          "`make deb` を実行してください"},
                            only_local = {"agents_listen or console_listen is a loopback address: "
                                          "other machines cannot reach it",
                                          "agents_listen か console_listen がループバックのため、"
                                          "他の端末からは接続できません"},
                            no_host = {"set public_host in the server's configuration",
                                       "サーバーの設定で public_host を指定してください"};

static void answer_token(struct hm_worker *w, struct hm_call *c, const uint8_t *id,
                         const char *token, uint64_t expires_ms)
{
    hm_auto(hm_buf_done) struct hm_buf line = HM_BUF(8192);
    const struct hm_shared *s = w->shared;
    struct hm_package p;
    char host[300], server[320];
    bool named = public_host(s, c, host, sizeof host);
    bool there = hm_package_find(w->shared, &p) == 0;
    struct hm_jw j = hm_call_json(c, 201);

    if (there && named)
        write_command(&line, s, host, token, &p);
    snprintf(server, sizeof server, "%s:%s", host, port_of(s->agents_listen));
    hm_jw_obj(&j, NULL);
    hm_jw_hex(&j, "id", id, HM_ID_BYTES);
    hm_jw_str(&j, "token", token);
    hm_jw_str(&j, "command", line.len && !line.error ? (const char *)line.data : "");
    hm_jw_time_ms(&j, "expires", expires_ms);
    hm_jw_str(&j, "server", named ? server : "");
    hm_jw_str(&j, "ca_sha256", s->ca_sha256);
    hm_jw_obj(&j, "package");
    hm_jw_bool(&j, "available", there);
    if (there) {
        hm_jw_str(&j, "sha256", p.sha256);
        hm_jw_u64(&j, "size", p.size);
    }
    hm_jw_str(&j, "note",
              !there   ? hm_text(&no_package, c->lang)
              : !named ? hm_text(&no_host, c->lang)
              : loopback(s->agents_listen) || loopback(s->console_listen)
                  ? hm_text(&only_local, c->lang)
                  : "");
    hm_jw_end_obj(&j);
    hm_jw_end_obj(&j);
}

void hm_handle_token_new(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"group", HM_ARG_TEXT, false, 1, 64},
                                             {"uses", HM_ARG_UINT, false, 1, 100000},
                                             {"expires_s", HM_ARG_UINT, false, 60, 30 * 86400}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    uint8_t id[HM_ID_BYTES];
    char token[64];
    int r;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    uint64_t ttl_s = a[2].present ? a[2].u64 : 3600;
    r = hm_enroll_token_create(w->control, c->who.tenant, a[0].present ? a[0].text : "default",
                               a[1].present ? a[1].u64 : 1, ttl_s, c->who.user, id, token);
    if (r)
        return hm_call_error(c, r);
    answer_token(w, c, id, token, hm_control_now_ms() + ttl_s * 1000);
}
