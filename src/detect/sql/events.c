/* Owns how our own events read in SQL: the columns of the store (fields.def) as the view for
 * Sigma's generic names reads them (view/event_view.c). */
#include "detect/sql/parts.h"
#include "detect/view/bindings.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* inet_ntop() in SQL: dotted, or groups with the longest run of zeros as "::". */
#define RUN(k)                                                                                     \
    " WHEN regexp_matches(t, '(^|:)0(:0){" #k "}(:|$)') "                                          \
    "THEN regexp_replace(t, '(^|:)0(:0){" #k "}(:|$)', '::')"
#define BYTE(n) "CAST('0x' || substr(h, " #n ", 2) AS VARCHAR)::INTEGER"
const char hm_sql_events_setup[] =
    "CREATE OR REPLACE TEMP MACRO hm_dots(h) AS (" BYTE(1) " || '.' || " BYTE(3) " || '.' || " BYTE(
        5) " || '.' || " BYTE(7) ");"
                                 "CREATE OR REPLACE TEMP MACRO hm_groups(h) AS "
                                 "(list_aggregate(list_transform("
                                 "range(0, 8), lambda i: CASE WHEN ltrim(substr(h, i * 4 + 1, 4), "
                                 "'0') = '' THEN '0' "
                                 "ELSE ltrim(substr(h, i * 4 + 1, 4), '0') END), 'string_agg', "
                                 "':'));"
                                 "CREATE OR REPLACE TEMP MACRO hm_colons(t, h) AS (CASE "
                                 "WHEN regexp_matches(t, '^(0:){5}ffff:') THEN '::ffff:' || "
                                 "hm_dots(substr(h, 25, 8)) "
                                 "WHEN regexp_matches(t, '^(0:){6}[^0]') THEN '::' || "
                                 "hm_dots(substr(h, 25, 8))" RUN(7) RUN(6) RUN(5) RUN(4) RUN(3)
                                     RUN(2)
                                         RUN(1) " ELSE t END);"
                                                "CREATE OR REPLACE TEMP MACRO hm_ip(b) AS (CASE "
                                                "octet_length(b) "
                                                "WHEN 4 THEN hm_dots(hex(b)) "
                                                "WHEN 16 THEN hm_colons(hm_groups(lower(hex(b))), "
                                                "lower(hex(b))) END);";

static const char *put(struct hm_arena *a, const char *fmt, ...) HM_PRINTF(2, 3);
static const char *put(struct hm_arena *a, const char *fmt, ...)
{
    va_list ap;
    char text[8192];
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return n > 0 && (size_t)n < sizeof text ? hm_arena_strndup(a, text, (size_t)n) : NULL;
}

static void fixed(enum hm_field f, struct hm_arena *a, struct hm_sql_value *v)
{
    const char *c = hm_fields[f].column, *unit = hm_fields[f].unit;
    if (strncmp(unit, "ns since 1970", 13) == 0) {
        v->time = put(a, "make_timestamp(CAST(\"%s\" // 1000 AS BIGINT))", c);
        v->text = put(a, "strftime(%s, '%%Y-%%m-%%dT%%H:%%M:%%SZ')", v->time);
    } else if (strncmp(unit, "ns", 2) == 0) {
        v->text = put(a, "CAST(\"%s\" AS VARCHAR)", c);
        v->number = put(a, "\"%s\"", c);
    } else {
        v->text = put(a, "lpad(lower(hex(\"%s\")), 16, '0')", c);
    }
}

/* Sets of bits read as their words, enumerations as number and word. */
static const char *words(enum hm_field f, struct hm_arena *a)
{
    struct hm_words *w = hm_words_new();
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(1 << 16);
    const char *c = hm_fields[f].column, *ret = NULL;
    size_t n, found = 0;
    uint64_t bit = 1;
    if (!w)
        return NULL;
    bool bits = hm_words_of(w, f, 3, &n) && n == 2 && hm_words_of(w, f, 1, &n) && n == 1;
    if (bits)
        hm_buf_puts(&b, "list_filter([");
    for (; bits && hm_words_of(w, f, bit, &n); bit <<= 1) {
        const struct hm_datum *d = hm_words_of(w, f, bit, &n);
        hm_buf_printf(&b, "%sCASE WHEN (\"%s\" & %llu) <> 0 THEN '%.*s' END", found++ ? ", " : "",
                      c, (unsigned long long)bit, (int)d->text.len, (const char *)d->text.p);
    }
    if (bits)
        hm_buf_puts(&b, "], lambda w: w IS NOT NULL)");
    for (uint64_t v = 0; !bits && v < 256; v++) {
        const struct hm_datum *d = hm_words_of(w, f, v, &n);
        if (d && n == 2)
            found++,
                hm_buf_printf(&b, " WHEN %llu THEN ['%.*s', '%llu']", (unsigned long long)v,
                              (int)d->text.len, (const char *)d->text.p, (unsigned long long)v);
    }
    hm_buf_put_u8(&b, 0);
    if (found && !b.error && bits)
        ret = put(a,
                  "CASE WHEN \"%s\" IS NULL THEN NULL WHEN \"%s\" > 0 AND \"%s\" < %llu THEN %s "
                  "ELSE [CAST(\"%s\" AS VARCHAR)] END",
                  c, c, c, (unsigned long long)bit, (const char *)b.data, c);
    else if (found && !b.error)
        ret = put(a,
                  "CASE WHEN \"%s\" IS NULL THEN NULL ELSE (CASE \"%s\"%s ELSE [CAST(\"%s\" AS "
                  "VARCHAR)] END) END",
                  c, c, (const char *)b.data, c);
    hm_words_free(w);
    return ret;
}

