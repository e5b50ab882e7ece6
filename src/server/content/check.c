/* Would an endpoint load this? Asked of the same loader, on the same folder an endpoint will have.
 * Owns the report of refused rules. */
#include "server/content/content.h"
#include "detect/ruleset.h"
#include "event/event.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_part(int dir_fd, const struct hm_bundle_input *part)
{
    char path[HM_BUNDLE_PATH_MAX + 1];
    if (!hm_bundle_path_ok(hm_slice_str(part->path)))
        return -EINVAL;
    snprintf(path, sizeof path, "%s", part->path);
    for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        if (mkdirat(dir_fd, path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    hm_autoclose int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (size_t at = 0; at < part->data.len;) {
        ssize_t n = write(fd, part->data.p + at, part->data.len - at);
        if (n < 0)
            return -errno;
        at += (size_t)n;
    }
    return 0;
}

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    struct hm_content_job *j = ctx;
    size_t before = j->problems.len;
    bool own = hm_slice_eq(hm_parts_layer(p->path), j->ask->layer);
    j->refused++;
    j->layer_refused += own;
    if (j->refused > HM_CONTENT_PROBLEMS)
        return;
    hm_buf_printf(&j->problems, "%s{\"source\":\"", before ? "," : "");
    hm_json_escape(hm_slice_str(p->path), &j->problems);
    hm_buf_printf(&j->problems, "\",\"line\":%u,\"column\":%u,\"text\":\"", p->error.line,
                  p->error.column);
    hm_json_escape(hm_slice_str(p->error.text), &j->problems);
    hm_buf_puts(&j->problems, "\"}");
    if (j->problems.error) { /* full: what is whole stays */
        j->problems.len = before;
        j->problems.error = 0;
    }
}

int hm_content_validate(struct hm_content_job *j, struct hm_error *err)
{
    struct hm_ruleset *rs = NULL;
    for (size_t i = 0; i < j->part_count; i++) {
        int r = write_part(j->work_fd, &j->parts[i]);
        if (r)
            return hm_fail(err, r, "%.160s: %s", j->parts[i].path, strerror(-r));
    }
    int r = hm_ruleset_load(j->work_fd, on_problem, j, &rs);
    if (r)
        return hm_fail(err, r, "the rules do not load: %s", strerror(-r));
    j->rules = hm_ruleset_count(rs);
    hm_ruleset_free(rs);
    if (j->rules == 0)
        return hm_fail(err, -EINVAL, "not one rule of it can be used");
    return 0;
}
