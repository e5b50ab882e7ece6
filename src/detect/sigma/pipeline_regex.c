/* Owns the regular expressions of pipelines: they search and replace in names and values. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "detect/limits.h"
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>
#include <pcre2.h>
#include <stdlib.h>

struct hm_rx {
    pcre2_code *code;
    pcre2_match_context *limits;
};

int hm_rx_new(const struct hm_yaml *y, struct hm_rx **ret_x, struct hm_error *err)
{
    int code;
    PCRE2_SIZE at;
    if (!y || y->kind != HM_YAML_SCALAR)
        return hm_fail_at(err, -EINVAL, y ? y->line : 1, y ? y->column : 1,
                          "a regular expression has to be text");
    struct hm_rx *x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    x->limits = pcre2_match_context_create(NULL);
    x->code = pcre2_compile((PCRE2_SPTR)y->text, y->text_len, PCRE2_UTF, &code, &at, NULL);
    if (!x->limits || !x->code) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof text);
        hm_rx_free(x);
        return hm_fail_at(err, -EINVAL, y->line, y->column, "regular expression, character %zu: %s",
                          (size_t)at, (char *)text);
    }
    pcre2_set_match_limit(x->limits, HM_REGEX_MATCH_LIMIT);
    *ret_x = x;
    return 0;
}

void hm_rx_free(struct hm_rx *x)
{
    if (!x)
        return;
    pcre2_code_free(x->code);
    pcre2_match_context_free(x->limits);
    free(x);
}

bool hm_rx_match(const struct hm_rx *x, const char *text, bool from)
{
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    bool hit = md && pcre2_match(x->code, (PCRE2_SPTR)text, strlen(text), 0,
                                 from ? PCRE2_ANCHORED : 0, md, x->limits) >= 0;
    pcre2_match_data_free(md);
    return hit;
}

/* Python writes groups as "\1" and "\g<name>"; PCRE2 as "$1" and "${name}". */
static void convert(const char *with, struct hm_buf *out)
{
    for (; *with; with++) {
        const char *end;
        if (*with == '$') {
            hm_buf_puts(out, "$$");
        } else if (*with == '\\' && with[1] >= '0' && with[1] <= '9') {
            hm_buf_printf(out, "${%c}", *++with);
        } else if (*with == '\\' && with[1] == 'g' && with[2] == '<' && (end = strchr(with, '>'))) {
            hm_buf_printf(out, "${%.*s}", (int)(end - with - 3), with + 3);
            with = end;
        } else if (*with == '\\' && with[1] == '\\') {
            hm_buf_put_u8(out, '\\');
            with++;
        } else {
            hm_buf_put_u8(out, (uint8_t)*with);
        }
    }
}

int hm_rx_replace(const struct hm_rx *x, const char *text, const char *with, struct hm_arena *a,
                  const char **ret)
{
    struct hm_buf replacement = HM_BUF(HM_RULE_FILE_MAX_BYTES);
    PCRE2_SIZE len = strlen(text) * 4 + 1024;
    convert(with, &replacement);
    hm_buf_put_u8(&replacement, 0);
    int r = replacement.error;
    for (int round = 0; !r && round < 2; round++) {
        char *out = hm_arena_alloc(a, len + 1);
        if (!out) {
            r = -ENOMEM;
            break;
        }
        r = pcre2_substitute(x->code, (PCRE2_SPTR)text, strlen(text), 0,
                             PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH |
                                 PCRE2_SUBSTITUTE_UNSET_EMPTY,
                             NULL, x->limits, replacement.data, replacement.len - 1,
                             (PCRE2_UCHAR *)out, &len);
        if (r >= 0) {
            *ret = out;
            r = 0;
            break;
        }
        r = r == PCRE2_ERROR_NOMEMORY && round == 0 && len < HM_RULE_FILE_MAX_BYTES ? 0 : -EINVAL;
    }
    hm_buf_done(&replacement);
    return r;
}
