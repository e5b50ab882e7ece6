/* Feeds as they come: STIX, MISP, CSV, signature-base and warning lists; whole, malformed, cut off
 * and out of memory. */
#include "detect/indicator/indicator.h"
#include "detect/indicator/json.h"
#include "detect/indicator/regex.h"
#include "detect/indicator/stix_pattern.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#define NOW 1700000000
#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MD5 "0c2674c3a97c53082187d930efb645c2"

/* --- memory that ends ------------------------------------------------------------------------- */
static long allocations_left = -1; /* -1: without end */
static bool only_one;              /* fails; else all after it do too */

static bool may_allocate(void)
{
    if (allocations_left < 0 || allocations_left-- > 0)
        return true;
    if (!only_one)
        allocations_left = 0;
    return false;
}
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t s);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t s);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n)
{
    return may_allocate() ? __real_malloc(n) : NULL;
}
void *__wrap_calloc(size_t n, size_t s)
{
    return may_allocate() ? __real_calloc(n, s) : NULL;
}
void *__wrap_realloc(void *p, size_t n)
{
    return may_allocate() ? __real_realloc(p, n) : NULL;
}

/* --- helpers ---------------------------------------------------------------------------------- */
struct seen {
    char notes[8192]; /* "outcome reason@line:column place (detail)\n" */
    size_t len;
};

static const char *reason_id(enum hm_intel_reason r)
{
    static const char *const ids[] = {
#define R(id, ...) #id,
#include "detect/indicator/reasons.def"
#undef R
    };
    return ids[r];
}

static void take_note(void *ctx, const struct hm_intel_note *n)
{
    struct seen *s = ctx;
    int w = snprintf(s->notes + s->len, sizeof s->notes - s->len, "%s %s@%u:%u%s%s\n",
                     hm_intel_outcome_name(n->outcome), reason_id(n->reason), n->line, n->column,
                     *n->place ? " " : "", n->place);
    s->len += w > 0 && (size_t)w < sizeof s->notes - s->len ? (size_t)w : 0;
}

struct loaded {
    struct hm_intel *i;
    struct hm_intel_report rep;
    struct seen seen;
    uint64_t duplicates;
};

static int load_slice(struct loaded *l, struct hm_slice text, enum hm_intel_format format,
                      const struct hm_warnlist *w, bool force)
{
    struct hm_intel_builder *b = hm_intel_builder_new(w, 7);
    struct hm_intel_feed how = {.format = format, .force = force};
    *l = (struct loaded){0};
    if (!b)
        return -ENOMEM;
    int r = hm_intel_import(b, text, &how, NOW, take_note, &l->seen, &l->rep, NULL);
    if (r == 0)
        r = hm_intel_build_memory(b, HM_INTEL_FULL, &l->duplicates, &l->i);
    hm_intel_builder_free(b);
    return r;
}

static void load(struct loaded *l, const char *text, enum hm_intel_format format)
{
    assert_int_equal(load_slice(l, hm_slice_str(text), format, NULL, false), 0);
}

static size_t find(const struct loaded *l, enum hm_intel_kind k, const char *value, uint64_t now)
{
    return hm_intel_find(l->i, k, hm_slice_str(value), now, NULL, NULL);
}

static void keep_hit(void *ctx, const struct hm_intel_hit *h)
{
    *(struct hm_intel_hit *)ctx = *h;
}

static void same_text(struct hm_slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.p, text, s.len);
}

static struct hm_slice ip4(const char bytes[4])
{
    return hm_slice(bytes, 4);
}

/* --- formats ---------------------------------------------------------------------------------- */
static void the_format_shows_in_the_first_bytes(void **state)
{
    static const struct {
        const char *text, *name;
        enum hm_intel_format format;
    } rows[] = {
        {"{\"type\":\"bundle\",\"objects\":[]}", NULL, HM_INTEL_FORMAT_STIX},
        {"{\"more\":false,\"objects\":[]}", NULL, HM_INTEL_FORMAT_STIX},
        {" {\"Event\":{}}", NULL, HM_INTEL_FORMAT_MISP},
        {"{\"response\":[]}", NULL, HM_INTEL_FORMAT_MISP},
        {"[{\"Event\":{}}]", NULL, HM_INTEL_FORMAT_MISP},
        {"type,value\nip,1.2.3.4\n", NULL, HM_INTEL_FORMAT_CSV},
        {"# made today\n# first_seen,sha256,label\n2024-01-01," SHA ",x\n", NULL,
         HM_INTEL_FORMAT_CSV},
        {"1.2.3.4\nevil.com\n", NULL, HM_INTEL_FORMAT_LIST},
        {"#\n", "signature-base/hash-iocs.txt", HM_INTEL_FORMAT_HASHES},
        {"#\n# LOKI C2 IOCs\n", NULL, HM_INTEL_FORMAT_HOSTS},
        {"", NULL, HM_INTEL_FORMAT_LIST},
    };
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_intel_detect(hm_slice_str(rows[i].text), rows[i].name), rows[i].format);
}

