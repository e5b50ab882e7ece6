/* Owns the way back in for who forgot the password. Refuses to know how passwords are kept. */
#include "server/password.h"

#include "server/core/control.h"
#include "server/state.h"

#include "base/crypto.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>

#define GROUPS 5
#define GROUP  4 /* 20 letters of 32: 100 bits */

struct who {
    char tenant[HM_TENANT_MAX];
};

static int remember_tenant(void *ctx, const struct hm_user_row *r)
{
    struct who *w = ctx;
    snprintf(w->tenant, sizeof w->tenant, "%s", r->tenant);
    return 0;
}

/* Without letters that look like another. */
static int random_password(char out[GROUPS * (GROUP + 1)])
{
    static const char letters[33] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t bytes[GROUPS * GROUP];

    if (hm_random(bytes, sizeof bytes))
        return -EIO;
    for (size_t i = 0, at = 0; i < sizeof bytes; i++) {
        out[at++] = letters[bytes[i] % 32];
        if (i % GROUP == GROUP - 1)
            out[at++] = i + 1 < sizeof bytes ? '-' : 0;
    }
    return 0;
}

static int set_random(struct hm_control *c, const char *user, char out[GROUPS * (GROUP + 1)],
                      struct hm_error *err)
{
    struct who who = {{0}};
    char hash[128];

    int r = hm_user_get(c, user, remember_tenant, &who);
    if (r)
        return hm_fail(err, r, "no user %s", user);
    if ((r = random_password(out)) || (r = hm_password_hash(out, hash)) ||
        (r = hm_user_set_password(c, who.tenant, user, hash, "root on the server")))
        return hm_fail(err, r, "cannot set the password: %s", strerror(-r));
    return 0;
}

int hm_server_password(const struct hm_server_config *c, const char *user, struct hm_error *err)
{
    static const struct hm_text text = {"user %s, new password: %s\n",
                                        "ユーザー %s の新しいパスワード: %s\n"};
    char path[HM_CONFIG_VALUE_MAX + 32], password[GROUPS * (GROUP + 1)];
    struct hm_control *control;

    snprintf(path, sizeof path, "%s/core/control.db", c->state);
    if (geteuid() != 0)
        return hm_fail(err, -EACCES, "this needs root");
    int r = hm_control_open(path, &control, err);
    if (r)
        return r;
    r = set_random(control, user, password, err);
    hm_control_close(control);
    if (!r) /* what SQLite made beside the file belongs to core */
        r = hm_state_prepare(c->state, err);
    if (!r)
        printf(hm_text(&text, hm_lang_from_env()), user, password);
    explicit_bzero(password, sizeof password);
    return r;
}
