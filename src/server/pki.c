/* Certificates by OpenSSL: making, issuing, reading. See pki.h for what it refuses. */
#include "server/pki.h"

#include "base/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#define CA_DAYS     (20 * 365)
#define SERIAL_BITS 127         /* positive, at most 20 bytes (RFC 5280), not guessable */
#define BACKDATE_S  (24 * 3600) /* endpoints whose clock is a little behind must connect, too */

EVP_PKEY *hm_pki_key_new(void)
{
    return EVP_EC_gen("P-256");
}

static int set_serial(X509 *x)
{
    BIGNUM *n = BN_new();
    int ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
             BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok;
}

static int add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static X509 *blank(EVP_PKEY *pub, const char *name, uint32_t days)
{
    X509 *x = X509_new();
    if (!x)
        return NULL;
    X509_NAME *subject = X509_get_subject_name(x);
    if (X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATE_S) &&
        X509_gmtime_adj(X509_getm_notAfter(x), (long)days * 24 * 3600) &&
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const uint8_t *)"Hinomi", -1, -1,
                                   0) &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1,
                                   0) &&
        X509_set_pubkey(x, pub))
        return x;
    X509_free(x);
    return NULL;
}

int hm_pki_ca_new(EVP_PKEY *key, const char *name, X509 **ret_ca)
{
    X509 *x = blank(key, name, CA_DAYS);
    if (x && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
        add_ext(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_ext(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_ext(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256())) {
        *ret_ca = x;
        return 0;
    }
    X509_free(x);
    return -EIO;
}

static int add_name(GENERAL_NAMES *names, int type, const char *text)
{
    GENERAL_NAME *n = a2i_GENERAL_NAME(NULL, NULL, NULL, type, text, 0);
    if (n && sk_GENERAL_NAME_push(names, n))
        return 1;
    GENERAL_NAME_free(n);
    return 0;
}

static int add_host(GENERAL_NAMES *names, const char *host, size_t len)
{
    char text[256];
    uint8_t addr[16];

    if (len == 0 || len >= sizeof text)
        return 0;
    memcpy(text, host, len);
    text[len] = 0;
    bool ip = inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
    if (!ip &&
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != len)
        return 0;
    return add_name(names, ip ? GEN_IPADD : GEN_DNS, text);
}

static int add_alt_names(X509 *x, const struct hm_pki_leaf *leaf)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    int ok = names && add_name(names, GEN_URI, leaf->uri);

    for (const char *p = leaf->hosts; ok && p && *p;) {
        size_t len = strcspn(p, ",");
        ok = add_host(names, p, len);
        p += len + (p[len] == ',');
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

int hm_pki_issue(EVP_PKEY *ca_key, X509 *ca, EVP_PKEY *pub, const struct hm_pki_leaf *leaf,
                 X509 **ret_cert)
{
    X509 *x = blank(pub, leaf->name, leaf->days);
    if (!x)
        return -EIO;
    if (!add_alt_names(x, leaf)) {
        X509_free(x);
        return -EINVAL;
    }
    if (X509_set_issuer_name(x, X509_get_subject_name(ca)) &&
        add_ext(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_ext(x, ca, NID_key_usage, "critical,digitalSignature") &&
        add_ext(x, ca, NID_ext_key_usage, leaf->hosts ? "serverAuth" : "clientAuth") &&
        add_ext(x, ca, NID_subject_key_identifier, "hash") &&
        add_ext(x, ca, NID_authority_key_identifier, "keyid:always") &&
        X509_sign(x, ca_key, EVP_sha256())) {
        *ret_cert = x;
        return 0;
    }
    X509_free(x);
    return -EIO;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &len) &&
           strcmp(group, "prime256v1") == 0;
}

int hm_pki_csr_key(struct hm_slice der, EVP_PKEY **ret_key)
{
    const uint8_t *p = der.p;
    int r = -EBADMSG;

    X509_REQ *req = der.len > 0 && der.len < 8192 ? d2i_X509_REQ(NULL, &p, (long)der.len) : NULL;
    EVP_PKEY *key = req && p == der.p + der.len ? X509_REQ_get_pubkey(req) : NULL;
    if (key)
        r = is_p256(key) && X509_REQ_verify(req, key) == 1 ? 0 : -EKEYREJECTED;
    X509_REQ_free(req);
    if (r)
        EVP_PKEY_free(key);
    else
        *ret_key = key;
    return r;
}

int hm_pki_cert_der(X509 *cert, struct hm_buf *out)
{
    uint8_t *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n <= 0)
        return -EIO;
    hm_buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    return out->error;
}

int hm_pki_cert_serial(X509 *cert, struct hm_buf *out)
{
    const ASN1_INTEGER *s = X509_get0_serialNumber(cert);
    hm_buf_put(out, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    return out->error;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_endpoint_uri(const ASN1_IA5STRING *uri, uint8_t ret_id[16])
{
    const size_t prefix = sizeof HM_PKI_ENDPOINT_URI - 1;
    const uint8_t *p = ASN1_STRING_get0_data(uri);

    if ((size_t)ASN1_STRING_length(uri) != prefix + 32 ||
        memcmp(p, HM_PKI_ENDPOINT_URI, prefix) != 0)
        return -EINVAL;
    for (size_t i = 0; i < 16; i++) {
        int hi = hex_digit(p[prefix + 2 * i]), lo = hex_digit(p[prefix + 2 * i + 1]);
        if (hi < 0 || lo < 0)
            return -EINVAL;
        ret_id[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

int hm_pki_cert_endpoint(X509 *cert, uint8_t ret_id[16])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int r = -EINVAL;

    /* Exactly one name, ours: anything else was not made by hm_pki_issue() for an endpoint. */
    if (names && sk_GENERAL_NAME_num(names) == 1) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, 0);
        if (n->type == GEN_URI)
            r = parse_endpoint_uri(n->d.uniformResourceIdentifier, ret_id);
    }
    GENERAL_NAMES_free(names);
    return r;
}

int hm_pki_key_sha256(EVP_PKEY *key, uint8_t ret[32])
{
    uint8_t point[HM_PUBKEY_BYTES];
    size_t len;

    if (!EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof point, &len) ||
        len != sizeof point)
        return -EINVAL;
    hm_sha256(hm_slice(point, len), ret);
    return 0;
}

/* Both writers end here: nobody ever sees half a file, and a name that exists is on disk. */
static int finish(FILE *f, const char *tmp, const char *path, int ok)
{
    ok = ok && fflush(f) == 0 && fsync(fileno(f)) == 0;
    ok = fclose(f) == 0 && ok;
    if (ok && rename(tmp, path) == 0)
        return 0;
    int r = errno ? -errno : -EIO;
    unlink(tmp);
    return r;
}

static FILE *open_aside(const char *path, mode_t mode, char *tmp, size_t len)
{
    snprintf(tmp, len, "%s.new", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return NULL;
    FILE *f = fchmod(fd, mode) == 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        close(fd);
    return f;
}

int hm_pki_write_key(const char *path, EVP_PKEY *key)
{
    char tmp[4096];
    FILE *f = open_aside(path, 0600, tmp, sizeof tmp);
    if (!f)
        return -errno;
    return finish(f, tmp, path, PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
}

int hm_pki_write_certs(const char *path, X509 *const *certs, size_t n)
{
    char tmp[4096];
    int ok = 1;
    FILE *f = open_aside(path, 0644, tmp, sizeof tmp);
    if (!f)
        return -errno;
    for (size_t i = 0; ok && i < n; i++)
        ok = PEM_write_X509(f, certs[i]);
    return finish(f, tmp, path, ok);
}

EVP_PKEY *hm_pki_read_key(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *k = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return k;
}

X509 *hm_pki_read_cert(const char *path)
{
    FILE *f = fopen(path, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return x;
}