/* --- STIX ------------------------------------------------------------------------------------- */
static void patterns_become_ways_or_say_why_not(void **state)
{
    static const struct {
        const char *pattern;
        int r;
        size_t ways;
        enum hm_intel_reason why;
        uint32_t column;
    } rows[] = {
        {"[file:hashes.'SHA-256' = '" SHA "']", 0, 1, 0, 0},
        {"[ipv4-addr:value = '1.2.3.4' OR domain-name:value = 'a.com']", 0, 2, 0, 0},
        {"[ipv4-addr:value IN ('1.2.3.4','1.2.3.5','1.2.3.6')]", 0, 3, 0, 0},
        {"[file:name = 'a.exe' AND (file:hashes.MD5 = 'x' OR file:hashes.MD5 = 'y')]", 0, 2, 0, 0},
        {"[(url:value = 'a' OR url:value = 'b') AND (file:name = 'c' OR file:name = 'd')]", 0, 4, 0,
         0},
        {"[url:value = 'a'] OR [url:value = 'b']", 0, 2, 0, 0},
        {"([url:value = 'a'] OR ([url:value = 'b']))", 0, 2, 0, 0},
        {"[ url:value='it\\'s \\\\ here' ]", 0, 1, 0, 0},
        {"[url:value = 'a'] AND [url:value = 'b']", -ENOTSUP, 0, HM_INTEL_WHY_PATTERN_OBSERVATIONS,
         19},
        {"[url:value = 'a'] FOLLOWEDBY [url:value = 'b']", -ENOTSUP, 0,
         HM_INTEL_WHY_PATTERN_OBSERVATIONS, 19},
        {"[url:value = 'a'] WITHIN 5 SECONDS", -ENOTSUP, 0, HM_INTEL_WHY_PATTERN_OBSERVATIONS, 19},
        {"[url:value = 'a'", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 17},
        {"[url:value 'a']", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 12},
        {"[url:value = 'a]", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 14},
        {"[url = 'a']", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 2},
        {"url:value = 'a'", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 1},
        {"", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 1},
        {"[url:value = 'a'] junk", -EBADMSG, 0, HM_INTEL_WHY_PATTERN, 19},
    };
    struct hm_stix_pattern p;
    size_t n;
    (void)state;
    hm_stix_pattern_init(&p);
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        int r = hm_stix_pattern_parse(&p, hm_slice_str(rows[i].pattern));
        if (r != rows[i].r || p.why != rows[i].why || p.column != rows[i].column)
            fail_msg("%s: %d %s column %u", rows[i].pattern, r, reason_id(p.why), p.column);
        hm_stix_ways(&p, &n);
        if (r == 0)
            assert_int_equal(n, rows[i].ways);
    }
    hm_stix_pattern_done(&p);
}

static void a_pattern_that_explodes_is_refused(void **state)
{
    struct hm_buf text = HM_BUF(1 << 20);
    struct hm_stix_pattern p;
    (void)state;
    hm_stix_pattern_init(&p);
    hm_buf_puts(&text, "[");
    for (int i = 0; i < 14; i++) /* two to the fourteenth */
        hm_buf_puts(&text, i ? " AND (url:value='a' OR url:value='b')"
                             : "(url:value='a' OR url:value='b')");
    hm_buf_puts(&text, "]");
    assert_int_equal(hm_stix_pattern_parse(&p, hm_buf_slice(&text)), -E2BIG);
    hm_buf_clear(&text);
    for (int i = 0; i < 5000; i++)
        hm_buf_puts(&text, i ? "(" : "[");
    assert_int_equal(hm_stix_pattern_parse(&p, hm_buf_slice(&text)), -E2BIG);
    hm_buf_done(&text);
    hm_stix_pattern_done(&p);
}

