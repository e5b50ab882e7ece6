/* Owns identity/: its files, their order of writing, and the text form of trust.json, a flat object
 * whose values are strings. Refuses to know what the keys are used for. */
#include "agent/identity.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER          "identity"
#define TRUST_MAX_BYTES (16 * 1024)

enum kind { TEXT, HEX };
static const struct member {
    const char *name;
    enum kind kind;
    size_t offset, size, len_offset; /* len_offset 0: HEX fills all of size */
} members[] = {
    {"server", TEXT, offsetof(struct hm_identity, server), HM_IDENTITY_SERVER_MAX, 0},
    {"tenant", TEXT, offsetof(struct hm_identity, tenant), HM_IDENTITY_NAME_MAX, 0},
    {"group", TEXT, offsetof(struct hm_identity, group), HM_IDENTITY_NAME_MAX, 0},
    {"endpoint", HEX, offsetof(struct hm_identity, endpoint), 16, 0},
    {"root_key", HEX, offsetof(struct hm_identity, root_key), HM_PUBKEY_BYTES, 0},
    {"key_set", HEX, offsetof(struct hm_identity, key_set), HM_IDENTITY_KEYSET_MAX,
     offsetof(struct hm_identity, key_set_len)},
};

/* ---- writing ----------------------------------------------------------------------------------
 */

static int text_ok(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == '"' || *s == '\\')
            return 0;
    return 1;
}

static int put_member(struct hm_buf *b, const struct hm_identity *id, const struct member *m)
{
    const uint8_t *p = (const uint8_t *)id + m->offset;
    hm_buf_printf(b, "  \"%s\": \"", m->name);
    if (m->kind == TEXT) {
        if (!text_ok((const char *)p))
            return -EINVAL;
        hm_buf_puts(b, (const char *)p);
    } else {
        size_t n = m->size;
        if (m->len_offset)
            memcpy(&n, (const uint8_t *)id + m->len_offset, sizeof n);
        for (size_t i = 0; i < n; i++)
            hm_buf_printf(b, "%02x", p[i]);
    }
    hm_buf_puts(b, "\",\n");
    return 0;
}

static int encode(const struct hm_identity *id, struct hm_buf *b)
{
    hm_buf_puts(b, "{\n");
    for (size_t i = 0; i < HM_ARRAY_LEN(members); i++) {
        int r = put_member(b, id, &members[i]);
        if (r < 0)
            return r;
    }
    hm_buf_printf(b, "  \"practice\": \"%s\"\n}\n", id->practice ? "yes" : "no");
    return b->error;
}

