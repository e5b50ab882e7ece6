/* See args.h. */
#include "server/api/args.h"
#include "server/api/limits.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

static int fault(struct hm_args_fault *f, const char *field, const char *en, const char *ja)
{
    snprintf(f->field, sizeof f->field, "%s", field);
    f->en = en;
    f->ja = ja;
    return -EINVAL;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hm_args_hex(const char *text, uint8_t *ret, size_t len)
{
    if (strlen(text) != len * 2)
        return false;
    for (size_t i = 0; i < len * 2; i++)
        if (hex_digit(text[i]) < 0 || (text[i] >= 'A' && text[i] <= 'F'))
            return false;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return true;
}

/* Well-formed UTF-8 as RFC 3629 says: no surrogates, nothing overlong, nothing past U+10FFFF. */
bool hm_args_utf8(struct hm_slice s, size_t *ret_characters)
{
    size_t i = 0, count = 0;

    while (i < s.len) {
        uint8_t c = s.p[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 9;
        if (more == 9 || s.len - i <= more)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s.p[i + k] & 0xc0) != 0x80)
                return false;
        if (more >= 2) {
            uint8_t d = s.p[i + 1];
            if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d >= 0xa0) || (c == 0xf0 && d < 0x90) ||
                (c == 0xf4 && d >= 0x90))
                return false;
        }
        i += more + 1;
        count++;
    }
    *ret_characters = count;
    return true;
}