static const char bundle[] =
    "{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":[\n"
    "{\"type\":\"identity\",\"id\":\"identity--7\",\"name\":\"CERT \\u00e9\"},\n"
    "{\"type\":\"marking-definition\",\"id\":\"marking-definition--own\",\"definition_type\":"
    "\"tlp\","
    "\"definition\":{\"tlp\":\"amber\"}},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--1\",\"name\":\"C2 of "
    "X\",\"created_by_ref\":\"identity--7\","
    "\"pattern_type\":\"stix\",\"pattern\":\"[domain-name:value = 'evil.com' OR ipv4-addr:value = "
    "'192.0.2.7']\",\"confidence\":85,\"valid_from\":\"2023-01-01T00:00:00Z\",\"valid_until\":"
    "\"2024-01-01T00:00:00Z\",\"object_marking_refs\":[\"marking-definition--own\"]},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--2\",\"pattern\":\"[file:name = 'tool.exe' AND "
    "file:hashes.'SHA-256' = '" SHA "']\",\"valid_from\":\"2023-01-01T00:00:00Z\","
    "\"object_marking_refs\":[\"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003\"]},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--3\",\"revoked\":true,\"pattern\":\"[url:value='"
    "http://x.com/']\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--4\",\"pattern\":\"[url:value='http://old.com/']\","
    "\"valid_until\":\"2020-01-01T00:00:00Z\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--5\",\"pattern\":\"[url:value=\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--6\",\"pattern_type\":\"yara\",\"pattern\":\"rule "
    "x{}\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--7\",\"pattern\":\"[windows-registry-key:key = "
    "'HKLM']\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--8\",\"pattern\":\"[file:name LIKE "
    "'inv%.exe']\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--9\",\"pattern\":\"[network-traffic:dst_ref.value "
    "= "
    "'198.51.100.9' AND network-traffic:dst_port = 4444]\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--10\",\"pattern\":\"[file:name != 'a.exe']\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--11\",\"pattern\":\"[ipv4-addr:value ISSUBSET "
    "'203.0.113.0/24']\",\"confidence\":\"high\"},\n"
    "{\"type\":\"indicator\",\"id\":\"indicator--12\",\"pattern\":\"[ipv4-addr:value ISSUBSET "
    "'203.0.113.0/24']\"}\n]}";

static void a_bundle_loads_entry_by_entry(void **state)
{
    struct loaded l;
    struct hm_intel_hit h;
    (void)state;
    load(&l, bundle, HM_INTEL_FORMAT_AUTO);
    assert_string_equal(l.seen.notes, "revoked WITHDRAWN@6:0 /objects/4\n"
                                      "expired ENDED@7:0 /objects/5\n"
                                      "malformed PATTERN@8:12 /objects/6\n"
                                      "unsupported PATTERN_TYPE@9:0 /objects/7\n"
                                      "unsupported PATTERN_OBJECT@10:2 /objects/8\n"
                                      "unsupported PATTERN_NOT@13:2 /objects/11\n"
                                      "malformed BAD_CONFIDENCE@14:0 /objects/12\n");
    assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED], 6);
    assert_int_equal(hm_intel_stats(l.i).joins, 2);
    assert_int_equal(
        hm_intel_find(l.i, HM_INTEL_DOMAIN, hm_slice_str("a.evil.com"), NOW, keep_hit, &h), 1);
    same_text(h.source, "CERT \xc3\xa9");
    same_text(h.label, "C2 of X");
    same_text(h.found, "evil.com");
    assert_int_equal(h.confidence, 85);
    assert_int_equal(h.tlp, HM_TLP_AMBER);
    assert_int_equal(h.valid_from_s, 1672531200);
    assert_int_equal(find(&l, HM_INTEL_DOMAIN, "evil.com", 1672531199), 0); /* not yet */
    assert_int_equal(find(&l, HM_INTEL_DOMAIN, "evil.com", 1704067199), 1);
    assert_int_equal(find(&l, HM_INTEL_DOMAIN, "evil.com", 1704067200), 0);    /* no more */
    assert_int_equal(find(&l, HM_INTEL_REGEX, "/home/u/Invoice.exe", NOW), 0); /* STIX is cased */
    assert_int_equal(find(&l, HM_INTEL_REGEX, "/home/u/invoice.exe", NOW), 1);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "/home/inv/x.exe", NOW), 0);
    assert_int_equal(hm_intel_find(l.i, HM_INTEL_IP, ip4("\xcb\0\x71\x20"), NOW, NULL, NULL), 1);
    hm_intel_free(l.i);
}

struct counted {
    size_t count;
    struct hm_intel_hit last;
};

static void count_hit(void *ctx, const struct hm_intel_hit *h)
{
    struct counted *c = ctx;
    c->count++;
    c->last = *h;
}

static size_t match(const struct hm_intel *i, const struct hm_event *e, struct counted *c)
{
    *c = (struct counted){0};
    size_t n = hm_intel_match_event(i, e, NOW, count_hit, c);
    assert_int_equal(n, c->count);
    return n;
}

static void values_joined_by_and_must_meet_on_one_event(void **state)
{
    static struct hm_event e;
    static const uint8_t sha[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                    0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                    0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    struct loaded l;
    struct counted c;
    (void)state;
    load(&l, bundle, HM_INTEL_FORMAT_STIX);
    assert_int_equal(hm_intel_find(l.i, HM_INTEL_SHA256, hm_slice(sha, 32), NOW, NULL, NULL), 0);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_SHA256, hm_slice(sha, 32));
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/tmp/other.exe"));
    assert_int_equal(match(l.i, &e, &c), 0);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/tmp/tool.exe"));
    assert_int_equal(match(l.i, &e, &c), 1);
    assert_int_equal(c.last.field, HM_F_PROCESS_SHA256);
    assert_int_equal(c.last.tlp, HM_TLP_AMBER_STRICT);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_DST_IP, ip4("\xc6\x33\x64\x09"));
    hm_event_set_u64(&e, HM_F_DST_PORT, 443);
    assert_int_equal(match(l.i, &e, &c), 0);
    hm_event_set_u64(&e, HM_F_DST_PORT, 4444);
    assert_int_equal(match(l.i, &e, &c), 1);
    hm_intel_free(l.i);
}

static void a_bundle_cut_anywhere_keeps_what_was_complete(void **state)
{
    struct loaded l;
    (void)state;
    size_t first = (size_t)(strstr(bundle, "indicator--2") - bundle) - 33;
    for (size_t n = 60; n < sizeof bundle - 1; n += 7) {
        assert_int_equal(load_slice(&l, hm_slice(bundle, n), HM_INTEL_FORMAT_STIX, NULL, false), 0);
        assert_int_equal(l.rep.outcomes[HM_INTEL_CUT_OFF], 1);
        assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED] >= 2, n >= first);
        hm_intel_free(l.i);
    }
}

