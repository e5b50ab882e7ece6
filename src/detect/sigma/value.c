/* Owns reading a scalar: YAML's types, Sigma's wildcards and escapes, and the way to a pattern. */
#include "detect/sigma/value.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANY = 0x01, ONE = 0x02 }; /* pattern.h: wildcards of a GLOB */

bool hm_text_has_wildcards(struct hm_text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (HM_UNIT_IS_WILDCARD(t.u[i]))
            return true;
    return false;
}

bool hm_text_has_placeholders(struct hm_text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (HM_UNIT_IS_PLACEHOLDER(t.u[i]))
            return true;
    return false;
}

const char *hm_text_bytes(struct hm_lang *l, struct hm_text t)
{
    char *s = hm_arena_alloc(l->arena, t.n + 1);
    for (size_t i = 0; s && i < t.n; i++)
        s[i] = (char)(t.u[i] & 0xff);
    return s;
}

/* "\*", "\?" and "\\" are the plain character; any other backslash is one itself. */
int hm_text_parse(struct hm_lang *l, struct hm_slice s, bool raw, struct hm_text *ret_t)
{
    struct hm_text t = {0, hm_arena_alloc(l->arena, (s.len + 1) * sizeof *t.u)};
    if (!t.u)
        return -ENOMEM;
    for (size_t i = 0; i < s.len; i++) {
        uint16_t c = s.p[i];
        uint8_t next = i + 1 < s.len ? s.p[i + 1] : 0;
        if (raw)
            ;
        else if (c == '\\' && (next == '*' || next == '?' || next == '\\'))
            c = HM_UNIT_ESCAPED | s.p[++i];
        else if (c == '*')
            c = HM_UNIT_ANY;
        else if (c == '?')
            c = HM_UNIT_ONE;
        t.u[t.n++] = c;
    }
    *ret_t = t;
    return 0;
}

int hm_text_affix(struct hm_lang *l, struct hm_text *t, enum hm_affix affix)
{
    bool lead = (affix & HM_AFFIX_SUFFIX) && !(t->n && t->u[0] == HM_UNIT_ANY);
    bool trail = (affix & HM_AFFIX_PREFIX) && !(t->n && t->u[t->n - 1] == HM_UNIT_ANY);
    struct hm_text r = {0, hm_arena_alloc(l->arena, (t->n + 2) * sizeof *r.u)};
    if (!r.u)
        return -ENOMEM;
    if (lead)
        r.u[r.n++] = HM_UNIT_ANY;
    for (size_t i = 0; i < t->n; i++)
        r.u[r.n++] = t->u[i];
    if (trail && !(r.n == 1 && lead)) /* '' with contains is one '*' */
        r.u[r.n++] = HM_UNIT_ANY;
    *t = r;
    return 0;
}

static bool one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return true;
    return false;
}

static bool is_decimal(const char *s)
{
    size_t digits = 0;
    s += *s == '-' || *s == '+';
    for (; *s >= '0' && *s <= '9'; s++)
        digits++;
    if (*s == '.') {
        for (s++; *s >= '0' && *s <= '9'; s++)
            digits++;
    }
    if (digits && (*s == 'e' || *s == 'E')) {
        s += s[1] == '-' || s[1] == '+' ? 2 : 1;
        if (*s < '0' || *s > '9')
            return false;
        while (*s >= '0' && *s <= '9')
            s++;
    }
    return digits && !*s;
}

/* A plain scalar that YAML's core schema calls an integer or a real. */
static bool read_number(const char *s, struct hm_ast_number *ret)
{
    char *end;
    bool hex = s[0] == '0' && s[1] == 'x', octal = s[0] == '0' && s[1] == 'o';
    if ((hex || octal) && s[2] &&
        strspn(s + 2, hex ? "0123456789abcdefABCDEF" : "01234567") == strlen(s + 2)) {
        errno = 0;
        ret->i = strtoll(s + 2, NULL, hex ? 16 : 8);
        return errno == 0;
    }
    if (!is_decimal(s))
        return false;
    errno = 0;
    ret->i = strtoll(s, &end, 10);
    if (!*end && errno == 0)
        return true;
    *ret = (struct hm_ast_number){.real = true, .d = strtod(s, NULL)};
    return isfinite(ret->d);
}

