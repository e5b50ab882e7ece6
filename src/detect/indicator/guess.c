/* What a bare word of a list is: hash, address, URL, mail address, path, file name, domain. And the
 * small forms feeds share: times and TLP. Knows no feed format. */
#include "detect/indicator/value.h"

static bool has(struct hm_slice s, uint8_t c)
{
    return s.len && memchr(s.p, c, s.len);
}

static bool ends_fold(struct hm_slice s, const char *tail)
{
    size_t n = strlen(tail);
    for (size_t i = 0; i < n && s.len >= n; i++)
        if ((s.p[s.len - n + i] | 0x20) != tail[i])
            return false;
    return s.len >= n;
}

/* Endings of files that are no top-level domains; .sh, .py, .zip, .com and their like are. */
static bool file_ending(struct hm_slice s)
{
    static const char *const endings[] = {
        "exe", "dll", "sys", "bat", "cmd",  "ps1", "vbs", "vbe",  "jse",  "wsf",  "hta",  "scr",
        "lnk", "jar", "msi", "doc", "xls",  "ppt", "rtf", "docx", "docm", "xlsx", "xlsm", "pptx",
        "pdf", "php", "jsp", "asp", "aspx", "elf", "ko",  "bin",  "tmp",  "dat",  "log",  "txt",
        "rar", "7z",  "gz",  "tar", "iso",  "img", "apk", "dmg",  "cab",  "ocx",  "cpl",  "pif"};
    size_t dot = s.len;
    while (dot > 0 && s.p[dot - 1] != '.')
        dot--;
    struct hm_slice tail = hm_slice(s.p + dot, s.len - dot);
    for (size_t i = 0; dot > 0 && i < HM_ARRAY_LEN(endings); i++)
        if (tail.len == strlen(endings[i]) && ends_fold(tail, endings[i]))
            return true;
    return false;
}

static bool hex_length(struct hm_slice s, enum hm_intel_reason *ret_why, enum hm_intel_kind *ret_k)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
              ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'f')))
            return false;
    *ret_why = HM_INTEL_WHY_NONE;
    if (s.len == 32 || s.len == 40 || s.len == 64)
        *ret_k = s.len == 32 ? HM_INTEL_MD5 : s.len == 40 ? HM_INTEL_SHA1 : HM_INTEL_SHA256;
    else if (s.len == 56 || s.len == 96 || s.len == 128)
        *ret_why = HM_INTEL_WHY_HASH_LENGTH;
    else
        return false;
    return true;
}

static bool is_path(struct hm_slice s)
{
    return s.p[0] == '/' || s.p[0] == '%' || s.p[0] == '~' || has(s, '\\') ||
           (s.len > 2 && s.p[1] == ':' && s.p[2] == '\\');
}

static struct hm_slice without_port(struct hm_slice s)
{
    const uint8_t *colon = s.len ? memchr(s.p, ':', s.len) : NULL;
    uint64_t port;
    if (!colon || memchr(colon + 1, ':', (size_t)(s.p + s.len - colon - 1)) ||
        !hm_intel_number(hm_slice(colon + 1, (size_t)(s.p + s.len - colon - 1)), 65535, &port))
        return s;
    return hm_slice(s.p, (size_t)(colon - s.p));
}

static bool reads_as(enum hm_intel_kind k, struct hm_slice s)
{
    struct hm_intel_value v;
    return hm_intel_value_read(k, s, &v) == HM_INTEL_WHY_NONE;
}

static bool address_like(struct hm_slice s, enum hm_intel_reason *ret_why)
{
    struct hm_intel_value v;
    *ret_why = hm_intel_value_read(HM_INTEL_IP, s, &v);
    return *ret_why != HM_INTEL_WHY_BAD_IP && *ret_why != HM_INTEL_WHY_NOT_TEXT;
}

static bool scheme_like(struct hm_slice s)
{
    for (size_t i = 0; i + 3 <= s.len; i++)
        if (memcmp(s.p + i, "://", 3) == 0 || memcmp(s.p + i, "[:]", 3) == 0 ||
            (i + 5 <= s.len && memcmp(s.p + i, "[://]", 5) == 0))
            return true;
    return false;
}