/* --- MISP ------------------------------------------------------------------------------------- */
static const char event[] =
    "{\"Event\":{\"info\":\"Campaign "
    "Y\",\"Orgc\":{\"name\":\"CIRCL\"},\"Tag\":[{\"name\":\"tlp:green\"}],\n"
    "\"Attribute\":[\n"
    "{\"type\":\"filename|sha256\",\"value\":\"a.exe|" SHA
    "\",\"to_ids\":true,\"comment\":\"dropper\"},\n"
    "{\"type\":\"domain|ip\",\"value\":\"evil.com|192.0.2.7\",\"to_ids\":true},\n"
    "{\"type\":\"ip-dst|port\",\"value\":\"198.51.100.9|443\",\"to_ids\":\"1\",\"Tag\":[{\"name\":"
    "\"tlp:red\"},{\"name\":\"misp:confidence-level=\\\"usually-confident\\\"\"}]},\n"
    "{\"type\":\"comment\",\"value\":\"see blog\",\"to_ids\":false},\n"
    "{\"type\":\"ssdeep\",\"value\":\"3:abc\",\"to_ids\":true},\n"
    "{\"type\":\"md5\",\"value\":\"nothex\",\"to_ids\":true},\n"
    "{\"type\":\"url\",\"value\":\"hxxp://bad[.]example/x\",\"deleted\":true,\"to_ids\":true},\n"
    "{\"value\":\"x\"}],\n"
    "\"Object\":[{\"name\":\"file\",\"Attribute\":[{\"type\":\"md5\",\"value\":\"" MD5
    "\",\"to_ids\":true}]}],\n"
    "\"RelatedEvent\":[{\"Event\":{\"info\":\"other\"}}]}}";

static void an_event_of_misp_loads_what_is_for_detection(void **state)
{
    struct loaded l;
    struct hm_intel_hit h;
    (void)state;
    load(&l, event, HM_INTEL_FORMAT_AUTO);
    assert_string_equal(l.seen.notes, "ignored NOT_FOR_DETECTION@6:0 /0/Event/Attribute/3\n"
                                      "unsupported TYPE@7:0 /0/Event/Attribute/4\n"
                                      "malformed HASH_DIGITS@8:0 /0/Event/Attribute/5\n"
                                      "revoked WITHDRAWN@9:0 /0/Event/Attribute/6\n"
                                      "malformed NO_FIELD@10:0 /0/Event/Attribute/7\n");
    assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED], 5);
    assert_int_equal(l.rep.kinds[HM_INTEL_NAME], 0); /* the name alone would hit the innocent */
    assert_int_equal(
        hm_intel_find(l.i, HM_INTEL_DOMAIN, hm_slice_str("evil.com"), NOW, keep_hit, &h), 1);
    same_text(h.source, "CIRCL");
    same_text(h.label, "Campaign Y");
    assert_int_equal(h.tlp, HM_TLP_GREEN);
    assert_int_equal(hm_intel_find(l.i, HM_INTEL_IP, ip4("\xc6\x33\x64\x09"), NOW, keep_hit, &h),
                     1);
    assert_int_equal(h.tlp, HM_TLP_RED);
    assert_int_equal(h.confidence, 75);
    hm_intel_free(l.i);
}

static void misp_comes_in_several_wrappings(void **state)
{
    static const char *const rows[] = {
        "{\"response\":[{\"Event\":{\"Attribute\":[{\"type\":\"md5\",\"value\":\"" MD5 "\"}]}}]}",
        "{\"response\":{\"Attribute\":[{\"type\":\"md5\",\"value\":\"" MD5 "\"}]}}",
        "{\"Attribute\":[{\"type\":\"md5\",\"value\":\"" MD5 "\"}]}",
        "[{\"Event\":{\"Attribute\":[{\"type\":\"md5\",\"value\":\"" MD5 "\"}]}}]",
        "[{\"type\":\"md5\",\"value\":\"" MD5 "\"}]",
    };
    struct loaded l;
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        load(&l, rows[i], HM_INTEL_FORMAT_MISP);
        assert_string_equal(l.seen.notes, "");
        assert_int_equal(l.rep.kinds[HM_INTEL_MD5], 1);
        hm_intel_free(l.i);
    }
}

static void a_cut_off_event_keeps_what_was_complete(void **state)
{
    struct loaded l;
    (void)state;
    for (size_t n = 12; n < sizeof event - 1; n += 5) {
        assert_int_equal(load_slice(&l, hm_slice(event, n), HM_INTEL_FORMAT_MISP, NULL, false), 0);
        assert_int_equal(l.rep.outcomes[HM_INTEL_CUT_OFF], 1);
        hm_intel_free(l.i);
    }
}

