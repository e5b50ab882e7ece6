/* A descriptor against a set. Owns the external variables, the clock, and what a match may tell:
 * the rule's words and places, never bytes of the file. A scanner of libyara lives for one scan,
 * because it remembers the entry point of its first. */
#include "base/clock.h"
#include "detect/yara/blocks.h"
#include "detect/yara/hits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct hm_yara_scanner {
    struct hm_yara_blocks blocks;
};
struct scan { /* what libyara's callback is given */
    struct hm_yara_result *out;
};

struct hm_yara_scanner *hm_yara_scanner_new(void)
{
    struct hm_yara_scanner *s = calloc(1, sizeof *s);
    if (s && hm_yara_blocks_init(&s->blocks) < 0) {
        free(s);
        return NULL;
    }
    return s;
}

void hm_yara_scanner_free(struct hm_yara_scanner *s)
{
    if (!s)
        return;
    hm_yara_blocks_done(&s->blocks);
    free(s);
}

/* ---- what a match tells ---- */

static void take_metas(const YR_RULE *rule, struct hm_yara_hit *h, char numbers[][24])
{
    const YR_META *m;
    yr_rule_metas_foreach(rule, m)
    {
        size_t i = h->meta_count;
        if (i == HM_YARA_HIT_METAS)
            return;
        h->metas[i].key = hm_slice_str(m->identifier);
        if (m->type == META_TYPE_STRING) {
            h->metas[i].value = hm_slice_str(m->string);
        } else {
            snprintf(numbers[i], sizeof numbers[i], "%lld", (long long)m->integer);
            h->metas[i].value = hm_slice_str(numbers[i]);
        }
        h->meta_count++;
    }
}

/* False: it matched nowhere. */
static bool take_places(YR_SCAN_CONTEXT *context, const YR_STRING *string,
                        struct hm_yara_found *ret_f)
{
    struct hm_yara_found f = {.id = hm_slice_str(string->identifier)};
    const YR_MATCH *m;
    yr_string_matches_foreach(context, string, m)
    {
        if (f.offset_count < HM_YARA_HIT_OFFSETS)
            f.offsets[f.offset_count++] = (uint64_t)(m->base + m->offset);
        if (++f.count == HM_YARA_COUNT_MATCHES)
            break;
    }
    *ret_f = f;
    return f.count > 0;
}

static void take_tags(const YR_RULE *rule, char *tags, size_t max, struct hm_slice *ret)
{
    const char *tag;
    size_t n = 0;
    yr_rule_tags_foreach(rule, tag)
    {
        int k = snprintf(tags + n, max - n, "%s%s", n ? "," : "", tag);
        if (k < 0 || (size_t)k >= max - n)
            break;
        n += (size_t)k;
    }
    *ret = hm_slice(tags, n);
}

static void take_hit(YR_SCAN_CONTEXT *context, const YR_RULE *rule, struct hm_yara_result *out)
{
    char numbers[HM_YARA_HIT_METAS][24], tags[HM_YARA_HIT_TEXT];
    struct hm_yara_hit h = {.rule = hm_slice_str(rule->identifier),
                            .space = hm_slice_str(rule->ns->name)};
    const YR_STRING *s;
    if (out->hit_count == HM_YARA_HITS_MAX) {
        out->cut |= HM_YARA_CUT_HITS;
        return;
    }
    take_tags(rule, tags, sizeof tags, &h.tags);
    take_metas(rule, &h, numbers);
    yr_rule_strings_foreach(rule, s)
    {
        if (h.string_count == HM_YARA_HIT_STRINGS)
            break;
        h.string_count += take_places(context, s, &h.strings[h.string_count]);
    }
    size_t before = out->hits.len;
    hm_yara_hit_put(&h, &out->hits);
    if (out->hits.error) { /* what is there stays whole */
        out->hits.error = 0;
        out->hits.len = before;
        out->cut |= HM_YARA_CUT_HITS;
        return;
    }
    out->hit_count++;
}

static int on_scan(YR_SCAN_CONTEXT *context, int message, void *data, void *user)
{
    struct scan *s = user;
    if (message == CALLBACK_MSG_RULE_MATCHING)
        take_hit(context, data, s->out);
    else if (message == CALLBACK_MSG_TOO_MANY_MATCHES)
        s->out->cut |= HM_YARA_CUT_MATCHES;
    return CALLBACK_CONTINUE;
}

