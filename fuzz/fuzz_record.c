/* Sensor records and canonical events of monitor into a whole core. Input: records one after the
 * other, each as le16 length · bytes; the core must take or refuse each without a step outside. */
#include "agent/engine/core.h"
#include "base/cursor.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/hm-fuzz-record-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void clean(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct hm_core *core_new(void)
{
    struct hm_journal_options jo = {.boot = 1, .quota_bytes = 1 << 20};
    struct hm_log_damage damage[HM_LANE_COUNT];
    struct hm_journal *j = NULL;
    struct hm_core *c = NULL;
    if (!mkdtemp(dir) || hm_journal_open(dir, &jo, &j, damage, NULL) < 0)
        abort();
    struct hm_core_options o = {.boot = 1,
                                .journal = j,
                                .policy_paths = hm_slice_str("/etc"),
                                .live_max = 64,
                                .exited_max = 16,
                                .dirs_max = 16,
                                .files_max = 16};
    if (hm_core_new(&o, &c, NULL) < 0)
        abort();
    atexit(clean);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hm_core *core;
    if (!core)
        core = core_new();
    struct hm_cursor c = hm_cursor(hm_slice(data, size));
    while (hm_cursor_left(&c)) {
        struct hm_slice r = hm_cursor_take(&c, hm_cursor_le16(&c));
        uint8_t *aligned = aligned_alloc(8, (r.len + 8) & ~(size_t)7);
        if (!aligned)
            return 0;
        if (r.len)
            memcpy(aligned, r.p, r.len);
        if (hm_core_record(core, hm_slice(aligned, r.len)) < 0)
            (void)!hm_core_event(core, HM_LANE_BULK, hm_slice(aligned, r.len));
        free(aligned);
    }
    return 0;
}