static void what_is_no_feed_is_an_error(void **state)
{
    struct loaded l;
    struct hm_buf b = HM_BUF(1 << 20);
    (void)state;
    hm_buf_puts(&b, "{\"a\":\"");
    for (int i = 0; i < 5000; i++)
        hm_buf_puts(&b, "x");
    hm_buf_puts(&b, "\"}");
    assert_int_equal(load_slice(&l, hm_buf_slice(&b), HM_INTEL_FORMAT_STIX, NULL, false), -EBADMSG);
    assert_int_equal(load_slice(&l, hm_buf_slice(&b), HM_INTEL_FORMAT_MISP, NULL, false), -EBADMSG);
    assert_int_equal(load_slice(&l, hm_slice_str("a,b\n1,2\n"), HM_INTEL_FORMAT_CSV, NULL, false),
                     -EBADMSG);
    hm_buf_clear(&b);
    for (int i = 0; i < 100000; i++) /* a bomb: deeper than any stack */
        hm_buf_puts(&b, i ? "[" : "{\"objects\":[");
    assert_int_equal(load_slice(&l, hm_buf_slice(&b), HM_INTEL_FORMAT_STIX, NULL, false), 0);
    assert_string_equal(l.seen.notes, "over-limit JSON_DEPTH@1:0 /objects/0\n");
    hm_intel_free(l.i);
    hm_buf_done(&b);
}

/* --- CSV -------------------------------------------------------------------------------------- */
static void columns_are_known_by_their_header(void **state)
{
    static const char text[] =
        "type;value;valid_until;confidence;tlp;description\r\n"
        "ip;192.0.2.7;2030-01-01T00:00:00Z;90;red;\"first; with \"\"quotes\"\"\"\r\n"
        "domain;\"evil.com\";;;;\"two\nlines\"\r\n"
        "sha256;nothex;;;;\r\n"
        "imphash;abc;;;;\r\n"
        "ip;192.0.2.8;soon;;;\r\n"
        "ip;192.0.2.9;;101;;\r\n"
        "ip;192.0.2.10\r\n"
        "ip;\"192.0.2.11\"x;;;;\r\n"
        "url;hxxp://bad[.]example/x;;;;last\r\n";
    struct loaded l;
    struct hm_intel_hit h;
    (void)state;
    load(&l, text, HM_INTEL_FORMAT_AUTO);
    assert_string_equal(l.seen.notes, "malformed HASH_DIGITS@5:0\n"
                                      "unsupported TYPE@6:0\n"
                                      "malformed BAD_TIME@7:0\n"
                                      "malformed BAD_CONFIDENCE@8:0\n"
                                      "malformed COLUMNS@9:0\n"
                                      "malformed QUOTE@10:0\n");
    assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED], 3);
    assert_int_equal(hm_intel_find(l.i, HM_INTEL_IP, ip4("\xc0\0\x02\x07"), NOW, keep_hit, &h), 1);
    same_text(h.label, "first; with \"quotes\"");
    assert_int_equal(h.confidence, 90);
    assert_int_equal(h.tlp, HM_TLP_RED);
    assert_int_equal(h.valid_until_s, 1893456000);
    hm_intel_free(l.i);
}

static void a_column_per_kind_gives_several_values(void **state)
{
    struct loaded l;
    (void)state;
    load(&l,
         "# first_seen_utc,sha256_hash,md5_hash,file_name,signature\n"
         "\"2023-01-01\", \"" SHA "\", \"" MD5 "\", \"x.bin\", \"Mirai\"\n"
         "\"2023-01-01\", \"" SHA "\", \"" MD5,
         HM_INTEL_FORMAT_AUTO);
    assert_string_equal(l.seen.notes, "cut-off CUT@3:0\n");
    assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED], 3);
    hm_intel_free(l.i);
}

/* --- merging ---------------------------------------------------------------------------------- */
static void duplicates_keep_the_best_of_each(void **state)
{
    static const char text[] = "value,valid_from,valid_until,confidence,tlp,label,source\n"
                               "evil.com,2023-02-01,2024-02-01,30,red,weak,A\n"
                               "EVIL.com,2023-01-01,2024-01-01,80,green,strong,B\n"
                               "evil[.]com.,2023-03-01,2023-12-01,10,,,A\n"
                               "203.0.113.0/24,,,,,one,A\n203.0.113.7/24,,,60,,two,B\n";
    struct loaded l;
    struct hm_intel_hit h;
    (void)state;
    load(&l, text, HM_INTEL_FORMAT_CSV);
    assert_int_equal(l.duplicates, 3);
    assert_int_equal(hm_intel_stats(l.i).count, 2);
    assert_int_equal(
        hm_intel_find(l.i, HM_INTEL_DOMAIN, hm_slice_str("evil.com"), NOW, keep_hit, &h), 1);
    assert_int_equal(h.confidence, 80);
    assert_int_equal(h.tlp, HM_TLP_RED);
    assert_int_equal(h.valid_from_s, 1672531200);
    assert_int_equal(h.valid_until_s, 1706745600);
    same_text(h.label, "strong");
    assert_true(h.source.p && h.source.len == 4 && memmem(h.source.p, h.source.len, "A", 1) &&
                memmem(h.source.p, h.source.len, "B", 1));
    assert_int_equal(hm_intel_find(l.i, HM_INTEL_IP, ip4("\xcb\0\x71\xff"), NOW, keep_hit, &h), 1);
    assert_int_equal(h.confidence, 60);
    hm_intel_free(l.i);
}

