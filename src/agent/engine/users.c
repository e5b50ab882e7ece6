/* See users.h. */
#include "agent/engine/users.h"
#include "agent/engine/limits.h"
#include "base/map.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_MAX_BYTES 63

struct name {
    uint8_t len;
    char text[NAME_MAX_BYTES];
};
struct hm_users {
    struct hm_map *by_uid; /* → struct name */
};

static struct hm_slice until(struct hm_slice *rest, char c)
{
    const uint8_t *end = rest->len ? memchr(rest->p, c, rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->p) : rest->len;
    struct hm_slice part = hm_slice(rest->p, n);
    n += end != NULL;
    *rest = hm_slice(rest->p + n, rest->len - n);
    return part;
}

static bool number(struct hm_slice s, uint32_t *ret)
{
    uint64_t v = 0;
    if (!s.len || s.len > 10)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    if (v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static void add(struct hm_users *u, struct hm_slice line)
{
    struct hm_slice name = until(&line, ':');
    until(&line, ':');
    uint32_t uid;
    if (!name.len || name.len > NAME_MAX_BYTES || !number(until(&line, ':'), &uid) ||
        hm_map_get(u->by_uid, uid))
        return;
    int inserted = 0;
    struct name *n = hm_map_put(u->by_uid, uid, &inserted);
    if (!n)
        return;
    n->len = (uint8_t)name.len;
    memcpy(n->text, name.p, name.len);
}

int hm_users_parse(struct hm_slice passwd, struct hm_users **ret_u)
{
    struct hm_users *u = calloc(1, sizeof *u);
    if (!u || !(u->by_uid = hm_map_new(sizeof(struct name), HM_USERS_MAX))) {
        free(u);
        return -ENOMEM;
    }
    while (passwd.len)
        add(u, until(&passwd, '\n'));
    *ret_u = u;
    return 0;
}

int hm_users_read(int fd, struct hm_users **ret_u)
{
    hm_autofree char *text = malloc(HM_USERS_FILE_BYTES);
    size_t len = 0;
    if (!text)
        return -ENOMEM;
    while (len < HM_USERS_FILE_BYTES) {
        ssize_t n = pread(fd, text + len, HM_USERS_FILE_BYTES - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return hm_users_parse(hm_slice(text, len), ret_u);
}

void hm_users_free(struct hm_users *u)
{
    if (!u)
        return;
    hm_map_free(u->by_uid);
    free(u);
}

struct hm_slice hm_users_name(const struct hm_users *u, uint32_t uid)
{
    const struct name *n = u ? hm_map_get(u->by_uid, uid) : NULL;
    return n ? hm_slice(n->text, n->len) : hm_slice(NULL, 0);
}
