/* See dns.h. */
#include "agent/engine/dns.h"
#include "agent/engine/limits.h"
#include "base/cursor.h"
#include "base/ip.h"
#include "base/map.h"
#include <errno.h>
#include <stdlib.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1 };
#define POINTERS_MAX 32 /* of one name: each leads backwards, so that more are a lie */
#define RECORDS_MAX  64

struct message {
    const uint8_t *p;
    size_t len, at;
};

static bool take(struct message *m, size_t n)
{
    if (m->len - m->at < n)
        return false;
    m->at += n;
    return true;
}

static unsigned be16(const struct message *m, size_t at)
{
    return (unsigned)(m->p[at] << 8 | m->p[at + 1]);
}

/* Letters, digits and what host names have; the rest as '?': it goes into texts for people. */
static char plain(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '.' ? (char)c : '?';
}

static bool add_label(const struct message *m, size_t at, size_t n, char *out, size_t *used)
{
    if (*used + n + 2 > HM_DNS_NAME_BYTES)
        return false;
    if (*used)
        out[(*used)++] = '.';
    for (size_t i = 0; i < n; i++)
        out[(*used)++] = plain(m->p[at + i]);
    return true;
}

/* A name at m->at, which is moved behind it; pointers have to lead backwards. */
static bool read_name(struct message *m, char out[HM_DNS_NAME_BYTES])
{
    size_t at = m->at, end = 0, used = 0;
    for (unsigned hops = 0; at < m->len;) {
        uint8_t n = m->p[at];
        if (n == 0) {
            m->at = end ? end : at + 1;
            out[used] = 0;
            return true;
        }
        if (n >= 0xc0) {
            if (at + 1 >= m->len || ++hops > POINTERS_MAX)
                return false;
            size_t to = be16(m, at) & 0x3fff;
            end = end ? end : at + 2;
            if (to >= at)
                return false;
            at = to;
            continue;
        }
        if (n > 63 || m->len - at <= n || !add_label(m, at + 1, n, out, &used))
            return false;
        at += 1u + n;
    }
    return false;
}

static void add_text(struct hm_buf *out, const char *text)
{
    if (out->len)
        hm_buf_put_u8(out, ' ');
    hm_buf_puts(out, text);
}

static void add_address(struct hm_dns_answer *a, struct hm_slice ip)
{
    char text[HM_IP_TEXT_BYTES];
    add_text(&a->answers, hm_ip_format(ip, text));
    if (a->address_count == HM_DNS_ADDRESSES_MAX)
        return;
    memcpy(a->addresses[a->address_count].ip, ip.p, ip.len);
    a->addresses[a->address_count++].len = (uint8_t)ip.len;
}

static bool read_record(struct message *m, struct hm_dns_answer *a)
{
    char name[HM_DNS_NAME_BYTES];
    if (!read_name(m, name) || !take(m, 10))
        return false;
    unsigned type = be16(m, m->at - 10), class = be16(m, m->at - 8), len = be16(m, m->at - 2);
    struct message data = {m->p, m->len, m->at};
    if (!take(m, len))
        return false;
    if (class != CLASS_IN)
        return true;
    if ((type == TYPE_A && len == 4) || (type == TYPE_AAAA && len == 16))
        add_address(a, hm_slice(m->p + data.at, len));
    else if (type == TYPE_CNAME && read_name(&data, name))
        add_text(&a->answers, name);
    return true;
}

int hm_dns_read(struct hm_slice message, struct hm_dns_answer *ret_a)
{
    struct message m = {message.p, message.len, 0};
    if (!take(&m, 12))
        return -EBADMSG;
    unsigned flags = be16(&m, 2), records = be16(&m, 6);
    if (!(flags & 0x8000) || (flags & 0x7800) || be16(&m, 4) != 1) /* an answer to one query */
        return -EBADMSG;
    ret_a->address_count = 0;
    hm_buf_clear(&ret_a->answers);
    if (!read_name(&m, ret_a->name) || !take(&m, 4))
        return -EBADMSG;
    ret_a->type = (uint16_t)be16(&m, m.at - 4);
    ret_a->rcode = flags & 15;
    for (unsigned i = 0; i < records && i < RECORDS_MAX && read_record(&m, ret_a); i++)
        ;
    return 0;
}

/* ---- names of addresses ------------------------------------------------------------------------
 */

struct slot {
    uint64_t boot_ns;
    uint8_t ip[16], ip_len, name_len;
    char name[HM_DNS_NAMES_BYTES];
};
struct hm_dns_names {
    struct slot slots[HM_DNS_NAMES_MAX];
};

struct hm_dns_names *hm_dns_names_new(void)
{
    return calloc(1, sizeof(struct hm_dns_names));
}

void hm_dns_names_free(struct hm_dns_names *n)
{
    free(n);
}

static size_t place(struct hm_slice ip)
{
    return hm_hash64(ip.p, ip.len, 0) % HM_DNS_NAMES_MAX;
}

void hm_dns_names_put(struct hm_dns_names *n, const struct hm_dns_answer *a, uint64_t boot_ns)
{
    size_t len = strlen(a->name);
    for (size_t i = 0; len && len <= HM_DNS_NAMES_BYTES && i < a->address_count; i++) {
        struct hm_slice ip = hm_slice(a->addresses[i].ip, a->addresses[i].len);
        struct slot *s = &n->slots[place(ip)];
        s->boot_ns = boot_ns;
        s->ip_len = (uint8_t)ip.len;
        s->name_len = (uint8_t)len;
        memcpy(s->ip, ip.p, ip.len);
        memcpy(s->name, a->name, len);
    }
}

struct hm_slice hm_dns_names_get(const struct hm_dns_names *n, struct hm_slice ip, uint64_t boot_ns)
{
    if (ip.len != 4 && ip.len != 16)
        return (struct hm_slice){0};
    const struct slot *s = &n->slots[place(ip)];
    if (!s->name_len || !hm_slice_eq(hm_slice(s->ip, s->ip_len), ip) ||
        (boot_ns > s->boot_ns && boot_ns - s->boot_ns > HM_DNS_NAME_NS))
        return (struct hm_slice){0};
    return hm_slice(s->name, s->name_len);
}
