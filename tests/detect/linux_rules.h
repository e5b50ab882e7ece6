/* Test support: the Linux rules of the corpus beside the checkout, as one collection. */
#pragma once
#include "language.h"
#include "detect/folder.h"
#include <fcntl.h>
#include <unistd.h>

#define LINUX_RULES 210 /* rules/linux of the corpus */

static inline int linux_rules_add(void *ctx, const char *path, struct hm_slice text)
{
    struct reading *r = ctx;
    assert_non_null(text.p);
    if (!memmem(text.p, text.len, "product: linux", 14))
        return 0; /* some folders hold all products */
    return hm_sigma_collection_add(r->c, path, text, on_problem, r);
}

static inline void linux_rules_add_folder(struct reading *r, const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", HM_SIGMA_DIR, folder);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_int_equal(hm_folder_each(dir, linux_rules_add, r), 0);
    close(dir);
}

/* Every rule of the corpus for Linux: 248 when this was written. */
static inline void linux_rules_add_all(struct reading *r)
{
    linux_rules_add_folder(r, "rules/linux");
    linux_rules_add_folder(r, "rules-threat-hunting/linux");
    linux_rules_add_folder(r, "rules-emerging-threats");
}

/* false: no corpus beside this checkout, which is said. */
static inline bool linux_rules_there(void)
{
    if (access(HM_SIGMA_DIR, R_OK) == 0)
        return true;
    print_message("skipped: the Sigma corpus is not beside this checkout\n");
    return false;
}
