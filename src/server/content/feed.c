/* From feeds to the compact set of indicators that endpoints carry: intel/<layer>.bin. Owns the
 * refusal of feeds that are cut off or have shrunk. */
#include "server/content/source.h"
#include "base/clock.h"
#include "detect/indicator/indicator.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SHRUNK_FROM 10 /* below that a half is chance */

static int to_buf(void *ctx, struct hm_slice s)
{
    struct hm_buf *b = ctx;
    hm_buf_put(b, s.p, s.len);
    return b->error;
}

/* The same on every build, unknown to whoever writes feeds. */
static int read_seed(uint64_t *ret)
{
    int fd = open("seed", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        uint64_t fresh;
        int r = hm_random(&fresh, sizeof fresh);
        hm_autoclose int to = open("seed", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (r || to < 0 || write(to, &fresh, sizeof fresh) != sizeof fresh)
            return r ? r : -errno;
        *ret = fresh;
        return 0;
    }
    ssize_t n = read(fd, ret, sizeof *ret);
    close(fd);
    return n == sizeof *ret ? 0 : -EBADMSG;
}

static int load_warnings(const struct hm_content_job *j, struct hm_warnlist *w)
{
    uint64_t skipped;
    for (size_t i = 0; i < j->part_count; i++)
        if (strstr(j->parts[i].path, "/warninglists/") &&
            hm_warnlist_add(w, j->parts[i].data, &skipped, NULL) == -ENOMEM)
            return -ENOMEM;
    return hm_warnlist_seal(w);
}

static const char *text_or_null(const struct hm_source *s, const char *name)
{
    const char *t = s ? hm_source_text(s, name) : "";
    return *t ? t : NULL;
}

static int import_all(struct hm_intel_builder *b, const struct hm_source *s, const char *layer,
                      const struct hm_feed *feeds, size_t n, struct hm_intel_report *report,
                      struct hm_error *err)
{
    struct hm_intel_feed how = {.source = layer, .label = text_or_null(s, "label")};
    uint64_t now = hm_clock_wall_ns() / 1000000000;
    int r = 0;
    for (size_t i = 0; !r && i < n; i++) {
        how.format = hm_intel_detect(feeds[i].bytes, feeds[i].name);
        r = hm_intel_import(b, feeds[i].bytes, &how, now, NULL, NULL, report, err);
    }
    return r && err && !err->text[0] ? hm_fail(err, r, "%s", strerror(-r)) : r;
}

static int judge(const struct hm_source *s, const struct hm_intel_report *report, uint64_t items,
                 struct hm_error *err)
{
    if (report->outcomes[HM_INTEL_CUT_OFF])
        return hm_fail(err, -EBADMSG, "the feed is cut off: the one before stays");
    if (items == 0)
        return hm_fail(err, -EBADMSG, "there is no indicator in it: the one before stays");
    if (s && s->items >= SHRUNK_FROM && items * 2 < s->items && !hm_source_flag(s, "may_shrink"))
        return hm_fail(err, -EBADMSG,
                       "the feed shrank from %" PRIu64 " to %" PRIu64
                       " indicators: the one before stays (may_shrink)",
                       s->items, items);
    return 0;
}

static int add_blob(struct hm_content_job *j, struct hm_intel_builder *b, const char *layer,
                    struct hm_error *err)
{
    struct hm_buf blob hm_auto(hm_buf_done) = HM_BUF(HM_CONTENT_FILE_MAX);
    char path[64];
    uint64_t doubled = 0;
    snprintf(path, sizeof path, "intel/%s.bin", layer);
    int r = hm_intel_build(b, HM_INTEL_COMPACT, to_buf, &blob, &doubled);
    return r ? hm_fail(err, r, "the indicators do not fit: %s", strerror(-r))
             : hm_parts_add(j, NULL, path, hm_buf_slice(&blob), err);
}

int hm_feeds_build(struct hm_content_job *j, const struct hm_source *s, const char *layer,
                   const struct hm_feed *feeds, size_t n, struct hm_error *err)
{
    struct hm_intel_report report = {0};
    uint64_t seed;
    struct hm_warnlist *w = hm_warnlist_new();
    int r = w ? load_warnings(j, w) : -ENOMEM;
    if (!r)
        r = read_seed(&seed);
    struct hm_intel_builder *b = r ? NULL : hm_intel_builder_new(w, seed);
    if (!b)
        r = hm_fail(err, r ? r : -ENOMEM, "no set of indicators: %s", strerror(r ? -r : ENOMEM));
    else
        r = import_all(b, s, layer, feeds, n, &report, err);
    j->items = report.outcomes[HM_INTEL_LOADED];
    memcpy(j->outcomes, report.outcomes, sizeof j->outcomes);
    if (!r)
        r = judge(s, &report, j->items, err);
    if (!r)
        r = add_blob(j, b, layer, err);
    hm_intel_builder_free(b);
    hm_warnlist_free(w);
    return r;
}
