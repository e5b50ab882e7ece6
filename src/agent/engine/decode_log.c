/* Lines of other programs' logs → events: each as it is, and what it says of a login as one. */
#include "agent/engine/logins.h"
#include "agent/engine/parts.h"
#include "base/clock.h"
#include "detect/view/sentences.h"
#include <arpa/inet.h>

static void text(struct hm_event *e, enum hm_field f, struct hm_slice s)
{
    if (s.len)
        hm_event_set(e, f, s);
}

/* ip: at least 16 bytes. false: it is a name, or nothing. */
static bool address(struct hm_slice s, uint8_t *ip, struct hm_slice *ret_ip)
{
    char buf[INET6_ADDRSTRLEN];
    if (!s.len || s.len >= sizeof buf)
        return false;
    memcpy(buf, s.p, s.len);
    buf[s.len] = 0;
    bool six = strchr(buf, ':') != NULL;
    if (inet_pton(six ? AF_INET6 : AF_INET, buf, ip) != 1)
        return false;
    *ret_ip = hm_slice(ip, six ? 16 : 4);
    return true;
}

static uint64_t number(struct hm_slice s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len && i < 6 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    return v;
}

static void tell_login(struct hm_core *c, const struct hm_log_line *l, const struct hm_login *login)
{
    uint8_t bytes[16];
    struct hm_slice ip;
    struct hm_event *e = hm_core_begin(c, HM_CLASS_AUTH, HM_ACTION_AUTH_LOGIN, hm_clock_boot_ns());
    text(e, HM_F_PROCESS_NAME, l->program);
    text(e, HM_F_USER_TARGET_NAME, login->user);
    text(e, HM_F_AUTH_METHOD, login->method);
    hm_event_set_u64(e, HM_F_AUTH_RESULT, login->result);
    text(e, HM_F_FOREIGN_SOURCE, l->source);
    if (address(login->address, bytes, &ip))
        hm_event_set(e, HM_F_SRC_IP, ip);
    if (login->port.len)
        hm_event_set_u64(e, HM_F_SRC_PORT, number(login->port));
    hm_core_emit(c, e, 0);
}

void hm_decode_log(void *ctx, const struct hm_log_line *l)
{
    struct hm_core *c = ctx;
    struct hm_login login;
    struct hm_slice tag;
    struct hm_event *e =
        hm_core_begin(c, HM_CLASS_FOREIGN, HM_ACTION_FOREIGN_LOG, hm_clock_boot_ns());
    text(e, HM_F_FOREIGN_SOURCE, l->source);
    text(e, HM_F_FOREIGN_TEXT, l->text);
    text(e, HM_F_FOREIGN_PROGRAM, l->program);
    hm_core_emit(c, e, 0);
    if (l->program.len && hm_login_of(l->program, hm_sentence_message(l->text, &tag), &login))
        tell_login(c, l, &login);
}