static int write_all(int fd, struct hm_slice s)
{
    while (s.len) {
        ssize_t n = write(fd, s.p, s.len);
        if (n < 0)
            return -errno;
        s = hm_slice(s.p + n, s.len - (size_t)n);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_file(int dir, const char *name, struct hm_slice data)
{
    char aside[64];
    snprintf(aside, sizeof aside, "%s.new", name);
    hm_autoclose int fd =
        openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = write_all(fd, data);
    if (r == 0 && renameat(dir, aside, dir, name) < 0)
        r = -errno;
    return r;
}

/* See identity.h. */
int hm_identity_save(int state_fd, const struct hm_identity *id,
                     const struct hm_identity_files *files, struct hm_error *err)
{
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(TRUST_MAX_BYTES);
    int r = encode(id, &text);
    if (r < 0)
        return hm_fail(err, r, "the identity holds a value that cannot be written");
    if (mkdirat(state_fd, FOLDER, 0700) < 0 && errno != EEXIST)
        return hm_fail(err, -errno, "cannot make the folder " FOLDER);
    hm_autoclose int dir =
        openat(state_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return hm_fail(err, -errno, "cannot open the folder " FOLDER);
    if (faccessat(dir, HM_IDENTITY_TRUST, F_OK, 0) == 0)
        return hm_fail(err, -EEXIST, "this endpoint has an identity already");
    const struct {
        const char *name;
        struct hm_slice data;
    } rows[] = {{HM_IDENTITY_KEY, files->key},
                {HM_IDENTITY_CERTIFICATE, files->certificate},
                {HM_IDENTITY_CA, files->ca},
                {HM_IDENTITY_TRUST, hm_buf_slice(&text)}};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        if ((r = write_file(dir, rows[i].name, rows[i].data)) < 0)
            return hm_fail(err, r, "cannot write %s", rows[i].name);
    if (fsync(dir) < 0 || fsync(state_fd) < 0)
        return hm_fail(err, -errno, "cannot sync the folder " FOLDER);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

struct text {
    const uint8_t *p, *end;
};

static bool accept_byte(struct text *t, char c)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\r' || *t->p == '\t'))
        t->p++;
    if (t->p >= t->end || *t->p != (uint8_t)c)
        return false;
    t->p++;
    return true;
}

/* A string without escapes: we write none, and whoever edits the file needs none. */
static bool accept_string(struct text *t, struct hm_slice *ret)
{
    if (!accept_byte(t, '"'))
        return false;
    const uint8_t *start = t->p;
    while (t->p < t->end && *t->p != '"' && *t->p != '\\' && *t->p >= 0x20)
        t->p++;
    if (t->p >= t->end || *t->p != '"')
        return false;
    *ret = hm_slice(start, (size_t)(t->p - start));
    t->p++;
    return true;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex(struct hm_slice v, const struct member *m, struct hm_identity *id)
{
    uint8_t *out = (uint8_t *)id + m->offset;
    size_t n = v.len / 2;
    if (v.len % 2 || n > m->size || (!m->len_offset && n != m->size))
        return -EBADMSG;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(v.p[2 * i]), lo = hex_digit(v.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return -EBADMSG;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    if (m->len_offset)
        memcpy((uint8_t *)id + m->len_offset, &n, sizeof n);
    return 0;
}

static int take_text(struct hm_slice v, const struct member *m, struct hm_identity *id)
{
    if (v.len >= m->size)
        return -EBADMSG;
    memcpy((uint8_t *)id + m->offset, v.p, v.len);
    ((uint8_t *)id + m->offset)[v.len] = 0;
    return 0;
}

/* Unknown members are skipped: a newer version may have written them. */
static int take(struct hm_slice name, struct hm_slice value, struct hm_identity *id, uint32_t *seen)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(members); i++) {
        if (!hm_slice_eq(name, hm_slice_str(members[i].name)))
            continue;
        *seen |= 1u << i;
        return members[i].kind == HEX ? take_hex(value, &members[i], id)
                                      : take_text(value, &members[i], id);
    }
    if (hm_slice_eq(name, hm_slice_str("practice")))
        id->practice = hm_slice_eq(value, hm_slice_str("yes"));
    return 0;
}

/* See identity.h. */
int hm_identity_parse(struct hm_slice text, struct hm_identity *ret_id, struct hm_error *err)
{
    struct text t = {text.p, text.p + text.len};
    struct hm_identity id = {0};
    struct hm_slice name, value;
    uint32_t seen = 0;
    bool more = accept_byte(&t, '{');
    while (more) {
        if (!accept_string(&t, &name) || !accept_byte(&t, ':') || !accept_string(&t, &value) ||
            take(name, value, &id, &seen) < 0)
            return hm_fail(err, -EBADMSG, HM_IDENTITY_TRUST " is damaged");
        more = accept_byte(&t, ',');
    }
    bool closed = accept_byte(&t, '}');
    accept_byte(&t, '\n');
    if (!closed || t.p != t.end || seen != (1u << HM_ARRAY_LEN(members)) - 1)
        return hm_fail(err, -EBADMSG, HM_IDENTITY_TRUST " is incomplete");
    *ret_id = id;
    return 0;
}

/* See identity.h. */
int hm_identity_open(int state_fd, const char *name, int *ret_fd, struct hm_error *err)
{
    hm_autoclose int dir =
        openat(state_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return hm_fail(err, -errno, "no folder " FOLDER ": this endpoint is not enrolled");
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return hm_fail(err, -errno, "cannot open " FOLDER "/%s", name);
    *ret_fd = fd;
    return 0;
}

/* See identity.h. */
int hm_identity_load(int state_fd, struct hm_identity *ret_id, struct hm_error *err)
{
    hm_autoclose int fd = -1;
    int r = hm_identity_open(state_fd, HM_IDENTITY_TRUST, &fd, err);
    if (r < 0)
        return r;
    hm_autofree uint8_t *text = malloc(TRUST_MAX_BYTES + 1);
    if (!text)
        return hm_fail(err, -ENOMEM, "no memory for " HM_IDENTITY_TRUST);
    ssize_t n = read(fd, text, TRUST_MAX_BYTES + 1);
    if (n < 0)
        return hm_fail(err, -errno, "cannot read " HM_IDENTITY_TRUST);
    if (n > TRUST_MAX_BYTES)
        return hm_fail(err, -EBADMSG, HM_IDENTITY_TRUST " is too long");
    return hm_identity_parse(hm_slice(text, (size_t)n), ret_id, err);
}
