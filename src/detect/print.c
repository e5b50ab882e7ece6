/* Owns the written form of a syntax tree: for tests, explanations and comparing with others.
 *   and(a, b)  or(a, b)  not(a)  Field = "x" | "y*"  Field:hour >= 5  exists(Field)  * = "*word*"
 */
#include "detect/ast.h"
#include <arpa/inet.h>
#include <stdio.h>

static void put_bytes(struct hm_slice s, bool glob, struct hm_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (glob && (c == 0x01 || c == 0x02))
            hm_buf_put_u8(out, c == 0x01 ? '*' : '?');
        else if (c == '"' || c == '\\' || ((c == '*' || c == '?')))
            hm_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            hm_buf_printf(out, "\\x%02x", c);
        else
            hm_buf_put_u8(out, c);
    }
}

static void put_string(const struct hm_pattern *p, struct hm_buf *out)
{
    bool head = p->kind == HM_PATTERN_SUFFIX || p->kind == HM_PATTERN_CONTAINS;
    bool tail = p->kind == HM_PATTERN_PREFIX || p->kind == HM_PATTERN_CONTAINS;
    hm_buf_puts(out, p->cased ? "cased \"" : "\"");
    if (head)
        hm_buf_put_u8(out, '*');
    put_bytes(p->text, p->kind == HM_PATTERN_GLOB, out);
    if (tail && !(head && p->text.len == 0))
        hm_buf_put_u8(out, '*');
    hm_buf_put_u8(out, '"');
}

static void put_pattern(const struct hm_pattern *p, struct hm_buf *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    switch (p->kind) {
    case HM_PATTERN_NULL:
        hm_buf_puts(out, "null");
        break;
    case HM_PATTERN_EMPTY:
        hm_buf_puts(out, "\"\"");
        break;
    case HM_PATTERN_REGEX:
        hm_buf_put_u8(out, '/');
        hm_buf_put(out, p->text.p, p->text.len);
        hm_buf_printf(out, "/%s%s%s", p->re_i ? "i" : "", p->re_m ? "m" : "", p->re_s ? "s" : "");
        break;
    case HM_PATTERN_CIDR:
        inet_ntop(p->ip_len == 16 ? AF_INET6 : AF_INET, p->ip, text, sizeof text);
        hm_buf_printf(out, "%s/%u", text, p->prefix);
        break;
    default:
        put_string(p, out);
    }
}

static void put_field(const struct hm_ast_test *t, const struct hm_names *n, struct hm_buf *out)
{
    static const char *const parts[] = {"", ":minute", ":hour", ":day", ":week", ":month", ":year"};
    const char *name = hm_names_text(n, t->field);
    hm_buf_puts(out, name ? name : "*");
    hm_buf_puts(out, parts[t->part]);
}

static void put_test(const struct hm_ast_test *t, const struct hm_names *n, struct hm_buf *out)
{
    static const char *const signs[] = {"=", "<", "<=", ">", ">="};
    static const char *const affixes[] = {"=", "startswith", "endswith", "contains"};
    if (t->op == HM_AST_EXISTS)
        hm_buf_puts(out, "exists(");
    put_field(t, n, out);
    if (t->op == HM_AST_EXISTS) {
        hm_buf_put_u8(out, ')');
    } else if (t->op == HM_AST_FIELDREF) {
        hm_buf_printf(out, " %s%s field %s", t->cased ? "cased " : "", affixes[t->affix],
                      hm_names_text(n, t->other));
    } else if (t->op != HM_AST_ANY_OF) {
        hm_buf_printf(out, " %s ", signs[t->op]);
        if (t->number.real)
            hm_buf_printf(out, "%g", t->number.d);
        else
            hm_buf_printf(out, "%lld", (long long)t->number.i);
    }
    for (size_t i = 0; t->op == HM_AST_ANY_OF && i < t->count; i++) {
        hm_buf_puts(out, i ? " | " : " = ");
        put_pattern(&t->patterns[i], out);
    }
}

/* Recursion is bounded by the limits that the tree was made under. */
void hm_ast_print(const struct hm_ast *a, const struct hm_names *n, struct hm_buf *out)
{
    static const char *const words[] = {"and(", "or(", "not("};
    if (a->kind == HM_AST_TEST) {
        put_test(&a->test, n, out);
        return;
    }
    hm_buf_puts(out, words[a->kind]);
    for (size_t i = 0; i < a->count && !out->error; i++) {
        if (i)
            hm_buf_puts(out, ", ");
        hm_ast_print(a->kids[i], n, out);
    }
    hm_buf_put_u8(out, ')');
}
