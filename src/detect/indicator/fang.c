/* Defanged values, as people write them so that nobody clicks: hxxp, [.], (at). Knows only the
 * marks.
 */
#include "detect/indicator/value.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool hm_intel_starts(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    if (s.len < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (fold(s.p[i]) != (uint8_t)with[i])
            return false;
    return true;
}

static const struct {
    const char *from, *to;
} fangs[] = {{"[.]", "."},  {"(.)", "."},     {"{.}", "."}, {"[dot]", "."}, {"(dot)", "."},
             {"[:]", ":"},  {"[://]", "://"}, {"[/]", "/"}, {"[@]", "@"},   {"[at]", "@"},
             {"(at)", "@"}, {"[.", "."},      {".]", "."}};

static size_t fang(struct hm_slice s, const char **ret_to)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(fangs); i++)
        if (hm_intel_starts(s, fangs[i].from)) {
            *ret_to = fangs[i].to;
            return strlen(fangs[i].from);
        }
    return 0;
}

/* An IPv6 host in a URL keeps its brackets: "[." and ".]" do not occur there. */
bool hm_intel_refang(struct hm_slice s, struct hm_intel_value *v)
{
    const char *to;
    v->len = 0;
    if (hm_intel_starts(s, "hxxp") || hm_intel_starts(s, "h**p") || hm_intel_starts(s, "meow")) {
        memcpy(v->bytes, "http", 4);
        v->len = 4;
        s = hm_slice(s.p + 4, s.len - 4);
    }
    while (s.len) {
        size_t take = fang(s, &to), put = take ? strlen(to) : 1;
        if (v->len + put > sizeof v->bytes)
            return false;
        memcpy(v->bytes + v->len, take ? (const uint8_t *)to : s.p, put);
        v->len += put;
        take += take == 0;
        s = hm_slice(s.p + take, s.len - take);
    }
    return true;
}
