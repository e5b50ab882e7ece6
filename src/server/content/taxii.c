/* TAXII 2.1: discovery, API root, collection, pages of objects. Owns the objects kept between pulls
 * (objects/<tenant>-<layer>.json in the role's folder): a pull asks only for what was added since.
 * Source: OASIS TAXII 2.1, sections 4.1, 5.1, 5.4. */
#include "server/content/source.h"
#include "base/log.h"
#include "base/map.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEDIA        "application/taxii+json;version=2.1"
#define PAGES_MAX    2000
#define PAGE_OBJECTS "1000"
#define OBJECTS_MAX  500000
#define KEPT_MAX     (256u << 20)

struct pull {
    struct hm_source *s;
    struct hm_error *err;
    char base[1024]; /* the API root, ends with a slash */
    cJSON *objects;
    struct hm_map *by_id; /* hash of id → place in objects */
    uint64_t fresh;
    char added_after[64];
};

static int get_json(struct pull *p, const char *url, struct hm_reply *r, cJSON **ret)
{
    struct hm_request q = {.url = url, .accept = MEDIA, .etag = "", .modified = ""};
    int e = hm_fetch(p->s, &q, r, p->err);
    if (e)
        return e;
    *ret = r->body.len ? cJSON_ParseWithLength((const char *)r->body.data, r->body.len) : NULL;
    if (!cJSON_IsObject(*ret)) {
        cJSON_Delete(*ret);
        *ret = NULL;
        hm_reply_done(r);
        return hm_fail(p->err, -EBADMSG, "no TAXII answer, or cut off: %.120s", url);
    }
    return 0;
}

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

/* Scheme and host of a URL, without the slash. */
static void origin(const char *url, char *ret, size_t len)
{
    const char *host = strstr(url, "://");
    const char *end = host ? strchr(host + 3, '/') : NULL;
    snprintf(ret, len, "%.*s", (int)(end ? (size_t)(end - url) : strlen(url)), url);
}

/* A URL that the server gave: absolute, by path, or nothing we would follow. */
static bool absolute(const struct pull *p, const char *url, char *ret, size_t len)
{
    char host[600], there[600];
    origin(hm_source_text(p->s, "url"), host, sizeof host);
    if (url[0] == '/') {
        snprintf(ret, len, "%s%s", host, url);
    } else {
        origin(url, there, sizeof there);
        if (strcmp(host, there) != 0)
            return false; /* credentials stay with whom they were given to */
        snprintf(ret, len, "%s", url);
    }
    size_t n = strlen(ret);
    if (n && n + 1 < len && ret[n - 1] != '/')
        snprintf(ret + n, len - n, "/");
    return true;
}

static bool has_collection(struct pull *p, const char *root)
{
    char url[1200];
    struct hm_reply r;
    cJSON *o = NULL;
    snprintf(url, sizeof url, "%scollections/%s/", root, hm_source_text(p->s, "collection"));
    if (get_json(p, url, &r, &o))
        return false;
    bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "can_read"));
    cJSON_Delete(o);
    hm_reply_done(&r);
    return ok;
}

/* Discovery names API roots; an API root names none: then the given URL is one. */
static int find_root(struct pull *p)
{
    char root[1024];
    struct hm_reply r;
    cJSON *o = NULL;
    const cJSON *each;
    if (!absolute(p, hm_source_text(p->s, "url"), root, sizeof root))
        return hm_fail(p->err, -EINVAL, "not a URL");
    int e = get_json(p, root, &r, &o);
    if (e)
        return e;
    const cJSON *roots = cJSON_GetObjectItemCaseSensitive(o, "api_roots");
    if (!cJSON_IsArray(roots) && has_collection(p, root))
        snprintf(p->base, sizeof p->base, "%s", root);
    cJSON_ArrayForEach(each, roots)
    {
        if (!p->base[0] && cJSON_IsString(each) &&
            absolute(p, each->valuestring, root, sizeof root) && has_collection(p, root))
            snprintf(p->base, sizeof p->base, "%s", root);
    }
    cJSON_Delete(o);
    hm_reply_done(&r);
    return p->base[0]
               ? 0
               : hm_fail(p->err, -ENOENT, "no API root there has a readable collection of that id");
}

