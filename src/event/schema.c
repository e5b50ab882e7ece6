/* The event table for others: a .proto that any language reads, and the page docs/events.md.
 * Both come from fields.def and from nothing else. */
#include "event/event.h"

static const char *const types[] = {"U64", "X64", "STR", "BYTES", "IP", "EVENTS"};
/* STR is bytes here: file names are not always UTF-8, and strict parsers drop such messages. */
static const char *const proto_types[] = {"uint64", "fixed64", "bytes", "bytes", "bytes", "bytes"};
static const char *const privacies[] = {"", "person", "content"};

void hm_schema_proto(struct hm_buf *out)
{
    hm_buf_puts(out, "// Generated from src/event/fields.def. An event as agents encode it:\n"
                     "// ascending fields, minimal varints, no repeats. Fields 16 to 22 come from\n"
                     "// the batch and are never on the wire.\n"
                     "// proto2: presence counts, and every generator knows it.\n"
                     "syntax = \"proto2\";\npackage hinomi;\n\nmessage Event {\n");
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        const struct hm_field_info *i = &hm_fields[f];
        hm_buf_printf(out, "  optional %s %s = %u; // %s%s%s%s\n", proto_types[i->type], i->column,
                      i->number, i->type == HM_TYPE_EVENTS ? "delimited Events: " : "", i->meaning,
                      *i->unit ? "; unit: " : "", i->unit);
    }
    hm_buf_puts(out, "}\n");
}

static void put_cell(struct hm_buf *out, const char *open, const char *text, const char *close)
{
    hm_buf_puts(out, " ");
    if (*text)
        hm_buf_printf(out, "%s%s%s ", open, text, close);
    hm_buf_puts(out, "|");
}

static void put_row(struct hm_buf *out, const struct hm_field_info *i)
{
    hm_buf_printf(out, "| %u | `%s` | %s |", i->number, i->name, types[i->type]);
    put_cell(out, "", i->meaning, "");
    put_cell(out, "", i->unit, "");
    put_cell(out, "", i->sigma, "");
    put_cell(out, "`", i->ocsf, "`");
    put_cell(out, "", i->envelope ? "envelope" : "", "");
    put_cell(out, "", privacies[i->privacy], "");
    hm_buf_puts(out, "\n");
}

static void put_actions(struct hm_buf *out, const char *class, unsigned number, unsigned ocsf)
{
    const char *comma = "";

    hm_buf_printf(out, "| %u | `%s` | %u |", number, class, ocsf);
#define A(num, id, of, name)                                                                       \
    if (HM_CLASS_##of == number) {                                                                 \
        hm_buf_printf(out, "%s `%s` (%u)", comma, name, (unsigned)num);                            \
        comma = ",";                                                                               \
    }
#include "event/actions.def"
#undef A
    hm_buf_puts(out, " |\n");
}

void hm_schema_markdown(struct hm_buf *out)
{
    hm_buf_puts(out, "# Events\n\n"
                     "Generated from `src/event/fields.def`, `classes.def` and `actions.def` by\n"
                     "`hm-schema markdown`; a test keeps it equal. Do not edit.\n\n"
                     "## Classes and actions\n\n"
                     "| number | class | OCSF class | actions |\n|---|---|---|---|\n");
#define C(num, id, name, ocsf) put_actions(out, name, num, ocsf);
#include "event/classes.def"
#undef C
    hm_buf_puts(out, "\n## Fields\n\n"
                     "Types: U64 number, X64 fixed 64-bit key or time, STR text, BYTES, IP (4 or\n"
                     "16 bytes), EVENTS (a list of events, each after its length as a varint).\n"
                     "Envelope fields are bound by the server, never sent by an endpoint.\n\n"
                     "| number | name | type | meaning | unit | Sigma names | OCSF path | from | "
                     "privacy |\n|---|---|---|---|---|---|---|---|---|\n");
    for (int f = 0; f < HM_FIELD_COUNT; f++)
        put_row(out, &hm_fields[f]);
}
