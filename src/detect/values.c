/* Owns how a field of an event reads to a rule: numbers in decimal, addresses in their usual form,
 * hashes in lower-case hex, and words for the fields that hold an enumeration. */
#include "detect/values.h"
#include <arpa/inet.h>
#include <stdio.h>

static const struct {
    enum hm_field field;
    bool bits;
    const char *word;
    uint64_t value;
} words[] = {
#define STDIO(f)                                                                                   \
    {f, false, "closed", HM_STDIO_CLOSED}, {f, false, "file", HM_STDIO_FILE},                      \
        {f, false, "pipe", HM_STDIO_PIPE}, {f, false, "socket", HM_STDIO_SOCKET},                  \
        {f, false, "tty", HM_STDIO_TTY},                                                           \
    {                                                                                              \
        f, false, "other", HM_STDIO_OTHER                                                          \
    }
    STDIO(HM_F_PROCESS_STDIN),
    STDIO(HM_F_PROCESS_STDOUT),
    STDIO(HM_F_PROCESS_STDERR),
#undef STDIO
    {HM_F_PROCESS_FLAGS, true, "memfd", HM_PROC_MEMFD},
    {HM_F_PROCESS_FLAGS, true, "deleted", HM_PROC_DELETED},
    {HM_F_PROCESS_FLAGS, true, "setuid", HM_PROC_SETUID},
    {HM_F_PROCESS_FLAGS, true, "script", HM_PROC_SCRIPT},
    {HM_F_PROCESS_FLAGS, true, "kernel_thread", HM_PROC_KERNEL_THREAD},
    {HM_F_NET_PROTOCOL, false, "tcp", 6},
    {HM_F_NET_PROTOCOL, false, "udp", 17},
    {HM_F_NET_DIRECTION, false, "inbound", 1},
    {HM_F_NET_DIRECTION, false, "outbound", 2},
    {HM_F_NET_DIRECTION, false, "listening", 3},
};

int64_t hm_value_word(enum hm_field f, struct hm_slice word, bool *ret_bits)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++) {
        if (words[i].field == f && hm_slice_eq(word, hm_slice_str(words[i].word))) {
            *ret_bits = words[i].bits;
            return (int64_t)words[i].value;
        }
    }
    return -1;
}

static size_t hex(struct hm_slice s, char *buf, size_t room)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 2 <= room; i++) {
        buf[n++] = digits[s.p[i] >> 4];
        buf[n++] = digits[s.p[i] & 15];
    }
    return n;
}

struct hm_slice hm_value_text(const struct hm_event *e, enum hm_field f, char *buf)
{
    if (!hm_event_has(e, f))
        return (struct hm_slice){0};
    union hm_value v = e->v[f];
    switch (hm_fields[f].type) {
    case HM_TYPE_U64:
        return hm_slice(buf, (size_t)snprintf(buf, 64, "%llu", (unsigned long long)v.u64));
    case HM_TYPE_X64:
        return hm_slice(buf, (size_t)snprintf(buf, 64, "%016llx", (unsigned long long)v.u64));
    case HM_TYPE_IP:
        if (!inet_ntop(v.bytes.len == 16 ? AF_INET6 : AF_INET, v.bytes.p, buf, 64))
            return (struct hm_slice){0};
        return hm_slice_str(buf);
    case HM_TYPE_BYTES:
        return hm_slice(buf, hex(v.bytes, buf, 64));
    case HM_TYPE_STR:
        return v.bytes;
    case HM_TYPE_EVENTS:
        break;
    }
    return (struct hm_slice){0};
}
