/* What a "fetch" job does: the kinds of sources in a table. */
#include "server/content/source.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FEEDS_MAX 4096

const char *hm_source_text(const struct hm_source *s, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->spec, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

bool hm_source_flag(const struct hm_source *s, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s->spec, name));
}

static const char *memory_of(const struct hm_source *s, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->memory, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool hm_source_is_rule(const char *path)
{
    return ends_with(path, ".yml") || ends_with(path, ".yaml") || ends_with(path, ".yar") ||
           ends_with(path, ".yara") || strstr(path, "warninglists/");
}

/* ---- HTTP ---- */

static int check_hash(const struct hm_source *s, struct hm_slice body, struct hm_error *err)
{
    const char *want = hm_source_text(s, "sha256");
    uint8_t hash[HM_SHA256_BYTES];
    char have[2 * HM_SHA256_BYTES + 1];
    if (!*want)
        return 0;
    hm_sha256(body, hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(have + 2 * i, 3, "%02x", hash[i]);
    return strcmp(want, have) == 0
               ? 0
               : hm_fail(err, -EBADMSG, "it has another SHA-256 than is wanted: %s", have);
}

static int pull_http(struct hm_content_job *j, struct hm_source *s, struct hm_error *err)
{
    const char *url = hm_source_text(s, "url"), *name = strrchr(url, '/');
    struct hm_request q = {url, "*/*", memory_of(s, "etag"), memory_of(s, "modified")};
    struct hm_reply r;
    int e = hm_fetch(s, &q, &r, err);
    if (e)
        return e;
    cJSON_AddStringToObject(s->next, "etag", r.status == 304 ? q.etag : r.etag);
    cJSON_AddStringToObject(s->next, "modified", r.status == 304 ? q.modified : r.modified);
    if (r.status == 304) {
        j->items = s->items;
        e = 1;
    } else if (!(e = check_hash(s, hm_buf_slice(&r.body), err))) {
        struct hm_feed feed = {hm_buf_slice(&r.body), name ? name + 1 : NULL};
        e = name && hm_source_is_rule(name + 1)
                ? hm_parts_add(j, s->name, name + 1, feed.bytes, err)
                : hm_feeds_build(j, s, s->name, &feed, 1, err);
    }
    hm_reply_done(&r);
    return e;
}

/* ---- TAXII ---- */

static int pull_taxii(struct hm_content_job *j, struct hm_source *s, struct hm_error *err)
{
    struct hm_buf bundle hm_auto(hm_buf_done) = HM_BUF(HM_BUNDLE_RAW_MAX);
    int r = hm_taxii_pull(j, s, &bundle, err);
    if (r)
        return r;
    struct hm_feed feed = {hm_buf_slice(&bundle), "taxii.json"};
    return hm_feeds_build(j, s, s->name, &feed, 1, err);
}

/* ---- folder ---- */

/* Only beneath the folder that the configuration names: a console's administrator is not root. */
static int open_feeds(const struct hm_content_job *j, const char *path, struct hm_error *err)
{
    if (j->feeds_fd < 0)
        return hm_fail(err, -ENOENT,
                       "the server's configuration names no folder of feeds (feeds=)");
    if (!hm_bundle_path_ok(hm_slice_str(path)))
        return hm_fail(err, -EINVAL, "%s: a path beneath the folder of feeds is needed", path);
    int fd = openat(j->feeds_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? hm_fail(err, -errno, "%s: %s", path, strerror(errno)) : fd;
}

/* Rules stay parts; everything else is a feed of indicators. Parts from `from` on are looked at. */
static int sort(struct hm_content_job *j, const struct hm_source *s, const char *layer, size_t from,
                struct hm_error *err)
{
    struct hm_feed *feeds = calloc(FEEDS_MAX, sizeof *feeds);
    size_t n = 0, kept = from;
    int r = feeds ? 0 : -ENOMEM;
    for (size_t i = from; !r && i < j->part_count; i++) {
        const char *path = j->parts[i].path, *slash = strrchr(path, '/');
        if (hm_source_is_rule(path))
            j->parts[kept++] = j->parts[i];
        else if (n < FEEDS_MAX)
            feeds[n++] = (struct hm_feed){j->parts[i].data, slash ? slash + 1 : path};
        else
            r = hm_fail(err, -E2BIG, "more than %d feeds in one folder", FEEDS_MAX);
    }
    if (!r) {
        j->part_count = kept;
        r = n ? hm_feeds_build(j, s, layer, feeds, n, err) : 0;
    }
    free(feeds);
    return r;
}

int hm_source_sort(struct hm_content_job *j, const char *layer, size_t from, struct hm_error *err)
{
    return sort(j, NULL, layer, from, err);
}

static int pull_folder(struct hm_content_job *j, struct hm_source *s, struct hm_error *err)
{
    size_t from = j->part_count;
    hm_autoclose int fd = open_feeds(j, hm_source_text(s, "url"), err);
    int r = fd < 0 ? fd : hm_parts_folder(j, fd, s->name, err);
    if (!r && j->part_count == from)
        r = hm_fail(err, -ENOENT, "the folder is empty: what was there before stays");
    return r ? r : sort(j, s, s->name, from, err);
}

static const struct {
    const char *kind;
    int (*pull)(struct hm_content_job *j, struct hm_source *s, struct hm_error *err);
} kinds[] = {{"http", pull_http}, {"taxii", pull_taxii}, {"folder", pull_folder}};

int hm_source_pull(struct hm_content_job *j, struct hm_error *err)
{
    cJSON *o = cJSON_ParseWithLength((const char *)j->ask->spec.p, j->ask->spec.len);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(o, "name"),
                *kind = cJSON_GetObjectItemCaseSensitive(o, "kind"),
                *items = cJSON_GetObjectItemCaseSensitive(o, "items");
    int r = hm_fail(err, -EINVAL, "unknown kind of source");
    struct hm_source s = {.name = cJSON_IsString(name) ? name->valuestring : "",
                          .kind = cJSON_IsString(kind) ? kind->valuestring : "",
                          .spec = cJSON_GetObjectItemCaseSensitive(o, "spec"),
                          .memory = cJSON_GetObjectItemCaseSensitive(o, "memory"),
                          .items = cJSON_IsNumber(items) ? (uint64_t)items->valuedouble : 0,
                          .next = cJSON_CreateObject()};
    for (size_t i = 0; i < HM_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].kind, s.kind) == 0) {
            *err = (struct hm_error){0};
            r = kinds[i].pull(j, &s, err);
        }
    j->memory = cJSON_PrintUnformatted(s.next);
    cJSON_Delete(s.next);
    cJSON_Delete(o);
    return r;
}
