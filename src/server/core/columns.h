/* Events as columns, straight from struct hm_event: one table function for the store (COPY … TO
 * Parquet) and for hunt (records not stored yet), and the way back from a row to an event. Columns
 * are the rows of fields.def, envelope included, plus "_unknown": fields of a newer agent.
 * X64 and U64 are UBIGINT, STR is VARCHAR (text_store.h), BYTES, IP and EVENTS are BLOB. */
#pragma once
#include "event/event.h"
#include "server/core/duck.h"
#include "server/core/record.h"

#define HM_COLUMN_UNKNOWN HM_FIELD_COUNT
#define HM_COLUMN_COUNT   (HM_FIELD_COUNT + 1)
#define HM_ROWS_BAD_MAX   16

/* Where rows come from: records of the gateway journal, already of one tenant. */
struct hm_rows {
    int (*begin)(void *ctx); /* a query starts reading from the first row; NULL: only once */
    /* 1 and a record (valid until the next call) with its number, 0 at the end, negative errno. */
    int (*next)(void *ctx, struct hm_gateway_record *ret_r, uint64_t *ret_number);
    void *ctx;
    uint64_t count;                /* rows given so far */
    uint64_t from_ns, to_ns;       /* range of their "time" */
    uint64_t bad[HM_ROWS_BAD_MAX]; /* records whose batch is malformed: skipped as a whole */
    uint64_t bad_count;
    int error; /* of next(), or -ENOMEM */
};

/* Make FROM name() give the rows of source. */
int hm_columns_register(struct hm_duck_db *db, const char *name, struct hm_rows *source,
                        struct hm_error *err) HM_CHECK;
/* Append the quoted names of all columns, comma between, in the order of hm_columns_event(). */
void hm_columns_list(struct hm_buf *out);
const char *hm_column_name(int column);
duckdb_type hm_column_type(int column);

/* One row of a chunk whose columns are hm_columns_list() as an event. Bytes live in the chunk and
 * in text, which the caller clears between rows. */
void hm_columns_event(const struct hm_duck *d, duckdb_data_chunk chunk, uint64_t row,
                      struct hm_buf *text, struct hm_event *ret_e);