/* --- path patterns ---------------------------------------------------------------------------- */
static unsigned no_cost(void *ctx, uint32_t gram)
{
    (void)ctx, (void)gram;
    return 0;
}

static void patterns_are_filed_under_bytes_they_need(void **state)
{
    static const struct {
        const char *pattern;
        size_t grams; /* 0: tried on every path */
    } rows[] = {{"\\\\usbclass\\.sys", 1},
                {"(one1|two2)", 2},
                {"(one1|tw)", 0},
                {"abc", 0},
                {"abcd?", 0},
                {"abcde?", 1},
                {"ab[cd]ef", 0},
                {"(?i)ABCD", 1},
                {"x*abcd+", 1},
                {"(abcd)?", 0},
                {"(abcd)?wxyz", 1},
                {"abcd|efgh", 2},
                {"(?!abcd)wxyz", 1},
                {"a{4}", 0},
                {"[a-z]{4}abcd", 1},
                {"\\x41bcd", 0},
                {"(?x)abcd", 0},
                {"\\Qabcd\\E", 0},
                {"[[:alpha:]]abcd", 0},
                {"((((abcd))))", 1},
                {"abcd{0}efgh", 1},
                {"[]abcd]wxyz", 1},
                {"(?<name>abcd)", 0},
                {"ab\\.cd", 1},
                {"x\\.(exe|dll)$", 2},
                {"ab(cd|e)", 0},
                {"ab(cd|ef)?gh", 0},
                {"(ab|c)defg", 1},
                {"ab\xc3\xb6wxyz", 1},
                {"\xc3\xb6mask", 0}};
    uint32_t grams[HM_GRAMS_MAX];
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        size_t n = hm_intel_regex_grams(hm_slice_str(rows[i].pattern), grams, no_cost, NULL);
        if (n != rows[i].grams)
            fail_msg("%s: %zu", rows[i].pattern, n);
    }
}

static void file_names_of_signature_base_match_both_slashes(void **state)
{
    static const char text[] = "# Regin\n\\\\usbclass\\.sys;80\n"
                               "# Tools\n(?i)\\\\procdump(64)?\\.exe;50;(?i)(SysInternals\\\\)\n"
                               "x\\.y$;nope\n(unclosed;60\n[^\\\\]{3}evil;70\n";
    struct loaded l;
    struct hm_intel_hit h;
    (void)state;
    load(&l, text, HM_INTEL_FORMAT_FILENAMES);
    assert_string_equal(l.seen.notes, "malformed BAD_SCORE@5:0\nmalformed BAD_REGEX@6:0\n");
    assert_int_equal(
        hm_intel_find(l.i, HM_INTEL_REGEX, hm_slice_str("/mnt/c/usbclass.sys"), NOW, keep_hit, &h),
        1);
    same_text(h.label, "Regin");
    assert_int_equal(h.confidence, 80);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "C:\\usbclass.sys", NOW), 1);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "C:\\Tools\\ProcDump64.exe", NOW), 1);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "C:\\SysInternals\\ProcDump64.exe", NOW), 0);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "/a/bcdevil", NOW), 1);
    assert_int_equal(find(&l, HM_INTEL_REGEX, "/a/cdevil", NOW), 0);
    hm_intel_free(l.i);
}

/* --- warning lists ---------------------------------------------------------------------------- */
static const char *const lists[] = {
    "{\"list\":[\"10.0.0.0/8\",\"8.8.8.8\",\"2001:4860::/32\",\"junk\"],\"matching_attributes\":"
    "[\"ip-dst\",\"url\"],\"name\":\"blocks\",\"type\":\"cidr\",\"version\":1}",
    "{\"name\":\"hosts\",\"type\":\"hostname\",\"matching_attributes\":[\"domain\",\"url\"],"
    "\"list\":"
    "[\"github.com\"]}",
    "{\"name\":\"strings\",\"type\":\"string\",\"list\":[\"" MD5
    "\",\".google.com\",\"intranet.corp\"]}",
    "{\"name\":\"parts\",\"type\":\"substring\",\"matching_attributes\":[\"url\"],\"list\":[\"/w3c/"
    "\"]}",
    "{\"name\":\"patterns\",\"type\":\"regex\",\"list\":[\"/^update[0-9]+\\\\.vendor\\\\.com$/"
    "i\"]}"};

static struct hm_warnlist *warnlist(void)
{
    struct hm_warnlist *w = hm_warnlist_new();
    uint64_t skipped = 0;
    for (size_t i = 0; w && i < HM_ARRAY_LEN(lists); i++)
        assert_int_equal(hm_warnlist_add(w, hm_slice_str(lists[i]), &skipped, NULL), 0);
    assert_int_equal(skipped, 1);
    assert_int_equal(hm_warnlist_seal(w), 0);
    return w;
}