/* ---- objects ---- */

/* The newest of an id stays; an object without an id is nobody's to revoke. */
static int keep_object(struct pull *p, cJSON *o)
{
    const char *id = text_of(o, "id");
    int inserted = 0;
    if (!*id || cJSON_GetArraySize(p->objects) >= OBJECTS_MAX) {
        cJSON_Delete(o);
        return *id ? hm_fail(p->err, -E2BIG, "more than %d objects", OBJECTS_MAX) : 0;
    }
    cJSON **slot = hm_map_put(p->by_id, hm_hash64(id, strlen(id), 1), &inserted);
    if (!slot) {
        cJSON_Delete(o);
        return hm_fail(p->err, -ENOMEM, "out of memory");
    }
    if (!inserted) {
        if (strcmp(text_of(o, "modified"), text_of(*slot, "modified")) < 0) {
            cJSON_Delete(o);
            return 0;
        }
        cJSON_DetachItemViaPointer(p->objects, *slot);
        cJSON_Delete(*slot);
    }
    *slot = o;
    cJSON_AddItemToArray(p->objects, o);
    return 0;
}

static int take_objects(struct pull *p, cJSON *envelope)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(envelope, "objects"), *o;
    int e = 0;
    while (!e && list && (o = cJSON_DetachItemFromArray(list, 0))) {
        p->fresh++;
        e = keep_object(p, o);
    }
    return e;
}

static void cache_name(const struct hm_content_job *j, const struct pull *p, char *ret, size_t len)
{
    snprintf(ret, len, "objects/%.*s-%s.json", (int)j->ask->tenant.len,
             (const char *)j->ask->tenant.p, p->s->name);
}

/* Without what was kept, or with one that is damaged, the whole collection is asked for again. */
static void load_kept(struct hm_content_job *j, struct pull *p)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(KEPT_MAX);
    char name[200];
    struct stat st;
    cache_name(j, p, name, sizeof name);
    hm_autoclose int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const char *after = text_of(p->s->memory, "added_after");
    if (fd < 0 || !*after || fstat(fd, &st) < 0)
        return;
    uint8_t *to = hm_buf_extend(&b, (size_t)st.st_size);
    cJSON *o = to && read(fd, to, (size_t)st.st_size) == st.st_size
                   ? cJSON_ParseWithLength((const char *)to, (size_t)st.st_size)
                   : NULL;
    if (o && take_objects(p, o) == 0)
        snprintf(p->added_after, sizeof p->added_after, "%s", after);
    cJSON_Delete(o);
    p->fresh = 0;
}

static int store_kept(struct hm_content_job *j, const struct pull *p, const char *text)
{
    char name[200], aside[210];
    if (mkdir("objects", 0700) < 0 && errno != EEXIST)
        return -errno;
    cache_name(j, p, name, sizeof name);
    snprintf(aside, sizeof aside, "%s.new", name);
    hm_autoclose int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) < 0 || rename(aside, name) < 0)
        return -errno;
    return 0;
}

/* ---- pages ---- */

static void add_query(char *url, size_t len, const char *name, const char *value)
{
    size_t n = strlen(url);
    n += (size_t)snprintf(url + n, len - n, "%s%s=", strchr(url, '?') ? "&" : "?", name);
    for (const char *v = value; *v && n + 4 < len; v++) {
        bool plain = (*v >= '0' && *v <= '9') || (*v >= 'a' && *v <= 'z') ||
                     (*v >= 'A' && *v <= 'Z') || strchr("-._~", *v);
        n += (size_t)snprintf(url + n, len - n, plain ? "%c" : "%%%02X", (unsigned char)*v);
    }
}

