/* See logins.h.
 *
 * A sentence is text with marks: %u user, %m method, %a address, %p port: a word, ended by the text
 * that follows the mark in the sentence; %U the same, ended by the last such text, because whoever
 * knocks chooses that name (it may hold "from 192.0.2.1"); %* anything up to that text. What
 * follows the sentence's end does not matter. The words of sshd, sudo and su are taken and PAM's
 * about them are not: else each of their failures would be two. */
#include "agent/engine/logins.h"
#include "base/cleanup.h"

static const struct {
    const char *program; /* NULL: any that has no words of its own */
    const char *sentence, *method;
    enum hm_login_result result;
} sentences[] = {
    {"sshd", "Accepted %m for %U from %a port %p ", NULL, HM_LOGIN_SUCCESS},
    {"sshd", "Failed %m for invalid user %U from %a port %p ", NULL, HM_LOGIN_FAILURE},
    {"sshd", "Failed %m for %U from %a port %p ", NULL, HM_LOGIN_FAILURE},
    {"sudo", "%u : %*incorrect password attempt", "sudo", HM_LOGIN_FAILURE},
    {"sudo", "%u : user NOT in sudoers", "sudo", HM_LOGIN_FAILURE},
    {"sudo", "%u : command not allowed", "sudo", HM_LOGIN_FAILURE},
    {"sudo", "%u : TTY=", "sudo", HM_LOGIN_SUCCESS},
    {"su", "FAILED SU (to %u) ", "su", HM_LOGIN_FAILURE},
    {"su", "(to %u) ", "su", HM_LOGIN_SUCCESS},
    {NULL, "pam_unix(%m:auth): authentication failure;%*rhost=%a user=%u ", NULL, HM_LOGIN_FAILURE},
    {NULL, "pam_unix(login:session): session opened for user %u(", "login", HM_LOGIN_SUCCESS},
    {NULL, "pam_unix(gdm-password:session): session opened for user %u(", "gdm-password",
     HM_LOGIN_SUCCESS},
    {NULL, "pam_unix(lightdm:session): session opened for user %u(", "lightdm", HM_LOGIN_SUCCESS},
};

static struct hm_slice *mark(struct hm_login *l, char c)
{
    switch (c) {
    case 'u':
    case 'U':
        return &l->user;
    case 'm':
        return &l->method;
    case 'a':
        return &l->address;
    case 'p':
        return &l->port;
    default:
        return NULL;
    }
}

static size_t literal(const char *s)
{
    return strcspn(s, "%");
}

/* The text after a mark, or the end of the line where the sentence's last word may stand. */
static bool find(struct hm_slice rest, const char *text, size_t n, bool last, char c,
                 size_t *ret_at)
{
    const uint8_t *p = n ? memmem(rest.p, rest.len, text, n) : NULL, *next = p;
    while (next && c == 'U' && (next = memmem(p + 1, rest.len - (size_t)(p + 1 - rest.p), text, n)))
        p = next;
    if (p)
        *ret_at = (size_t)(p - rest.p);
    else if (last && n <= 1)
        *ret_at = rest.len;
    else
        return false;
    return true;
}

static struct hm_slice trimmed(struct hm_slice s)
{
    while (s.len && s.p[0] == ' ')
        s = hm_slice(s.p + 1, s.len - 1);
    return s;
}

static bool says(const char *s, struct hm_slice rest, struct hm_login *ret_l)
{
    while (*s) {
        size_t n = literal(s), at;
        if (rest.len < n || memcmp(rest.p, s, n) != 0)
            return n == 1 && !s[1] && !rest.len; /* a final space that the line's end stands for */
        rest = hm_slice(rest.p + n, rest.len - n);
        s += n;
        if (!*s)
            return true;
        char c = s[1];
        struct hm_slice *to = mark(ret_l, c);
        s += 2;
        n = literal(s);
        /* a name may be empty, and so may the host of a login that came from none */
        if (!find(rest, s, n, !s[n], c, &at) || (to && !at && c != 'a' && c != 'U'))
            return false;
        if (to)
            *to = trimmed(hm_slice(rest.p, at));
        rest = hm_slice(rest.p + at, rest.len - at);
    }
    return true;
}

static bool speaks(const char *program, struct hm_slice tag)
{
    bool sshd = tag.len >= 4 && memcmp(tag.p, "sshd", 4) == 0; /* sshd-session too */
    if (!program)
        return !sshd && !hm_slice_eq(tag, hm_slice_str("sudo")) &&
               !hm_slice_eq(tag, hm_slice_str("su"));
    return strcmp(program, "sshd") == 0 ? sshd : hm_slice_eq(tag, hm_slice_str(program));
}

bool hm_login_of(struct hm_slice program, struct hm_slice message, struct hm_login *ret_l)
{
    message = trimmed(message);
    for (size_t i = 0; i < HM_ARRAY_LEN(sentences); i++) {
        struct hm_login l = {.result = sentences[i].result};
        if (!speaks(sentences[i].program, program) || !says(sentences[i].sentence, message, &l))
            continue;
        if (sentences[i].method)
            l.method = hm_slice_str(sentences[i].method);
        *ret_l = l;
        return true;
    }
    return false;
}