static void warning_lists_name_what_they_hold(void **state)
{
    static const struct {
        enum hm_intel_kind kind;
        const char *value, *list;
    } rows[] = {{HM_INTEL_IP, "10.1.2.3", "blocks"},
                {HM_INTEL_IP, "10.1.0.0/16", "blocks"},
                {HM_INTEL_IP, "11.1.2.3", NULL},
                {HM_INTEL_IP, "8.8.8.8", "blocks"},
                {HM_INTEL_IP, "2001:4860:4860::8888", "blocks"},
                {HM_INTEL_URL, "http://10.0.0.1/x", "blocks"},
                {HM_INTEL_DOMAIN, "github.com", "hosts"},
                {HM_INTEL_DOMAIN, "raw.github[.]com", "hosts"},
                {HM_INTEL_DOMAIN, "notgithub.com", NULL},
                {HM_INTEL_URL, "hxxps://github.com/evil/x", "hosts"},
                {HM_INTEL_MD5, MD5, "strings"},
                {HM_INTEL_DOMAIN, "www.google.com", "strings"},
                {HM_INTEL_DOMAIN, "Intranet.Corp", "strings"},
                {HM_INTEL_URL, "http://x.com/w3c/y", "parts"},
                {HM_INTEL_PATH, "/w3c/y", NULL},
                {HM_INTEL_DOMAIN, "UPDATE7.vendor.com", "patterns"},
                {HM_INTEL_DOMAIN, "updates.vendor.com", NULL}};
    struct hm_warnlist *w = warnlist();
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        const char *name = hm_warnlist_find(w, rows[i].kind, hm_slice_str(rows[i].value));
        if (!name != !rows[i].list || (name && strcmp(name, rows[i].list) != 0))
            fail_msg("%s: %s", rows[i].value, name ? name : "none");
    }
    hm_warnlist_free(w);
}

static void what_is_on_a_warning_list_is_set_aside_unless_forced(void **state)
{
    struct hm_warnlist *w = warnlist();
    struct hm_slice text = hm_slice_str("evil.com\nwww.google.com\n" MD5 "\n");
    struct loaded l;
    (void)state;
    assert_int_equal(load_slice(&l, text, HM_INTEL_FORMAT_LIST, w, false), 0);
    assert_string_equal(l.seen.notes, "warned LISTED@2:0\nwarned LISTED@3:0\n");
    assert_int_equal(hm_intel_stats(l.i).count, 1);
    hm_intel_free(l.i);
    assert_int_equal(load_slice(&l, text, HM_INTEL_FORMAT_LIST, w, true), 0);
    assert_string_equal(l.seen.notes, "");
    assert_int_equal(hm_intel_stats(l.i).count, 3);
    hm_intel_free(l.i);
    hm_warnlist_free(w);
}

static void what_is_no_warning_list_is_refused(void **state)
{
    static const char *const rows[] = {"", "[]", "{\"name\":\"x\"}",
                                       "{\"name\":\"x\",\"type\":\"odd\"}",
                                       "{\"name\":\"x\",\"type\":\"string\",\"list\":[\"a\""};
    struct hm_warnlist *w = hm_warnlist_new();
    uint64_t skipped = 0;
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_warnlist_add(w, hm_slice_str(rows[i]), &skipped, NULL), -EBADMSG);
    assert_int_equal(hm_warnlist_count(w), 0);
    hm_warnlist_free(w);
}

/* --- when memory ends ------------------------------------------------------------------------- */
static void memory_may_end_anywhere(void **state)
{
    static const struct {
        const char *text;
        enum hm_intel_format format;
    } rows[] = {{bundle, HM_INTEL_FORMAT_STIX},
                {event, HM_INTEL_FORMAT_MISP},
                {"type,value\nip,10.9.8.7\nip,203.0.113.0/24\n", HM_INTEL_FORMAT_CSV},
                {"# x\n\\\\usbclass\\.sys;80;(?i)no\nabcd;90\n", HM_INTEL_FORMAT_FILENAMES},
                {"evil.com\n" MD5 "\n1.2.3.4\n", HM_INTEL_FORMAT_LIST}};
    struct loaded l, whole;
    (void)state;
    for (size_t k = 0; k < 2 * HM_ARRAY_LEN(rows); k++) {
        load(&whole, rows[k / 2].text, rows[k / 2].format);
        uint64_t count = hm_intel_stats(whole.i).count, failures = 0;
        hm_intel_free(whole.i);
        only_one = k & 1;
        for (long n = 0; n < 100; n++) {
            allocations_left = n;
            int r = load_slice(&l, hm_slice_str(rows[k / 2].text), rows[k / 2].format, NULL, false);
            allocations_left = -1;
            if (r != 0 && r != -ENOMEM)
                fail_msg("%zu after %ld allocations: %s", k, n, strerror(-r));
            failures += r != 0;
            if (r != 0)
                continue;
            /* What was survived changed nothing. */
            assert_int_equal(hm_intel_stats(l.i).count, count);
            assert_string_equal(l.seen.notes, whole.seen.notes);
            hm_intel_free(l.i);
        }
        assert_in_range(failures, 8, 99);
    }
}

