/* What Windows needs of the libraries, in one program without a test library: it is an ordinary
 * test here, and tools/mingw-check links it for Windows (and runs it where Wine is). */
#include "base/clock.h"
#include "base/compress.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/os.h"
#include "journal/journal.h"
#include "wire/order.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void unhex(const char *s, uint8_t *out)
{
    for (; *s; s += 2) {
        char two[3] = {s[0], s[1], 0};
        *out++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

/* RFC 6979 A.2.5, key and message "sample": the same bytes must be good under every library. */
static void check_crypto(void)
{
    struct hm_key *k = NULL, *again = NULL;
    uint8_t pub[65], mine[65], sig[72], hash[32], want[32];
    char *pem = NULL;
    size_t len = 0;

    unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want);
    hm_sha256(hm_slice_str("abc"), hash);
    MUST(memcmp(hash, want, 32) == 0);
    unhex("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
          "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
          pub);
    unhex("3046022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
          "022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
          sig);
    MUST(hm_verify(pub, hm_slice_str("sample"), hm_slice(sig, 72)) == 0);
    MUST(hm_verify(pub, hm_slice_str("test"), hm_slice(sig, 72)) == -EKEYREJECTED);
    MUST(hm_verify(pub, hm_slice_str("sample"), hm_slice(sig, 71)) == -EINVAL);
    MUST(hm_key_generate(&k) == 0);
    hm_key_public(k, mine);
    MUST(hm_sign(k, hm_slice_str("order"), sig, &len) == 0);
    MUST(hm_verify(mine, hm_slice_str("order"), hm_slice(sig, len)) == 0);
    MUST(hm_verify(pub, hm_slice_str("order"), hm_slice(sig, len)) == -EKEYREJECTED);
    MUST(hm_key_to_pem(k, &pem) == 0);
    MUST(hm_key_from_pem(hm_slice_str(pem), &again, NULL) == 0);
    MUST(hm_sign(again, hm_slice_str("again"), sig, &len) == 0);
    MUST(hm_verify(mine, hm_slice_str("again"), hm_slice(sig, len)) == 0);
    MUST(hm_key_from_pem(hm_slice_str("junk"), &again, NULL) == -EINVAL);
    MUST(hm_random(hash, sizeof hash) == 0);
    free(pem);
    hm_key_free(k);
    hm_key_free(again);
}

/* A key that the OpenSSL command line wrote for this test; it protects nothing. */
static void check_foreign_pem(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdqIU3DHBdphr9hMo\n"
                              "AeJeEQaUc4GwC5gf7jaJQ7MbrAWhRANCAARIjAYoOS05gAy25h/YwBnV1BhqL90Y\n"
                              "mLoa5S6HXFmQBdwj0On/l3/z5GYrXegifm/XOpFzIPRL5DRUuS/+s0Wp\n"
                              "-----END PRIVATE KEY-----\n";
    uint8_t pub[65], want[65];
    struct hm_key *k = NULL;

    unhex("04488c0628392d39800cb6e61fd8c019d5d4186a2fdd1898ba1ae52e875c599005"
          "dc23d0e9ff977ff3e4662b5de8227e6fd73a917320f44be43454b92ffeb345a9",
          want);
    MUST(hm_key_from_pem(hm_slice_str(pem), &k, NULL) == 0);
    hm_key_public(k, pub);
    MUST(memcmp(pub, want, 65) == 0);
    hm_key_free(k);
}

static void check_statements(void)
{
    struct hm_key *k = NULL;
    struct hm_buf b = HM_BUF(10000);
    struct hm_slice payload;
    uint8_t pub[65];

    MUST(hm_key_generate(&k) == 0);
    hm_key_public(k, pub);
    MUST(hm_stmt_sign(k, HM_DOMAIN_ORDER, hm_slice_str("kill it"), &b) == 0);
    MUST(hm_stmt_verify(pub, HM_DOMAIN_ORDER, hm_buf_slice(&b), &payload) == 0);
    MUST(hm_slice_eq(payload, hm_slice_str("kill it")));
    MUST(hm_stmt_verify(pub, HM_DOMAIN_TIME, hm_buf_slice(&b), &payload) < 0);
    hm_key_free(k);
    hm_buf_done(&b);
}

static int count(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    ++*(uint64_t *)ctx;
    return 0;
}

static void put_events(const char *dir, uint64_t n, uint64_t *ret_epoch)
{
    struct hm_journal_options o = {.boot = 5};
    struct hm_journal *j = NULL, *second = NULL;
    struct hm_error err = {0};
    static struct hm_event e;

    MUST(hm_journal_open(dir, &o, &j, NULL, &err) == 0);
    MUST(hm_journal_open(dir, &o, &second, NULL, NULL) == -EBUSY);
    *ret_epoch = hm_journal_epoch(j);
    for (uint64_t i = 0; i < n; i++) {
        hm_event_clear(&e);
        hm_event_set_u64(&e, HM_F_WALL_NS, hm_clock_wall_ns());
        hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("C:\\Windows\\System32\\cmd.exe"));
        MUST(hm_journal_put(j, i % 100 == 0 ? HM_LANE_ALERT : HM_LANE_BULK, &e) == 0);
    }
    MUST(hm_journal_tick(j, hm_clock_mono_ns(), 0) >= 1);
    hm_journal_close(j);
}

