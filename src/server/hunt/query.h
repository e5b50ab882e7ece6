/* One prepared statement from a spec. Every value is a parameter; the text is made of constants and
 * of file names that were checked character by character. */
#pragma once
#include "server/core/duck.h"
#include "server/hunt/spec.h"
#include "base/buf.h"

struct hm_hunt_files { /* names in a snapshot */
    struct hm_slice *names;
    size_t count;
};

/* Split and check the list: "yyyy-mm-dd/<digits>.parquet" only. -EBADMSG. free(names). */
int hm_hunt_files_parse(struct hm_slice list, struct hm_hunt_files *ret) HM_CHECK;

/* Two statements answer a query, so that wide columns are read only where rows are:
 *   edge  the time of the last row wanted   · rows  all columns of rows up to there. */
int hm_hunt_edge(struct hm_duck_db *db, const struct hm_msg_hunt_spec *m,
                 const struct hm_hunt_files *f, uint64_t *ret_edge, bool *ret_any,
                 struct hm_error *err) HM_CHECK;
int hm_hunt_rows(struct hm_duck_db *db, const struct hm_msg_hunt_spec *m,
                 const struct hm_hunt_files *f, uint64_t edge, duckdb_result *ret_result,
                 struct hm_error *err) HM_CHECK;