static void row(enum hm_field f, struct hm_arena *a, struct hm_sql_value *v)
{
    const char *c = hm_fields[f].column;
    switch (hm_fields[f].type) {
    case HM_TYPE_STR:
        v->text = put(a, "\"%s\"", c);
        return;
    case HM_TYPE_U64:
        v->list = words(f, a);
        if (!v->list) {
            v->text = put(a, "CAST(\"%s\" AS VARCHAR)", c);
            v->number = put(a, "\"%s\"", c);
        }
        return;
    case HM_TYPE_X64:
        fixed(f, a, v);
        return;
    case HM_TYPE_IP:
        v->text = put(a, "hm_ip(\"%s\")", c);
        v->ip = put(a, "\"%s\"", c);
        return;
    case HM_TYPE_BYTES:
        v->text = put(a, "substr(lower(hex(\"%s\")), 1, %d)", c, HM_DATUM_BUF);
        return;
    case HM_TYPE_EVENTS:
        return;
    }
}

/* Names of classes and actions. */
static const char *name_of(const char *column, const char *(*name)(uint64_t), struct hm_arena *a)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(1 << 16);
    for (uint64_t v = 0; v < 65536; v++) {
        const char *is = name(v);
        if (is && *is && strcmp(is, "unknown") != 0)
            hm_buf_printf(&b, " WHEN %llu THEN '%s'", (unsigned long long)v, is);
    }
    const char *other = name(UINT64_MAX);
    hm_buf_printf(&b, " ELSE '%s' END", other ? other : "");
    hm_buf_put_u8(&b, 0);
    return b.error ? NULL
                   : put(a, "CASE WHEN \"%s\" IS NULL THEN '%s' ELSE CASE \"%s\"%s END", column,
                         other ? other : "", column, (const char *)b.data);
}

static void logon(struct hm_arena *a, struct hm_sql_value *v)
{
    struct hm_sql_value windows = {0}, user = {0};
    row(HM_F_PROCESS_LOGON_ID, a, &windows);
    row(HM_F_USER_ID, a, &user);
    if (windows.text && user.text)
        v->text = put(a, "COALESCE(%s, %s)", windows.text, user.text);
}

static bool field(void *ctx, const char *name, struct hm_arena *a, struct hm_sql_value *ret_v)
{
    struct hm_binding b = {0};
    struct hm_sql_value v = {0};
    hm_event_bind(hm_slice_str(name), &b);
    const char *c = b.field < HM_FIELD_COUNT ? hm_fields[b.field].column : "";
    switch ((enum hm_form)b.form) {
    case HM_FORM_FIELD:
        row((enum hm_field)b.field, a, &v);
        break;
    case HM_FORM_HASHES:
        v.text =
            put(a, "CASE WHEN octet_length(\"%s\") > 0 THEN 'SHA256=' || hex(\"%s\") END", c, c);
        break;
    case HM_FORM_INITIATED:
        v.text = put(a,
                     "CASE WHEN \"%s\" IS NULL THEN NULL WHEN \"%s\" = 2 THEN 'true' ELSE 'false' "
                     "END",
                     c, c);
        break;
    case HM_FORM_LOGON:
        logon(a, &v);
        break;
    case HM_FORM_LINES:
        v.list = put(a,
                     "CASE WHEN \"%s\" <> '' THEN list_slice(string_split(CASE WHEN "
                     "ends_with(\"%s\", chr(10)) THEN left(\"%s\", -1) ELSE \"%s\" END, chr(10)), "
                     "1, %u) END",
                     c, c, c, c, b.index);
        break;
    case HM_FORM_CLASS:
        v.text = name_of(c, hm_class_name, a);
        break;
    case HM_FORM_ACTION:
        v.text = name_of(c, hm_action_name, a);
        break;
    default:
        return false;
    }
    *ret_v = v;
    return v.text || v.list;
}

/* The texts that keywords look at (view/event_view.c, says()), without the envelope: rules on an
 * endpoint do not see it. */
static void texts(struct hm_buf *out, bool process)
{
    size_t n = 0;
    hm_buf_put_u8(out, '[');
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        uint32_t number = hm_fields[f].number;
        bool parent = number >= hm_fields[HM_F_PARENT_KEY].number &&
                      number <= hm_fields[HM_F_PARENT_COMMAND_LINE].number;
        bool envelope =
            number >= hm_fields[HM_F_TENANT].number && number <= hm_fields[HM_F_BATCH].number;
        if (hm_fields[f].type != HM_TYPE_STR || parent || envelope ||
            number >= hm_fields[HM_F_CONTEXT_ANCESTORS].number ||
            (!process && strncmp(hm_fields[f].name, "process.", 8) == 0))
            continue;
        hm_buf_printf(out, "%s\"%s\"", n++ ? ", " : "", hm_fields[f].column);
    }
    hm_buf_put_u8(out, ']');
}

static const char *keywords(void *ctx, struct hm_arena *a)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(1 << 16);
    hm_buf_printf(&b, "(CASE WHEN \"class\" = %u AND \"action\" = %u THEN ",
                  (unsigned)HM_CLASS_PROCESS, (unsigned)HM_ACTION_PROCESS_EXEC);
    texts(&b, true);
    hm_buf_puts(&b, " ELSE ");
    texts(&b, false);
    hm_buf_puts(&b, " END)");
    return b.error ? NULL : hm_arena_strndup(a, b.data, b.len);
}

const struct hm_sql_schema hm_sql_events = {.field = field, .keywords = keywords, .strict = true};
