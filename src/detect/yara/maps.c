/* See maps.h. */
#include "detect/yara/maps.h"
#include "base/cleanup.h"

struct line {
    struct hm_yara_region region;
    char perms[4];
    struct hm_slice path;
};

static bool hex(struct hm_slice *s, char end, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < s->len && i < 16; i++) {
        uint8_t c = s->p[i] | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    if (i == 0 || i == s->len || s->p[i] != (uint8_t)end)
        return false;
    *ret = v;
    *s = hm_slice(s->p + i + 1, s->len - i - 1);
    return true;
}

static struct hm_slice skip_word(struct hm_slice s)
{
    while (s.len && *s.p != ' ')
        s = hm_slice(s.p + 1, s.len - 1);
    while (s.len && *s.p == ' ')
        s = hm_slice(s.p + 1, s.len - 1);
    return s;
}

/* "55d0c0-55d0c1 r-xp 00000000 08:01 1234   /path (deleted)" */
static bool parse(struct hm_slice s, struct line *ret)
{
    uint64_t from, to;
    if (!hex(&s, '-', &from) || !hex(&s, ' ', &to) || to <= from || s.len < 4)
        return false;
    memcpy(ret->perms, s.p, 4);
    ret->region = (struct hm_yara_region){from, to - from};
    for (int i = 0; i < 4; i++) /* perms, offset, device, inode */
        s = skip_word(s);
    ret->path = s;
    return true;
}

static bool begins(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.p, with, n) == 0;
}

static bool ends(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.p + s.len - n, with, n) == 0;
}

/* 0 first … 3 last; -1: not read. Mapped devices may react to being read. */
static int rank(const struct line *l)
{
    bool device =
        begins(l->path, "/dev/") && !begins(l->path, "/dev/shm/") && !begins(l->path, "/dev/zero");
    if (l->perms[0] != 'r' || device || begins(l->path, "[v"))
        return -1;
    bool file = l->path.len && l->path.p[0] == '/' && !ends(l->path, " (deleted)");
    if (l->perms[2] == 'x' && !file)
        return 0;
    if (l->perms[1] == 'w' && l->perms[3] == 'p')
        return 1;
    return l->perms[2] == 'x' ? 2 : 3;
}

static size_t pick(struct hm_slice text, int want, struct hm_yara_region *ret, size_t n, size_t max)
{
    while (text.len && n < max) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t len = end ? (size_t)(end - text.p) : text.len;
        struct line l;
        if (parse(hm_slice(text.p, len), &l) && rank(&l) == want)
            ret[n++] = l.region;
        len += end != NULL;
        text = hm_slice(text.p + len, text.len - len);
    }
    return n;
}

size_t hm_yara_maps(struct hm_slice text, struct hm_yara_region *ret, size_t max)
{
    size_t n = 0;
    for (int want = 0; want <= 3; want++)
        n = pick(text, want, ret, n, max);
    return n;
}
