/* What the shipped rules look for in files is watched: every path in a matching example of theirs
 * is covered by the agent's default watch policy, and by a row that records reading where the rule
 * is about reading. A rule about a path that nobody watches would sleep for ever. */
#include "agent/engine/policy.h"
#include "agent/monitor/policy.h"
#include "base/buf.h"
#include "detect/folder.h"
#include "detect/sigma/yaml.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static unsigned checked, complaints;

static struct hm_policy *of_rows(const struct hm_watch_row *first, size_t n)
{
    struct hm_buf text = HM_BUF(16 * 1024);
    struct hm_policy *p = NULL;
    for (size_t i = 0; i < n; i++)
        hm_buf_printf(&text, "%s\n", first[i].path);
    assert_int_equal(text.error, 0);
    assert_int_equal(hm_policy_new(hm_buf_slice(&text), &p, NULL), 0);
    hm_buf_done(&text);
    return p;
}

static bool changes_watched(const char *path)
{
    size_t n = 0;
    while (hm_watch_rows[n].path)
        n++;
    struct hm_policy *p = of_rows(hm_watch_rows, n);
    bool yes = hm_policy_path(p, hm_slice_str(path));
    hm_policy_free(p);
    return yes;
}

static size_t depth(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* A mark tells of the file itself or, on a folder, of what lies directly in it. */
static bool reading_watched(const char *path)
{
    bool yes = false;
    for (const struct hm_watch_row *r = hm_watch_rows; r->path && !yes; r++) {
        if (!r->read || depth(path) > depth(r->path) + 1)
            continue;
        struct hm_policy *p = of_rows(r, 1);
        yes = hm_policy_path(p, hm_slice_str(path));
        hm_policy_free(p);
    }
    return yes;
}

static int check_file(void *ctx, const char *path, struct hm_slice text)
{
    struct hm_arena *a = hm_arena_new(16 << 20);
    struct hm_yaml *doc = NULL;
    assert_int_equal(hm_yaml_parse(text, 0, a, &doc, NULL), 0);
    const char *category = hm_yaml_str(hm_yaml_get(doc, "logsource"), "category", "");
    const struct hm_yaml *list =
        hm_yaml_get(hm_yaml_get(hm_yaml_get(doc, "hinomi"), "examples"), "match");
    for (size_t i = 0; strncmp(category, "file_", 5) == 0 && list && i < list->count; i++) {
        const char *file = hm_yaml_str(list->items[i], "file.path", "");
        bool read = strcmp(category, "file_access") == 0;
        checked++;
        if (read ? reading_watched(file) : changes_watched(file))
            continue;
        print_error("%s: %s of %s is not watched\n", path, read ? "reading" : "a change", file);
        complaints++;
    }
    hm_arena_free(a);
    return 0;
}

static void what_rules_look_for_is_watched(void **state)
{
    int fd = open(HM_RULES_DIR, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(hm_folder_each(fd, check_file, NULL), 0);
    close(fd);
    assert_true(checked > 60);
    assert_int_equal(complaints, 0);
}

static void other_paths_are_not(void **state)
{
    assert_false(changes_watched("/home/taro/.config/chromium/Default/Preferences"));
    assert_false(changes_watched("/usr/share/doc/x"));
    assert_false(reading_watched("/etc/passwd"));
    assert_false(reading_watched("/home/taro/.mozilla/firefox/a.default/prefs.js"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rules_look_for_is_watched),
        cmocka_unit_test(other_paths_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
