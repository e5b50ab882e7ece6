/* Loading DuckDB and opening it locked down; see duck.h. */
#include "server/core/duck.h"
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PACKAGED "/usr/lib/hinomi/libduckdb.so"
#define PARENTS  4 /* build/tests/server/test_store → the checkout */

static int find_library(char *ret, size_t len)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = 0;
        for (int i = 0; i < PARENTS; i++) {
            char *slash = strrchr(exe, '/');
            if (!slash || slash == exe)
                break;
            *slash = 0;
            int w = snprintf(ret, len, "%s/third_party/duckdb/libduckdb.so", exe);
            if (w > 0 && (size_t)w < len && access(ret, R_OK) == 0)
                return 0;
        }
    }
    snprintf(ret, len, "%s", PACKAGED);
    return access(ret, R_OK) == 0 ? 0 : -ENOENT;
}

static int resolve(void *lib, struct hm_duck *d, struct hm_error *err)
{
#define D(name)                                                                                    \
    d->name = (__typeof__(d->name))dlsym(lib, "duckdb_" #name);                                    \
    if (!d->name)                                                                                  \
        return hm_fail(err, -ELIBBAD, "libduckdb.so has no duckdb_%s", #name);
#include "server/core/duck.def"
#undef D
    return 0;
}

/* A table of code addresses, the same for the whole process and constant once filled. */
static struct hm_duck table;

const struct hm_duck *hm_duck_loaded(void)
{
    return &table;
}

int hm_duck_load(const struct hm_duck **ret_d, struct hm_error *err)
{
    static bool loaded;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char path[4200];
    int r = 0;
    pthread_mutex_lock(&lock);
    if (!loaded) {
        r = find_library(path, sizeof path);
        /* Lazily: binding all of it at once costs a hunt 50 ms. */
        void *lib = r ? NULL : dlopen(path, RTLD_LAZY | RTLD_LOCAL);
        if (r)
            hm_fail(err, r,
                    "libduckdb.so is neither in third_party/duckdb (run tools/get-duckdb) "
                    "nor in /usr/lib/hinomi");
        else if (!lib)
            r = hm_fail(err, -ELIBBAD, "%s", dlerror());
        else
            r = resolve(lib, &table, err);
        loaded = r == 0;
    }
    pthread_mutex_unlock(&lock);
    if (!r)
        *ret_d = &table;
    return r;
}

static int configure(const struct hm_duck *d, duckdb_config config, const struct hm_duck_options *o)
{
    char memory[32], threads[16];
    snprintf(memory, sizeof memory, "%" PRIu32 "MiB", o->memory_mib);
    snprintf(threads, sizeof threads, "%" PRIu32, o->threads);
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", ""},
        {"max_temp_directory_size", "0B"},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_unsigned_extensions", "false"},
        {"preserve_insertion_order", "true"},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(settings); i++)
        if (d->set_config(config, settings[i][0], settings[i][1]) == DuckDBError)
            return -EINVAL;
    return 0;
}

int hm_duck_open(const struct hm_duck *d, const struct hm_duck_options *o,
                 struct hm_duck_db *ret_db, struct hm_error *err)
{
    duckdb_config config = NULL;
    char *why = NULL;
    struct hm_duck_db db = {.d = d};
    int r = d->create_config(&config) == DuckDBError ? -ENOMEM : configure(d, config, o);
    if (!r && d->open_ext(NULL, &db.db, config, &why) == DuckDBError)
        r = -EIO;
    if (config)
        d->destroy_config(&config);
    if (!r && d->connect(db.db, &db.con) == DuckDBError)
        r = -EIO;
    if (r) {
        hm_fail(err, r, "DuckDB: %s", why ? why : "cannot open");
        if (why)
            d->free(why);
        hm_duck_close(&db);
        return r;
    }
    *ret_db = db;
    return 0;
}

/* 'text' with quotes doubled; the folder comes from the configuration, not from a person's query.
 */
static void quote(const char *text, char *ret, size_t len)
{
    size_t n = 0;
    for (; *text && n + 3 < len; text++) {
        if (*text == '\'')
            ret[n++] = '\'';
        ret[n++] = *text;
    }
    ret[n] = 0;
}

int hm_duck_lock(struct hm_duck_db *db, const struct hm_duck_options *o, struct hm_error *err)
{
    char sql[9000], folder[8300];
    int r = 0;
    if (o->folder) {
        quote(o->folder, folder, sizeof folder);
        snprintf(sql, sizeof sql, "SET allowed_directories = ['%s']", folder);
        r = hm_duck_run(db, sql, err);
    }
    if (!r)
        r = hm_duck_run(db, "SET enable_external_access = false", err);
    return r ? r : hm_duck_run(db, "SET lock_configuration = true", err);
}

void hm_duck_close(struct hm_duck_db *db)
{
    if (db->con)
        db->d->disconnect(&db->con);
    if (db->db)
        db->d->close(&db->db);
}

int hm_duck_run(struct hm_duck_db *db, const char *sql, struct hm_error *err)
{
    duckdb_result result = {0};
    int r = 0;
    if (db->d->query(db->con, sql, &result) == DuckDBError) {
        const char *why = db->d->result_error(&result);
        r = hm_fail(err, -EIO, "DuckDB: %s", why ? why : "failed");
    }
    db->d->destroy_result(&result);
    return r;
}
