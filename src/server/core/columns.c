/* Names and types of the columns, and the way back from a row to an event; see columns.h. */
#include "server/core/columns.h"
#include "base/cursor.h"
#include "server/core/text_store.h"

const char *hm_column_name(int column)
{
    return column == HM_COLUMN_UNKNOWN ? "_unknown" : hm_fields[column].column;
}

duckdb_type hm_column_type(int column)
{
    if (column == HM_COLUMN_UNKNOWN)
        return DUCKDB_TYPE_BLOB;
    switch (hm_fields[column].type) {
    case HM_TYPE_U64:
    case HM_TYPE_X64:
        return DUCKDB_TYPE_UBIGINT;
    case HM_TYPE_STR:
        return DUCKDB_TYPE_VARCHAR;
    default:
        return DUCKDB_TYPE_BLOB;
    }
}

void hm_columns_list(struct hm_buf *out)
{
    for (int c = 0; c < HM_COLUMN_COUNT; c++)
        hm_buf_printf(out, "%s\"%s\"", c ? ", " : "", hm_column_name(c));
}

static struct hm_slice string_at(void *data, uint64_t row)
{
    duckdb_string_t *s = (duckdb_string_t *)data + row;
    uint32_t len = s->value.inlined.length;
    return hm_slice(len <= 12 ? s->value.inlined.inlined : s->value.pointer.ptr, len);
}

/* Stored text that holds escapes is restored into text; its address would move when text grows, so
 * the caller gives room for a whole row (HM_EVENT_MAX_BYTES) beforehand. */
static struct hm_slice restored(struct hm_slice stored, struct hm_buf *text)
{
    if (hm_text_storable(stored))
        return stored;
    size_t at = text->len;
    hm_text_restore(stored, text);
    return text->error ? (struct hm_slice){0} : hm_slice(text->data + at, text->len - at);
}

/* A field of a newer agent: varint tag, then a value by wire type; as codec.c kept it. */
static size_t unknown_len(struct hm_slice raw, uint32_t *ret_number)
{
    struct hm_cursor c = hm_cursor(raw);
    uint64_t tag = hm_cursor_varint(&c);
    switch (tag & 7) {
    case 0:
        (void)hm_cursor_varint(&c);
        break;
    case 1:
        (void)hm_cursor_take(&c, 8);
        break;
    case 2:
        (void)hm_cursor_take(&c, hm_cursor_varint(&c));
        break;
    default:
        hm_cursor_fail(&c);
    }
    *ret_number = (uint32_t)(tag >> 3);
    return c.error ? 0 : raw.len - hm_cursor_left(&c);
}

static void read_unknown(struct hm_slice raw, struct hm_event *e)
{
    while (raw.len && e->unknown_count < HM_UNKNOWN_MAX) {
        uint32_t number;
        size_t n = unknown_len(raw, &number);
        if (!n)
            return;
        e->unknown[e->unknown_count].number = number;
        e->unknown[e->unknown_count++].raw = hm_slice(raw.p, n);
        raw = hm_slice(raw.p + n, raw.len - n);
    }
}

static void read_one(int c, void *data, uint64_t row, struct hm_buf *text, struct hm_event *e)
{
    if (hm_column_type(c) == DUCKDB_TYPE_UBIGINT)
        hm_event_set_u64(e, (enum hm_field)c, ((uint64_t *)data)[row]);
    else if (c == HM_COLUMN_UNKNOWN)
        read_unknown(string_at(data, row), e);
    else if (hm_column_type(c) == DUCKDB_TYPE_VARCHAR)
        hm_event_set(e, (enum hm_field)c, restored(string_at(data, row), text));
    else
        hm_event_set(e, (enum hm_field)c, string_at(data, row));
}

void hm_columns_event(const struct hm_duck *d, duckdb_data_chunk chunk, uint64_t row,
                      struct hm_buf *text, struct hm_event *ret_e)
{
    hm_buf_clear(text);
    /* Reserve once, so that slices handed out do not move. */
    (void)hm_buf_extend(text, (size_t)2 * HM_EVENT_MAX_BYTES);
    text->len = 0;
    hm_event_clear(ret_e);
    for (int c = 0; c < HM_COLUMN_COUNT; c++) {
        duckdb_vector v = d->data_chunk_get_vector(chunk, (idx_t)c);
        uint64_t *valid = d->vector_get_validity(v);
        if (!valid || valid[row / 64] >> (row % 64) & 1)
            read_one(c, d->vector_get_data(v), row, text, ret_e);
    }
}