static const char *const truths[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
static const char *const untruths[] = {"false", "False", "FALSE", "no", "No",
                                       "NO",    "off",   "Off",   "OFF"};

int hm_value_read(struct hm_lang *l, const struct hm_yaml *y, bool raw,
                  struct hm_sigma_value *ret_v)
{
    struct hm_sigma_value v = {.place = {y->line, y->column}};
    struct hm_slice text = hm_slice(y->text, y->text_len);
    char decimal[24];
    if (y->kind != HM_YAML_SCALAR)
        return hm_fail_at(l->err, -EINVAL, y->line, y->column,
                          "a value has to be text, a number, a truth value or null here");
    if (hm_yaml_is_null(y)) {
        v.type = HM_VALUE_NULL;
    } else if (!y->quoted && read_number(y->text, &v.number)) {
        v.type = HM_VALUE_NUMBER;
        if (y->text[0] == '0' && (y->text[1] == 'x' || y->text[1] == 'o')) {
            snprintf(decimal, sizeof decimal, "%lld", (long long)v.number.i);
            text = hm_slice_str(decimal);
        }
    } else if (!y->quoted && (one_of(y->text, truths, HM_ARRAY_LEN(truths)) ||
                              one_of(y->text, untruths, HM_ARRAY_LEN(untruths)))) {
        v.type = HM_VALUE_BOOL;
        v.truth = one_of(y->text, truths, HM_ARRAY_LEN(truths));
    }
    *ret_v = v;
    return hm_text_parse(l, text, raw, &ret_v->text);
}

/* The matcher marks the wildcards of a GLOB with the bytes 0x01 and 0x02. */
static int glob(struct hm_lang *l, const struct hm_sigma_value *v, struct hm_text t, uint8_t *buf)
{
    for (size_t i = 0; i < t.n; i++) {
        if (HM_UNIT_IS_BYTE(t.u[i]) && (buf[i] == ANY || buf[i] == ONE))
            return hm_fail_at(l->err, -EINVAL, v->place.line, v->place.column,
                              "the bytes 0x01 and 0x02 cannot stand beside inner wildcards");
        if (HM_UNIT_IS_WILDCARD(t.u[i]))
            buf[i] = t.u[i] == HM_UNIT_ANY ? ANY : ONE;
    }
    return 0;
}

static void note_number(struct hm_pattern *p)
{
    uint64_t v = 0;
    if (p->kind != HM_PATTERN_EXACT || p->text.len == 0 || p->text.len > 19)
        return;
    for (size_t i = 0; i < p->text.len; i++) {
        if (p->text.p[i] < '0' || p->text.p[i] > '9')
            return;
        v = v * 10 + (p->text.p[i] - '0');
    }
    p->is_number = true;
    p->number = v;
}

static int string_pattern(struct hm_lang *l, const struct hm_sigma_value *v, bool cased,
                          struct hm_pattern *ret)
{
    struct hm_text t = v->text;
    bool head = t.n && t.u[0] == HM_UNIT_ANY;
    while (t.n && t.u[0] == HM_UNIT_ANY) {
        t.u++;
        t.n--;
    }
    bool tail = t.n && t.u[t.n - 1] == HM_UNIT_ANY;
    while (t.n && t.u[t.n - 1] == HM_UNIT_ANY)
        t.n--;
    bool inner = hm_text_has_wildcards(t);
    if (inner) /* a glob is told with its ends */
        t = v->text;
    uint8_t *buf = hm_arena_alloc(l->arena, t.n + 1);
    if (!buf)
        return -ENOMEM;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = (uint8_t)(t.u[i] & 0xff);
        buf[i] = !cased && c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    struct hm_pattern p = {.cased = cased, .text = hm_slice(buf, t.n)};
    p.kind = inner                    ? HM_PATTERN_GLOB
             : head && (tail || !t.n) ? HM_PATTERN_CONTAINS
             : head                   ? HM_PATTERN_SUFFIX
             : tail                   ? HM_PATTERN_PREFIX
             : t.n                    ? HM_PATTERN_EXACT
                                      : HM_PATTERN_EMPTY;
    int r = inner ? glob(l, v, t, buf) : 0;
    note_number(&p);
    if (!r)
        *ret = p;
    return r;
}

/* startswith and endswith of an expression: it is anchored as a whole, whatever its flags. */
static int regex_pattern(struct hm_lang *l, const struct hm_sigma_value *v, struct hm_pattern *ret)
{
    char flags[4];
    const char *source = hm_text_bytes(l, v->text);
    bool begin = v->affix == HM_AFFIX_PREFIX, end = v->affix == HM_AFFIX_SUFFIX;
    size_t room = v->text.n + 16;
    char *anchored = hm_arena_alloc(l->arena, room);
    if (!source || !anchored)
        return -ENOMEM;
    snprintf(flags, sizeof flags, "%s%s%s", v->re_i ? "i" : "", v->re_m ? "m" : "",
             v->re_s ? "s" : "");
    struct hm_slice s = hm_slice(source, v->text.n);
    if (begin || end) {
        int n =
            snprintf(anchored, room, "%s(?:%s)%s", begin ? "\\A" : "", source, end ? "\\z" : "");
        s = hm_slice(anchored, (size_t)n);
    }
    int r = hm_pattern_regex(s, flags, l->arena, ret, l->err);
    if (r && l->err) {
        l->err->line = v->place.line;
        l->err->column = v->place.column;
    }
    return r;
}

int hm_value_pattern(struct hm_lang *l, const struct hm_sigma_value *v, bool cased,
                     struct hm_pattern *ret_p)
{
    if (v->type == HM_VALUE_NULL) {
        *ret_p = (struct hm_pattern){.kind = HM_PATTERN_NULL};
        return 0;
    }
    if (v->type == HM_VALUE_REGEX)
        return regex_pattern(l, v, ret_p);
    if (v->type != HM_VALUE_CIDR)
        return string_pattern(l, v, cased, ret_p);
    const char *text = hm_text_bytes(l, v->text);
    if (!text)
        return -ENOMEM;
    if (hm_pattern_cidr(hm_slice(text, v->text.n), ret_p))
        return hm_fail_at(l->err, -EINVAL, v->place.line, v->place.column,
                          "\"%.60s\" is not an address range", text);
    return 0;
}
