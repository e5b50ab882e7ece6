/* DuckDB, loaded only by the processes that need it (core's store thread, hunt): gateway, signer
 * and api never map its 65 MB. Owns finding the library and a locked-down database in memory. */
#pragma once
#include "base/error.h"
#include <duckdb.h>

struct hm_duck {
#define D(name) __typeof__(duckdb_##name) *name;
#include "server/core/duck.def"
#undef D
};

/* Load libduckdb.so: third_party/duckdb/ above the executable, else /usr/lib/hinomi. Once a
 * process, before any sandbox; never unloaded. -ENOENT, -ELIBBAD with words in err. */
int hm_duck_load(const struct hm_duck **ret_d, struct hm_error *err) HM_CHECK;

/* The table after a successful load: DuckDB's callbacks carry no pointer to it. */
const struct hm_duck *hm_duck_loaded(void);

struct hm_duck_options {
    const char *folder; /* the only folder that SQL may touch; NULL: none */
    uint32_t memory_mib;
    uint32_t threads;
};
struct hm_duck_db {
    const struct hm_duck *d;
    duckdb_database db;
    duckdb_connection con;
};
/* An empty database in memory: no extension downloads, no temporary files, only that folder, and
 * the configuration locked. Register functions first, then hm_duck_lock(). */
int hm_duck_open(const struct hm_duck *d, const struct hm_duck_options *o,
                 struct hm_duck_db *ret_db, struct hm_error *err) HM_CHECK;
int hm_duck_lock(struct hm_duck_db *db, const struct hm_duck_options *o,
                 struct hm_error *err) HM_CHECK;
void hm_duck_close(struct hm_duck_db *db);
/* Run a constant text without results. */
int hm_duck_run(struct hm_duck_db *db, const char *sql, struct hm_error *err) HM_CHECK;
