/* Owns the words for numbers: a rule says `process.stdin: socket` or `Protocol: tcp`, the event has
 * 3 and 6. Such a value reads as a list of its number and its words, made once. */
#include "detect/view/bindings.h"
#include <stdlib.h>

static const struct {
    uint16_t field;
    uint64_t value; /* of a set of bits: the bit */
    const char *word, *number;
} words[] = {
#define STDIO(f)                                                                                   \
    {f, HM_STDIO_CLOSED, "closed", "0"}, {f, HM_STDIO_FILE, "file", "1"},                          \
        {f, HM_STDIO_PIPE, "pipe", "2"}, {f, HM_STDIO_SOCKET, "socket", "3"},                      \
        {f, HM_STDIO_TTY, "tty", "4"},                                                             \
    {                                                                                              \
        f, HM_STDIO_OTHER, "other", "5"                                                            \
    }
    STDIO(HM_F_PROCESS_STDIN),
    STDIO(HM_F_PROCESS_STDOUT),
    STDIO(HM_F_PROCESS_STDERR),
#undef STDIO
    {HM_F_NET_PROTOCOL, 1, "icmp", "1"},
    {HM_F_NET_PROTOCOL, 6, "tcp", "6"},
    {HM_F_NET_PROTOCOL, 17, "udp", "17"},
    {HM_F_NET_DIRECTION, 1, "inbound", "1"},
    {HM_F_NET_DIRECTION, 2, "outbound", "2"},
    {HM_F_NET_DIRECTION, 3, "listening", "3"},
    {HM_F_AUTH_RESULT, 1, "success", "1"},
    {HM_F_AUTH_RESULT, 2, "failure", "2"},
};

/* process.flags: the words of every combination. */
static const char *const flag_words[] = {"truncated", "memfd",         "deleted",       "setuid",
                                         "script",    "kernel_thread", "path_truncated"};
#define FLAG_BITS (sizeof flag_words / sizeof *flag_words)
_Static_assert(HM_PROC_ARGS_TRUNCATED == 1 && HM_PROC_PATH_TRUNCATED == 1 << (FLAG_BITS - 1),
               "flag_words follow HM_PROC_*");

struct hm_words {
    struct hm_datum pairs[HM_ARRAY_LEN(words)][2];
    uint16_t flags_at[1 << FLAG_BITS];
    uint8_t flags_count[1 << FLAG_BITS];
    struct hm_datum flags[FLAG_BITS << (FLAG_BITS - 1)];
};

static struct hm_datum text(const char *word)
{
    return (struct hm_datum){.kind = HM_DATUM_TEXT, .text = hm_slice_str(word)};
}

struct hm_words *hm_words_new(void)
{
    struct hm_words *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++) {
        w->pairs[i][0] = text(words[i].word);
        w->pairs[i][1] = (struct hm_datum){.kind = HM_DATUM_NUMBER,
                                           .text = hm_slice_str(words[i].number),
                                           .number = (int64_t)words[i].value};
    }
    size_t used = 0;
    for (size_t v = 0; v < HM_ARRAY_LEN(w->flags_at); v++) {
        w->flags_at[v] = (uint16_t)used;
        for (size_t bit = 0; bit < FLAG_BITS; bit++)
            if (v >> bit & 1)
                w->flags[used++] = text(flag_words[bit]);
        w->flags_count[v] = (uint8_t)(used - w->flags_at[v]);
    }
    return w;
}

void hm_words_free(struct hm_words *w)
{
    free(w);
}

const struct hm_datum *hm_words_of(const struct hm_words *w, enum hm_field f, uint64_t value,
                                   size_t *ret_count)
{
    if (f == HM_F_PROCESS_FLAGS && value && value < HM_ARRAY_LEN(w->flags_at)) {
        *ret_count = w->flags_count[value];
        return &w->flags[w->flags_at[value]];
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++) {
        if (words[i].field == f && words[i].value == value) {
            *ret_count = 2;
            return w->pairs[i];
        }
    }
    return NULL;
}

/* The number of a word of the field, or of several flags with blanks between. */
bool hm_words_number(enum hm_field f, struct hm_slice word, uint64_t *ret_value)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++) {
        if (words[i].field == f && hm_slice_eq(word, hm_slice_str(words[i].word))) {
            *ret_value = words[i].value;
            return true;
        }
    }
    uint64_t bits = 0;
    while (f == HM_F_PROCESS_FLAGS && word.len) {
        const uint8_t *gap = memchr(word.p, ' ', word.len);
        size_t n = gap ? (size_t)(gap - word.p) : word.len, bit = 0;
        while (bit < FLAG_BITS && !hm_slice_eq(hm_slice(word.p, n), hm_slice_str(flag_words[bit])))
            bit++;
        if (bit == FLAG_BITS)
            return false;
        bits |= 1u << bit;
        word = hm_slice(word.p + n + (gap != NULL), word.len - n - (gap != NULL));
    }
    *ret_value = bits;
    return bits != 0;
}