/* --- the corpus ------------------------------------------------------------------------------- */
static bool map_file(const char *path, struct hm_slice *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    *ret = hm_slice(p, (size_t)st.st_size);
    return p != MAP_FAILED;
}

static void the_whole_corpus_loads(void **state)
{
    static const struct {
        const char *file;
        enum hm_intel_format format;
        uint64_t loaded, noted, count;
    } rows[] = {
        {"signature-base/hash-iocs.txt", HM_INTEL_FORMAT_HASHES, 3224, 0, 3053},
        {"signature-base/c2-iocs.txt", HM_INTEL_FORMAT_HOSTS, 1844, 0, 1773},
        {"signature-base/filename-iocs.txt", HM_INTEL_FORMAT_FILENAMES, 3828, 0, 3711},
    };
    struct loaded l;
    struct hm_slice text;
    char path[512];
    (void)state;
    if (access(HM_CORPUS_DIR, R_OK) < 0) {
        print_message("skipped: the corpus is not beside this checkout\n");
        skip();
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        snprintf(path, sizeof path, "%s/%s", HM_CORPUS_DIR, rows[i].file);
        assert_true(map_file(path, &text));
        assert_int_equal(hm_intel_detect(text, path), rows[i].format);
        assert_int_equal(load_slice(&l, text, HM_INTEL_FORMAT_AUTO, NULL, false), 0);
        print_message("%s: %llu loaded, set of %llu\n%s", rows[i].file,
                      (unsigned long long)l.rep.outcomes[HM_INTEL_LOADED],
                      (unsigned long long)hm_intel_stats(l.i).count, l.seen.notes);
        assert_int_equal(l.rep.outcomes[HM_INTEL_LOADED], rows[i].loaded);
        assert_string_equal(l.seen.notes, "");
        assert_int_equal(hm_intel_stats(l.i).count, rows[i].count);
        assert_int_equal(hm_intel_stats(l.i).regex_failed, 0);
        hm_intel_free(l.i);
        munmap((void *)(uintptr_t)text.p, text.len);
    }
}

static void the_corpus_of_warning_lists_loads(void **state)
{
    static const struct {
        const char *name;
        uint64_t skipped;
    } rows[] = {{"common-ioc-false-positive", 0},
                {"empty-hashes", 0},
                {"google", 0},
                {"microsoft", 0},
                {"public-dns-v4", 0},
                {"rfc1918", 0},
                {"security-provider-blogpost", 0}};
    struct hm_slice text;
    char path[512];
    struct hm_warnlist *w = hm_warnlist_new();
    (void)state;
    if (access(HM_CORPUS_DIR, R_OK) < 0) {
        print_message("skipped: the corpus is not beside this checkout\n");
        hm_warnlist_free(w);
        skip();
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        uint64_t skipped = 0;
        snprintf(path, sizeof path, "%s/warninglists/%s/list.json", HM_CORPUS_DIR, rows[i].name);
        assert_true(map_file(path, &text));
        assert_int_equal(hm_warnlist_add(w, text, &skipped, NULL), 0);
        assert_int_equal(skipped, rows[i].skipped);
        munmap((void *)(uintptr_t)text.p, text.len);
    }
    assert_int_equal(hm_warnlist_seal(w), 0);
    assert_int_equal(hm_warnlist_count(w), 69 + 6 + 669 + 191 + 62745 + 3 + 647);
    assert_string_equal(hm_warnlist_find(w, HM_INTEL_IP, hm_slice_str("192.168.7.7")),
                        "List of RFC 1918 CIDR blocks");
    assert_non_null(hm_warnlist_find(w, HM_INTEL_SHA256, hm_slice_str(SHA)));
    assert_null(hm_warnlist_find(w, HM_INTEL_IP, hm_slice_str("192.0.2.7")));
    hm_warnlist_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_format_shows_in_the_first_bytes),
        cmocka_unit_test(patterns_become_ways_or_say_why_not),
        cmocka_unit_test(a_pattern_that_explodes_is_refused),
        cmocka_unit_test(a_bundle_loads_entry_by_entry),
        cmocka_unit_test(values_joined_by_and_must_meet_on_one_event),
        cmocka_unit_test(a_bundle_cut_anywhere_keeps_what_was_complete),
        cmocka_unit_test(an_event_of_misp_loads_what_is_for_detection),
        cmocka_unit_test(misp_comes_in_several_wrappings),
        cmocka_unit_test(a_cut_off_event_keeps_what_was_complete),
        cmocka_unit_test(what_is_no_feed_is_an_error),
        cmocka_unit_test(columns_are_known_by_their_header),
        cmocka_unit_test(a_column_per_kind_gives_several_values),
        cmocka_unit_test(duplicates_keep_the_best_of_each),
        cmocka_unit_test(patterns_are_filed_under_bytes_they_need),
        cmocka_unit_test(file_names_of_signature_base_match_both_slashes),
        cmocka_unit_test(warning_lists_name_what_they_hold),
        cmocka_unit_test(what_is_on_a_warning_list_is_set_aside_unless_forced),
        cmocka_unit_test(what_is_no_warning_list_is_refused),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(the_whole_corpus_loads),
        cmocka_unit_test(the_corpus_of_warning_lists_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