static uint64_t read_lane(const char *dir, const char *lane, uint64_t *ret_batches)
{
    struct hm_log_reader *r = NULL;
    struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_slice s;
    uint64_t n, events = 0;
    char path[600];

    *ret_batches = 0;
    snprintf(path, sizeof path, "%s/%s", dir, lane);
    MUST(hm_log_reader_open(path, &r, NULL) == 0);
    while (hm_log_reader_next(r, &n, &s) == 1) {
        MUST(n == (*ret_batches)++);
        MUST(hm_batch_each(s, &raw, count, &events) == 0);
    }
    hm_log_reader_close(r);
    hm_buf_done(&raw);
    return events;
}

/* The end of the file is torn off; the next start repairs it and goes on. */
static void tear(const char *dir)
{
    char path[600];
    struct hm_dir *d = NULL;

    snprintf(path, sizeof path, "%s/bulk", dir);
    MUST(hm_dir_open(path, false, &d) == 0);
    hm_autoclose int fd = hm_dir_file(d, "0000000000000000.seg", HM_OPEN_WRITE);
    int64_t size = fd < 0 ? -1 : hm_file_size(fd);
    MUST(size > 10);
    MUST(hm_file_truncate(fd, (uint64_t)size - 3) == 0);
    hm_dir_close(d);
}

static void check_journal(const char *dir)
{
    uint64_t epoch, again, batches, before;

    put_events(dir, 5000, &epoch);
    MUST(read_lane(dir, "bulk", &batches) == 4950 && read_lane(dir, "alert", &batches) == 50);
    put_events(dir, 5000, &again);
    MUST(again == epoch);
    MUST(read_lane(dir, "bulk", &before) == 9900);
    tear(dir);
    put_events(dir, 100, &again);
    MUST(again == epoch);
    MUST(read_lane(dir, "bulk", &batches) > 0 && batches == before); /* one torn, one new */
}

static void check_rest(void)
{
    char text[64];
    struct hm_buf z = HM_BUF(1000), out = HM_BUF(1000);
    static const uint8_t ip[4] = {192, 0, 2, 1};
    struct hm_slice s = hm_slice_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

    MUST(hm_compress(HM_CODEC_ZLIB, s, &z) == 0);
    MUST(hm_decompress(HM_CODEC_ZLIB, hm_buf_slice(&z), s.len, &out) == 0);
    MUST(hm_slice_eq(hm_buf_slice(&out), s));
    MUST(strcmp(hm_ip_format(hm_slice(ip, 4), text), "192.0.2.1") == 0);
    MUST(strcmp(hm_clock_format(0, text, sizeof text), "1970-01-01T00:00:00.000Z") == 0);
    MUST(hm_clock_wall_ns() > UINT64_C(1600000000000000000));
    MUST(hm_clock_boot_ns() > 0 && hm_clock_mono_ns() > 0);
    hm_log_init("portable", 2);
    hm_info("%s", "hello\nworld");
    hm_buf_done(&z);
    hm_buf_done(&out);
}

int main(int argc, char **argv)
{
    MUST(argc == 2); /* an empty folder for the journal */
    check_rest();
    check_crypto();
    check_foreign_pem();
    check_statements();
    check_journal(argv[1]);
    puts("portable: good");
    return 0;
}
