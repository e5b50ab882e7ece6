/* See types.h. */
#include "detect/indicator/types.h"

#define ONE(name, kind)                                                                            \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            HM_INTEL_##kind, HM_PART_NONE                                                          \
        }                                                                                          \
    }
#define BOTH(name, one, two)                                                                       \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            HM_INTEL_##one, HM_INTEL_##two                                                         \
        }                                                                                          \
    }
#define PORT(name, kind)                                                                           \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            HM_INTEL_##kind, HM_PART_SKIP                                                          \
        }                                                                                          \
    }

static const struct hm_intel_type types[] = {
    ONE("md5", MD5),
    ONE("sha1", SHA1),
    ONE("sha256", SHA256),
    ONE("md5_hash", MD5),
    ONE("sha1_hash", SHA1),
    ONE("sha256_hash", SHA256),
    ONE("sha-1", SHA1),
    ONE("sha-256", SHA256),
    ONE("filehash-md5", MD5),
    ONE("filehash-sha1", SHA1),
    ONE("filehash-sha256", SHA256),
    BOTH("filename|md5", NAME, MD5),
    BOTH("filename|sha1", NAME, SHA1),
    BOTH("filename|sha256", NAME, SHA256),
    {"malware-sample", {HM_INTEL_NAME, HM_INTEL_MD5}},
    ONE("ip-dst", IP),
    ONE("ip-src", IP),
    ONE("ip", IP),
    ONE("ipv4", IP),
    ONE("ipv6", IP),
    ONE("ipv4-addr", IP),
    ONE("ipv6-addr", IP),
    ONE("ip_address", IP),
    ONE("dst_ip", IP),
    ONE("cidr", IP),
    PORT("ip-dst|port", IP),
    PORT("ip-src|port", IP),
    PORT("ip:port", IP),
    ONE("domain", DOMAIN),
    ONE("domain-name", DOMAIN),
    ONE("domain_name", DOMAIN),
    ONE("hostname", DOMAIN),
    ONE("host", DOMAIN),
    ONE("fqdn", DOMAIN),
    BOTH("domain|ip", DOMAIN, IP),
    PORT("hostname|port", DOMAIN),
    ONE("url", URL),
    ONE("uri", URL),
    ONE("link", URL),
    ONE("filename", NAME),
    ONE("file_name", NAME),
    ONE("file", NAME),
    ONE("filepath", PATH),
    ONE("file_path", PATH),
    ONE("path", PATH),
    ONE("filename-pattern", REGEX),
    ONE("regex", REGEX),
    ONE("email", MAIL),
    ONE("email-src", MAIL),
    ONE("email-dst", MAIL),
    ONE("email-addr", MAIL),
    ONE("email-reply-to", MAIL),
    ONE("mail", MAIL),
};

static bool same(struct hm_slice s, const char *name)
{
    if (s.len != strlen(name))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)name[i])
            return false;
    }
    return true;
}

const struct hm_intel_type *hm_intel_type_find(struct hm_slice name)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(types); i++)
        if (same(name, types[i].name))
            return &types[i];
    return NULL;
}

static struct hm_slice split(struct hm_slice value, struct hm_slice *ret_rest)
{
    const uint8_t *bar = value.len ? memchr(value.p, '|', value.len) : NULL;
    *ret_rest = (struct hm_slice){0};
    if (!bar)
        return value;
    *ret_rest = hm_slice(bar + 1, (size_t)(value.p + value.len - bar - 1));
    return hm_slice(value.p, (size_t)(bar - value.p));
}

/* "1.2.3.4:443", where a type says so. */
static struct hm_slice host_alone(struct hm_slice s)
{
    const uint8_t *colon = s.len ? memchr(s.p, ':', s.len) : NULL;
    uint64_t port;
    size_t after = colon ? (size_t)(s.p + s.len - colon - 1) : 0;
    return colon && hm_intel_number(hm_slice(colon + 1, after), 65535, &port)
               ? hm_slice(s.p, (size_t)(colon - s.p))
               : s;
}

static void add_part(struct hm_feed *f, uint8_t part, struct hm_slice value, struct hm_indicator in)
{
    in.kind = (enum hm_intel_kind)part;
    in.value = hm_intel_trim(value);
    if (in.kind == HM_INTEL_NAME && in.value.len &&
        hm_intel_base_name(in.value).len != in.value.len)
        in.kind = HM_INTEL_PATH; /* feeds put whole paths there */
    hm_feed_add(f, &in);
}

/* filename|hash: the name is what the sample was called once ("invoice.pdf", "svchost.exe"): alone
 * it would hit the innocent, so the hash is what is looked for. */
void hm_intel_type_add(struct hm_feed *f, const struct hm_intel_type *t, struct hm_slice value,
                       struct hm_indicator *in)
{
    struct hm_slice rest, one = value;
    if (t->parts[1] == HM_PART_NONE) {
        add_part(f, t->parts[0], value, *in);
        return;
    }
    one = split(value, &rest);
    if (t->parts[1] == HM_PART_SKIP) {
        add_part(f, t->parts[0], rest.len ? one : host_alone(one), *in);
        return;
    }
    if (!rest.len) {
        hm_feed_note(f, HM_INTEL_MALFORMED, HM_INTEL_WHY_NO_FIELD, value, hm_slice_str(t->name), 0);
        return;
    }
    if (t->parts[0] != HM_INTEL_NAME)
        add_part(f, t->parts[0], one, *in);
    add_part(f, t->parts[1], rest, *in);
}

void hm_intel_type_name_add(struct hm_feed *f, struct hm_slice name, struct hm_slice value,
                            struct hm_indicator *in)
{
    const struct hm_intel_type *t = hm_intel_type_find(hm_intel_trim(name));
    if (t)
        hm_intel_type_add(f, t, value, in);
    else
        hm_feed_note(f, HM_INTEL_UNSUPPORTED, HM_INTEL_WHY_TYPE, value, name, 0);
}