enum hm_intel_reason hm_intel_value_guess(struct hm_slice s, enum hm_intel_kind *ret_k,
                                          struct hm_slice *ret_text)
{
    enum hm_intel_reason why;
    struct hm_slice host = without_port(s);
    *ret_text = s;
    if (s.len == 0)
        return HM_INTEL_WHY_EMPTY;
    if (s.len > HM_INTEL_VALUE_MAX_BYTES)
        return HM_INTEL_WHY_TOO_LONG;
    if (hex_length(s, &why, ret_k))
        return why;
    if (scheme_like(s))
        return *ret_k = HM_INTEL_URL, HM_INTEL_WHY_NONE;
    if (address_like(host, &why)) {
        *ret_text = host;
        return *ret_k = HM_INTEL_IP, why;
    }
    if (is_path(s))
        return *ret_k = HM_INTEL_PATH, HM_INTEL_WHY_NONE;
    if (reads_as(HM_INTEL_MAIL, s))
        return *ret_k = HM_INTEL_MAIL, HM_INTEL_WHY_NONE;
    if (has(s, '/'))
        return *ret_k = HM_INTEL_URL,
               reads_as(HM_INTEL_URL, s) ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_NO_KIND;
    if (file_ending(s))
        return *ret_k = HM_INTEL_NAME, HM_INTEL_WHY_NONE;
    *ret_text = host;
    *ret_k = HM_INTEL_DOMAIN;
    struct hm_intel_value v;
    why = hm_intel_value_read(HM_INTEL_DOMAIN, host, &v);
    return why == HM_INTEL_WHY_IDN || why == HM_INTEL_WHY_NONE ? why : HM_INTEL_WHY_NO_KIND;
}

/* --- times --------------------------------------------------------------------------------------
 */
static bool digits_at(struct hm_slice s, size_t at, size_t n, uint64_t max, uint64_t *ret)
{
    return at + n <= s.len && hm_intel_number(hm_slice(s.p + at, n), max, ret);
}

static int64_t days_since_1970(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* What follows the seconds: a fraction, then Z or +09:00 or nothing. */
static bool zone(struct hm_slice s, int64_t *ret_offset_s)
{
    size_t i = 0;
    uint64_t h, m;
    *ret_offset_s = 0;
    if (i < s.len && s.p[i] == '.')
        for (i++; i < s.len && s.p[i] >= '0' && s.p[i] <= '9';)
            i++;
    if (i == s.len || (i + 1 == s.len && (s.p[i] | 0x20) == 'z'))
        return true;
    if ((s.p[i] != '+' && s.p[i] != '-') || !digits_at(s, i + 1, 2, 23, &h))
        return false;
    size_t colon = i + 3 < s.len && s.p[i + 3] == ':';
    if (!digits_at(s, i + 3 + colon, 2, 59, &m) || i + 5 + colon != s.len)
        return false;
    *ret_offset_s = (int64_t)(h * 3600 + m * 60) * (s.p[i] == '-' ? -1 : 1);
    return true;
}

bool hm_intel_time(struct hm_slice s, uint64_t *ret_s)
{
    uint64_t y, mo, d, h = 0, mi = 0, sec = 0;
    int64_t offset = 0;
    s = hm_intel_trim(s);
    if (hm_intel_number(s, UINT32_MAX, ret_s))
        return true;
    if (!digits_at(s, 0, 4, 9999, &y) || s.len < 10 || s.p[4] != '-' || s.p[7] != '-' ||
        !digits_at(s, 5, 2, 12, &mo) || !digits_at(s, 8, 2, 31, &d) || mo < 1 || d < 1)
        return false;
    if (s.len > 10) {
        if (s.len < 19 || ((s.p[10] | 0x20) != 't' && s.p[10] != ' ') || s.p[13] != ':' ||
            s.p[16] != ':' || !digits_at(s, 11, 2, 23, &h) || !digits_at(s, 14, 2, 59, &mi) ||
            !digits_at(s, 17, 2, 60, &sec) || !zone(hm_slice(s.p + 19, s.len - 19), &offset))
            return false;
    }
    int64_t t = days_since_1970((int64_t)y, (int64_t)mo, (int64_t)d) * 86400 +
                (int64_t)(h * 3600 + mi * 60 + sec) - offset;
    *ret_s = t < 0 ? 0 : (uint64_t)t;
    return true;
}

bool hm_intel_tlp(struct hm_slice s, enum hm_tlp *ret_t)
{
    static const struct {
        const char *word;
        enum hm_tlp tlp;
    } words[] = {{"amber+strict", HM_TLP_AMBER_STRICT},
                 {"clear", HM_TLP_CLEAR},
                 {"white", HM_TLP_CLEAR},
                 {"green", HM_TLP_GREEN},
                 {"amber", HM_TLP_AMBER},
                 {"red", HM_TLP_RED}};
    s = hm_intel_trim(s);
    if (s.len > 4 && ends_fold(hm_slice(s.p, 3), "tlp") && s.p[3] == ':')
        s = hm_slice(s.p + 4, s.len - 4);
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (s.len == strlen(words[i].word) && ends_fold(s, words[i].word)) {
            *ret_t = words[i].tlp;
            return true;
        }
    return false;
}
