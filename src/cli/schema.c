/* The event table, for other programs and for people. */
#include "cli/cli.h"
#include "event/event.h"
#include <stdio.h>

static void write_json(struct hm_buf *out)
{
    static const char *const types[] = {
        [HM_TYPE_U64] = "u64",     [HM_TYPE_X64] = "x64", [HM_TYPE_STR] = "string",
        [HM_TYPE_BYTES] = "bytes", [HM_TYPE_IP] = "ip",   [HM_TYPE_EVENTS] = "events"};
    static const char *const privacy[] = {"none", "person", "content"};

    hm_buf_puts(out, "[\n");
    for (int i = 0; i < HM_FIELD_COUNT; i++) {
        const struct hm_field_info *f = &hm_fields[i];
        hm_buf_printf(out,
                      "  {\"number\": %u, \"name\": \"%s\", \"type\": \"%s\", \"sigma\": \"%s\", "
                      "\"ocsf\": \"%s\", \"unit\": \"%s\", \"privacy\": \"%s\", \"meaning\": \"",
                      f->number, f->name, types[f->type], f->sigma, f->ocsf, f->unit,
                      privacy[f->privacy]);
        hm_json_escape(hm_slice_str(f->meaning), out);
        hm_buf_puts(out, i + 1 < HM_FIELD_COUNT ? "\"},\n" : "\"}\n");
    }
    hm_buf_puts(out, "]\n");
}

int hm_cmd_schema(struct hm_cli *c)
{
    static const struct hm_text usage = {"schema --proto | --markdown | --json",
                                         "schema --proto | --markdown | --json"};
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(4 * 1024 * 1024);

    if (c->o.proto + c->o.markdown + c->o.json != 1)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if (c->o.proto)
        hm_schema_proto(&out);
    else if (c->o.markdown)
        hm_schema_markdown(&out);
    else
        write_json(&out);
    fwrite(out.data, 1, out.len, stdout);
    return out.error ? HM_EXIT_FAILED : HM_EXIT_OK;
}

int hm_cmd_version(struct hm_cli *c)
{
    (void)c;
    puts("hinomi " HM_VERSION);
    return HM_EXIT_OK;
}
