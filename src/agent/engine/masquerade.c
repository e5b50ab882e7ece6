/* See masquerade.h. The tables are short on purpose: a name has to deceive a person, and Japanese
 * names are full of letters outside ASCII that deceive nobody. */
#include "agent/engine/masquerade.h"
#include <string.h>

/* How the kernel names its threads; the form in brackets is ps's for anything without arguments. */
static const char *const kernel_names[] = {
    "kworker/", "ksoftirqd/", "kthreadd",  "migration/", "rcu_sched",    "rcu_preempt", "rcu_gp",
    "kswapd",   "khugepaged", "kdevtmpfs", "kcompactd",  "kauditd",      "kblockd",     "watchdogd",
    "jbd2/",    "scsi_eh_",   "irq/",      "cpuhp/",     "idle_inject/", "oom_reaper",  "writeback",
};
static const char *const documents[] = {
    ".pdf", ".doc", ".docx", ".xls",  ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".rtf",
    ".txt", ".csv", ".jpg",  ".jpeg", ".png",  ".gif", ".mp3",  ".mp4", ".htm", ".html",
};
/* Cyrillic and Greek letters that are drawn like Latin ones (Unicode's confusables.txt). */
static const uint16_t confusable[] = {
    0x0391, 0x0392, 0x0395, 0x0396, 0x0397, 0x0399, 0x039A, 0x039C, 0x039D, 0x039F, 0x03A1, 0x03A4,
    0x03A5, 0x03A7, 0x03BD, 0x03BF, 0x03C1, 0x0405, 0x0406, 0x0408, 0x0410, 0x0412, 0x0415, 0x041A,
    0x041C, 0x041D, 0x041E, 0x0420, 0x0421, 0x0422, 0x0425, 0x0430, 0x0435, 0x043E, 0x0440, 0x0441,
    0x0443, 0x0445, 0x0455, 0x0456, 0x0458, 0x04BB, 0x0501, 0x051B, 0x051D,
};
/* Zero-width and direction marks, soft hyphen, no-break and other odd spaces. */
static const struct {
    uint32_t from, to;
} invisible[] = {{0x00A0, 0x00A0}, {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
                 {0x115F, 0x1160}, {0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F},
                 {0x205F, 0x206F}, {0x3164, 0x3164}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE007F}};

static struct hm_slice base_name(struct hm_slice path)
{
    size_t at = path.len;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return hm_slice(path.p + at, path.len - at);
}

/* One code point; U+FFFD for what is malformed or cut off. */
static uint32_t next_point(struct hm_slice s, size_t *at)
{
    uint8_t c = s.p[(*at)++];
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    uint32_t v = more == 3 ? c & 7u : more == 2 ? c & 15u : more == 1 ? c & 31u : c;
    for (; more && *at < s.len && (s.p[*at] & 0xC0) == 0x80; more--)
        v = v << 6 | (s.p[(*at)++] & 0x3Fu);
    return more ? 0xFFFD : v;
}

static bool is_confusable(uint32_t v)
{
    for (size_t i = 0; i < sizeof confusable / sizeof *confusable; i++)
        if (confusable[i] == v)
            return true;
    return false;
}

static bool is_invisible(uint32_t v)
{
    if (v < 0x20 || v == 0x7F)
        return true;
    for (size_t i = 0; i < sizeof invisible / sizeof *invisible; i++)
        if (v >= invisible[i].from && v <= invisible[i].to)
            return true;
    return false;
}

static bool latin(uint32_t v)
{
    return (v >= 'a' && v <= 'z') || (v >= 'A' && v <= 'Z');
}

static unsigned letters(struct hm_slice name)
{
    bool ascii = false, alike = false, foreign = false;
    unsigned found = 0;
    for (size_t at = 0; at < name.len;) {
        uint32_t v = next_point(name, &at);
        ascii |= latin(v);
        if (is_confusable(v))
            alike = true;
        else if (v >= 0x370 && v < 0x530)
            foreign = true; /* a letter only Greek or Cyrillic has: a word of that language */
        if (is_invisible(v))
            found |= HM_MASQUERADE_INVISIBLE;
    }
    if (name.len && (name.p[name.len - 1] == ' ' || name.p[0] == ' '))
        found |= HM_MASQUERADE_INVISIBLE;
    return found | (ascii && alike && !foreign ? HM_MASQUERADE_CONFUSABLE : 0);
}

static bool begins(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.p, with, n) == 0;
}

static bool ends(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len > n && memcmp(s.p + s.len - n, with, n) == 0;
}

static bool kernel_like(struct hm_slice command_line, struct hm_slice comm)
{
    size_t n = 0;
    while (n < command_line.len && command_line.p[n] != ' ')
        n++;
    struct hm_slice first = hm_slice(command_line.p, n);
    if (first.len > 2 && first.p[0] == '[' && first.p[first.len - 1] == ']')
        return true;
    for (size_t i = 0; i < sizeof kernel_names / sizeof *kernel_names; i++)
        if (begins(comm, kernel_names[i]) || begins(first, kernel_names[i]))
            return true;
    return false;
}

static bool document(struct hm_slice name)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (ends(name, documents[i]))
            return true;
    return false;
}

static bool dots(struct hm_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] != '.' && name.p[i] != ' ')
            return false;
    return name.len > 0;
}

unsigned hm_masquerade(struct hm_slice path, struct hm_slice command_line, struct hm_slice comm)
{
    struct hm_slice name = base_name(path);
    unsigned found = letters(name);
    if (kernel_like(command_line, comm))
        found |= HM_MASQUERADE_KERNEL_THREAD;
    if (document(name))
        found |= HM_MASQUERADE_DOCUMENT;
    if (dots(name))
        found |= HM_MASQUERADE_DOTS;
    return found;
}