/* ---- external variables ---- */

/* LOKI's names of types, from the first bytes. */
static const char *file_type(const uint8_t *p, size_t n)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *name;
    } types[] = {{"\x7f"
                  "ELF",
                  4, "ELF"},
                 {"MZ", 2, "EXE"},
                 {"%PDF", 4, "PDF"},
                 {"PK\x03\x04", 4, "ZIP"},
                 {"Rar!", 4, "RAR"},
                 {"\x1f\x8b", 2, "GZIP"},
                 {"GIF8", 4, "GIF"},
                 {"\xff\xd8\xff", 3, "JPG"},
                 {"\x89PNG", 4, "PNG"},
                 {"{\\rtf", 5, "RTF"},
                 {"\xd0\xcf\x11\xe0", 4, "OLE"}};
    for (size_t i = 0; i < HM_ARRAY_LEN(types); i++)
        if (n >= types[i].len && memcmp(p, types[i].magic, types[i].len) == 0)
            return types[i].name;
    return "";
}

static int set_externals(YR_SCANNER *scanner, const struct hm_yara_subject *s)
{
    const char *path = s->path ? s->path : "", *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    uint8_t magic[8];
    ssize_t n = s->regions ? 0 : pread(s->fd, magic, sizeof magic, 0);
    const struct {
        const char *name, *value;
    } values[] = {{"filepath", path},
                  {"filename", name},
                  {"extension", dot ? dot : ""}, /* LOKI's has its dot */
                  {"filetype", file_type(magic, n > 0 ? (size_t)n : 0)}};
    for (size_t i = 0; i < HM_ARRAY_LEN(values); i++)
        if (yr_scanner_define_string_variable(scanner, values[i].name, values[i].value) !=
            ERROR_SUCCESS)
            return -ENOMEM;
    return 0;
}

/* ---- the scan ---- */

static int to_errno(int code)
{
    switch (code) {
    case ERROR_SUCCESS:
        return 0;
    case ERROR_SCAN_TIMEOUT:
        return -ETIME;
    case ERROR_INSUFFICIENT_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int run(struct hm_yara_blocks *b, const struct hm_yara_rules *rules,
               const struct hm_yara_subject *subject, struct hm_yara_result *out)
{
    struct scan s = {out};
    YR_SCANNER *scanner = NULL;
    if (yr_scanner_create(rules->yr, &scanner) != ERROR_SUCCESS)
        return -ENOMEM;
    /* No SIGSEGV handler of libyara's: nothing is mapped from the file, and a crash of the library
     * must end this process rather than go on in an unknown state. */
    int flags = SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING;
    yr_scanner_set_flags(scanner, flags | (subject->regions ? SCAN_FLAGS_PROCESS_MEMORY : 0));
    yr_scanner_set_timeout(scanner,
                           subject->regions ? HM_YARA_MEMORY_SECONDS : HM_YARA_SCAN_SECONDS);
    yr_scanner_set_callback(scanner, on_scan, &s);
    hm_yara_blocks_for(b, scanner);
    int r = set_externals(scanner, subject);
    if (r == 0)
        r = to_errno(yr_scanner_scan_mem_blocks(scanner, &b->iterator));
    hm_yara_blocks_for(b, NULL);
    yr_scanner_destroy(scanner);
    return r;
}

int hm_yara_scan(struct hm_yara_scanner *s, const struct hm_yara_rules *rules,
                 const struct hm_yara_subject *subject, struct hm_yara_result *ret)
{
    struct hm_yara_result out = {.hits = HM_BUF(HM_YARA_HITS_BYTES)};
    uint64_t began = hm_clock_mono_ns();
    int r = hm_yara_blocks_start(&s->blocks, subject);
    if (r < 0)
        return r;
    r = run(&s->blocks, rules, subject, &out);
    out.cut |= s->blocks.cut | (r == -ETIME ? HM_YARA_CUT_TIME : 0);
    out.size = s->blocks.size;
    out.scanned = s->blocks.scanned;
    out.spent_ns = hm_clock_mono_ns() - began;
    hm_yara_blocks_rest(&s->blocks);
    *ret = out;
    return r;
}