/* RFC 3339 in UTC: the later one is the greater text as long as the digits are as many. */
static void note_time(struct pull *p, const char *added)
{
    const char *known = text_of(p->s->next, "added_after");
    if (!*added || (strlen(known) == strlen(added) && strcmp(known, added) >= 0))
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(p->s->next, "added_after");
    cJSON_AddStringToObject(p->s->next, "added_after", added);
}

static int one_page(struct pull *p, char next[1024], bool *ret_more)
{
    char url[4096];
    struct hm_reply r;
    cJSON *o = NULL;
    snprintf(url, sizeof url, "%scollections/%s/objects/", p->base,
             hm_source_text(p->s, "collection"));
    /* Always: the reference server's `next` fails without the limit it began with. */
    add_query(url, sizeof url, "limit", PAGE_OBJECTS);
    if (p->added_after[0])
        add_query(url, sizeof url, "added_after", p->added_after);
    if (*next)
        add_query(url, sizeof url, "next", next);
    int e = get_json(p, url, &r, &o);
    if (e)
        return e;
    *ret_more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "more"));
    snprintf(next, 1024, "%s", text_of(o, "next"));
    note_time(p,
              r.added_last[0] ? r.added_last : r.added_first); /* one object: some say only First */
    e = take_objects(p, o);
    cJSON_Delete(o);
    hm_reply_done(&r);
    return e;
}

static int all_pages(struct pull *p)
{
    char next[1024] = "";
    bool more = true;
    int e = 0;
    if (p->added_after[0])
        cJSON_AddStringToObject(p->s->next, "added_after", p->added_after);
    for (int i = 0; !e && more; i++) {
        uint64_t had = p->fresh;
        if (i == PAGES_MAX)
            return hm_fail(p->err, -E2BIG, "more than %d pages", PAGES_MAX);
        e = one_page(p, next, &more);
        /* The same `next` may lead on (the reference server's does), an empty page may not. */
        if (!e && more && (!*next || p->fresh == had))
            return hm_fail(p->err, -EBADMSG, "the server says there is more, but not where");
    }
    return e;
}

static int finish(struct hm_content_job *j, struct pull *p, struct hm_buf *ret_bundle)
{
    cJSON *bundle = cJSON_CreateObject();
    cJSON_AddStringToObject(bundle, "type", "bundle");
    cJSON_AddStringToObject(bundle, "id", "bundle--00000000-0000-4000-8000-000000000000");
    cJSON_AddItemReferenceToObject(bundle, "objects", p->objects);
    char *text = cJSON_PrintUnformatted(bundle);
    cJSON_Delete(bundle);
    int r = text ? store_kept(j, p, text) : -ENOMEM;
    if (!r)
        hm_buf_puts(ret_bundle, text);
    free(text);
    r = r ? r : ret_bundle->error;
    return r ? hm_fail(p->err, r, "the objects cannot be kept: %s", strerror(-r)) : 0;
}

int hm_taxii_pull(struct hm_content_job *j, struct hm_source *s, struct hm_buf *ret_bundle,
                  struct hm_error *err)
{
    struct pull p = {.s = s,
                     .err = err,
                     .objects = cJSON_CreateArray(),
                     .by_id = hm_map_new(sizeof(cJSON *), OBJECTS_MAX + 1)};
    int r = p.objects && p.by_id ? 0 : hm_fail(err, -ENOMEM, "out of memory");
    if (!r)
        load_kept(j, &p);
    if (!r)
        r = find_root(&p);
    if (!r)
        r = all_pages(&p);
    if (!r)
        hm_info("source %s: %llu objects are new", s->name, (unsigned long long)p.fresh);
    if (!r)
        r = finish(j, &p, ret_bundle);
    cJSON_Delete(p.objects);
    hm_map_free(p.by_id);
    return r;
}