char *hm_args_unescape(struct hm_slice s, bool plus, struct hm_arena *a)
{
    char *out = hm_arena_alloc(a, s.len + 1);
    size_t n = 0, chars;

    if (!out)
        return NULL;
    for (size_t i = 0; i < s.len; i++) {
        int c = s.p[i];
        if (c == '%') {
            int hi = s.len - i > 2 ? hex_digit(s.p[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
            if (lo < 0)
                return NULL;
            c = hi << 4 | lo;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return NULL;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return hm_args_utf8(hm_slice(out, n), &chars) ? out : NULL;
}

static bool digits(const char **p, int n, long *ret)
{
    *ret = 0;
    for (int i = 0; i < n; i++) {
        if ((*p)[0] < '0' || (*p)[0] > '9')
            return false;
        *ret = *ret * 10 + *(*p)++ - '0';
    }
    return true;
}

/* "Z" or "+09:00", in seconds. */
static bool zone(const char **p, long *ret_s)
{
    long h, m, sign = **p == '-' ? -1 : 1;

    *ret_s = 0;
    if (**p == 'Z')
        return (*p)++, true;
    if (**p != '+' && **p != '-')
        return false;
    (*p)++;
    if (!digits(p, 2, &h) || **p != ':' || ((*p)++, !digits(p, 2, &m)) || h > 14 || m > 59)
        return false;
    *ret_s = sign * (h * 3600 + m * 60);
    return true;
}

bool hm_args_time(const char *text, uint64_t *ret_ns)
{
    const char *p = text;
    long y, mo, d, h, mi, s, frac = 0, off;
    struct tm tm = {0}, back;
    time_t t;

    if (!digits(&p, 4, &y) || *p != '-' || (p++, !digits(&p, 2, &mo)) || *p != '-' ||
        (p++, !digits(&p, 2, &d)) || (*p != 'T' && *p != 't') || (p++, !digits(&p, 2, &h)) ||
        !(*p == ':') || (p++, !digits(&p, 2, &mi)) || *p != ':' || (p++, !digits(&p, 2, &s)))
        return false;
    if (*p == '.') {
        long scale = 100000000;
        if (p[1] < '0' || p[1] > '9')
            return false;
        for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
            frac += (*p - '0') * scale;
    }
    if (!zone(&p, &off) || *p || y < 1970 || y > 2200 || mi > 59 || s > 59 || h > 23)
        return false;
    tm = (struct tm){.tm_year = (int)y - 1900,
                     .tm_mon = (int)mo - 1,
                     .tm_mday = (int)d,
                     .tm_hour = (int)h,
                     .tm_min = (int)mi,
                     .tm_sec = (int)s};
    t = timegm(&tm);
    if (!gmtime_r(&t, &back) || back.tm_mday != d || back.tm_mon != mo - 1 || t - off < 0)
        return false; /* 31 February */
    *ret_ns = (uint64_t)(t - off) * 1000000000u + (uint64_t)frac;
    return true;
}

static bool parse_uint(const char *text, uint64_t *ret)
{
    size_t n = strlen(text);

    if (n == 0 || n > 15)
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *ret = *ret * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

static int check_uint(const struct hm_param *p, uint64_t v, struct hm_arg *arg,
                      struct hm_args_fault *f)
{
    if (v < p->min || v > p->max)
        return fault(f, p->name, "out of range", "範囲外です");
    arg->u64 = v;
    return 0;
}

static int check_text(const struct hm_param *p, const char *text, struct hm_arg *arg,
                      struct hm_args_fault *f)
{
    size_t chars, len = strlen(text);

    if (!hm_args_utf8(hm_slice(text, len), &chars))
        return fault(f, p->name, "not valid UTF-8", "正しい UTF-8 ではありません");
    for (size_t i = 0; i < len && p->kind == HM_ARG_TEXT; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return fault(f, p->name, "control characters", "制御文字は使えません");
    if (chars < p->min)
        return fault(f, p->name, chars ? "too short" : "must not be empty",
                     chars ? "短すぎます" : "空にはできません");
    if (chars > p->max)
        return fault(f, p->name, "too long", "長すぎます");
    arg->text = text;
    return 0;
}

/* One value given as text. */
static int take_text(const struct hm_param *p, const char *text, struct hm_arg *arg,
                     struct hm_args_fault *f)
{
    uint8_t key[8];

    arg->present = true;
    switch (p->kind) {
    case HM_ARG_TEXT:
    case HM_ARG_SECRET:
        return check_text(p, text, arg, f);
    case HM_ARG_ID:
        if (hm_args_hex(text, arg->id, sizeof arg->id))
            return 0;
        return fault(f, p->name, "32 hex digits are expected", "16 進数 32 桁で指定してください");
    case HM_ARG_KEY:
        if (!hm_args_hex(text, key, sizeof key))
            return fault(f, p->name, "16 hex digits are expected",
                         "16 進数 16 桁で指定してください");
        for (size_t i = 0; i < sizeof key; i++)
            arg->u64 = arg->u64 << 8 | key[i];
        return 0;
    case HM_ARG_TIME:
        if (hm_args_time(text, &arg->u64))
            return 0;
        return fault(f, p->name, "a time like 2026-11-21T22:00:00Z is expected",
                     "2026-11-21T22:00:00Z のような時刻を指定してください");
    case HM_ARG_UINT: {
        uint64_t v;
        if (!parse_uint(text, &v))
            return fault(f, p->name, "a number is expected", "数を指定してください");
        return check_uint(p, v, arg, f);
    }
    case HM_ARG_BOOL:
        arg->flag = strcmp(text, "true") == 0;
        if (arg->flag || strcmp(text, "false") == 0)
            return 0;
        return fault(f, p->name, "true or false is expected", "true か false を指定してください");
    }
    return -EINVAL;
}

static int take_json(const struct hm_param *p, const cJSON *v, struct hm_arena *a,
                     struct hm_arg *arg, struct hm_args_fault *f)
{
    arg->present = true;
    if (p->kind == HM_ARG_UINT) {
        if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > 9e15 ||
            floor(v->valuedouble) != v->valuedouble)
            return fault(f, p->name, "a whole number is expected", "整数を指定してください");
        return check_uint(p, (uint64_t)v->valuedouble, arg, f);
    }
    if (p->kind == HM_ARG_BOOL) {
        if (!cJSON_IsBool(v))
            return fault(f, p->name, "true or false is expected",
                         "true か false を指定してください");
        arg->flag = cJSON_IsTrue(v);
        return 0;
    }
    if (!cJSON_IsString(v))
        return fault(f, p->name, "a string is expected", "文字列を指定してください");
    const char *copy = hm_arena_strndup(a, v->valuestring, strlen(v->valuestring));
    if (!copy)
        return fault(f, p->name, "too long", "長すぎます");
    return take_text(p, copy, arg, f);
}

/* The index of a name, or n. */
static size_t find(const struct hm_param *params, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(params[i].name, name) != 0)
        i++;
    return i;
}

static int check_slot(const struct hm_param *params, size_t n, const struct hm_arg *args,
                      const char *name, size_t *ret_i, struct hm_args_fault *f)
{
    *ret_i = find(params, n, name);
    if (*ret_i == n)
        return fault(f, name, "unknown", "未知の項目です");
    if (args[*ret_i].present)
        return fault(f, name, "given twice", "二重に指定されています");
    return 0;
}

static int check_required(const struct hm_param *params, size_t n, const struct hm_arg *args,
                          struct hm_args_fault *f)
{
    for (size_t i = 0; i < n; i++)
        if (params[i].required && !args[i].present)
            return fault(f, params[i].name, "missing", "必須の項目です");
    return 0;
}

static int take_pair(struct hm_slice pair, const struct hm_param *params, size_t n,
                     struct hm_arena *a, struct hm_arg *args, struct hm_args_fault *f)
{
    const uint8_t *eq = pair.len ? memchr(pair.p, '=', pair.len) : NULL;
    size_t name_len = eq ? (size_t)(eq - pair.p) : pair.len, i;
    char *name = hm_args_unescape(hm_slice(pair.p, name_len), true, a);
    char *value = eq ? hm_args_unescape(hm_slice(eq + 1, pair.len - name_len - 1), true, a) : NULL;
    int r;

    if (!name || !value)
        return fault(f, name ? name : "", "malformed query", "問い合わせの形式が不正です");
    r = check_slot(params, n, args, name, &i, f);
    if (r == 0 && *value == 0 && params[i].min == 0)
        return 0; /* "?state=" is as good as absent */
    return r ? r : take_text(&params[i], value, &args[i], f);
}

int hm_args_query(const char *query, const struct hm_param *params, size_t n, struct hm_arena *a,
                  struct hm_arg *args, struct hm_args_fault *f)
{
    int r;

    memset(args, 0, n * sizeof *args);
    for (size_t count = 0; query && *query;) {
        size_t len = strcspn(query, "&");
        if (len && ++count > HM_API_QUERY_MAX)
            return fault(f, "", "too many parameters", "項目が多すぎます");
        if (len && (r = take_pair(hm_slice(query, len), params, n, a, args, f)) < 0)
            return r;
        query += len + (query[len] == '&');
    }
    return check_required(params, n, args, f);
}

/* cJSON keeps NUL (from its escape) inside C strings, where it would cut them short unseen. */
static bool has_nul(struct hm_slice s)
{
    if (!s.p)
        return false;
    return memmem(s.p, s.len, "\\u0000", 6) || memchr(s.p, 0, s.len);
}

int hm_args_body(struct hm_slice body, const struct hm_param *params, size_t n, struct hm_arena *a,
                 struct hm_arg *args, struct hm_args_fault *f)
{
    cJSON *root = NULL, *child;
    char *text;
    size_t count = 0, i, chars;
    int r = 0;

    memset(args, 0, n * sizeof *args);
    if (has_nul(body) || !hm_args_utf8(body, &chars))
        return fault(f, "", "the body is not JSON in UTF-8", "本文が UTF-8 の JSON ではありません");
    text = body.p ? hm_arena_strndup(a, body.p, body.len) : NULL;
    root = text ? cJSON_ParseWithOpts(text, NULL, true) : NULL;
    if (!cJSON_IsObject(root))
        r = fault(f, "", "the body must be a JSON object",
                  "本文は JSON オブジェクトにしてください");
    else
        cJSON_ArrayForEach(child, root)
        {
            if (++count > HM_API_QUERY_MAX)
                r = fault(f, "", "too many members", "項目が多すぎます");
            if (r == 0)
                r = check_slot(params, n, args, child->string ? child->string : "", &i, f);
            if (r == 0 && !cJSON_IsNull(child))
                r = take_json(&params[i], child, a, &args[i], f);
            if (r)
                break;
        }
    cJSON_Delete(root);
    return r ? r : check_required(params, n, args, f);
}
