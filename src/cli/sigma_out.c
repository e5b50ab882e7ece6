/* What the sigma commands print: text of any origin made harmless. */
#include "cli/show.h"
#include "cli/sigma.h"

void hm_sigma_json(struct hm_slice text, struct hm_buf *out)
{
    size_t from = 0;
    hm_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] != '"' && text.p[i] != '\\')
            continue;
        hm_show_json_string(hm_slice(text.p + from, i - from), out);
        hm_buf_put_u8(out, '\\');
        hm_buf_put_u8(out, text.p[i]);
        from = i + 1;
    }
    hm_show_json_string(hm_slice(text.p + from, text.len - from), out);
    hm_buf_put_u8(out, '"');
}

void hm_sigma_say(struct hm_slice text, FILE *to)
{
    struct hm_buf raw hm_auto(hm_buf_done) = HM_BUF(1u << 20);
    struct hm_buf shown hm_auto(hm_buf_done) = HM_BUF(8u << 20);
    hm_buf_put(&raw, text.p, text.len < (1u << 20) ? text.len : (1u << 20) - 1);
    hm_buf_put_u8(&raw, 0);
    if (!raw.error)
        hm_show_text((const char *)raw.data, &shown);
    fwrite(shown.data ? shown.data : (const uint8_t *)"", 1, shown.len, to);
}

void hm_sigma_print_problem(const struct hm_rule_problem *p, FILE *to)
{
    hm_sigma_say(hm_slice_str(p->path), to);
    if (p->error.line)
        fprintf(to, ":%u:%u", p->error.line, p->error.column);
    fputs(": ", to);
    hm_sigma_say(hm_slice_str(p->error.text), to);
    fputc('\n', to);
}

void hm_sigma_tell_stderr(void *ctx, const struct hm_rule_problem *p)
{
    ++*(size_t *)ctx;
    hm_sigma_print_problem(p, stderr);
}
