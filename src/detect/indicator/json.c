/* See json.h. RFC 8259, strictly; the depth that skipping tolerates is limits.h's. */
#include "detect/indicator/json.h"
#include "base/error.h"
#include "detect/indicator/limits.h"

static bool fail(struct hm_json *j, int code)
{
    if (!j->error)
        j->error = j->p >= j->end && code == -EBADMSG ? -ENODATA : code;
    return false;
}

static void blanks(struct hm_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

static bool eat(struct hm_json *j, uint8_t c)
{
    blanks(j);
    if (j->error || j->p >= j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

char hm_json_peek(struct hm_json *j)
{
    blanks(j);
    if (j->error || j->p >= j->end)
        return 0;
    switch (*j->p) {
    case '{':
    case '[':
    case '"':
    case 't':
    case 'f':
    case 'n':
        return (char)*j->p;
    default:
        return *j->p == '-' || (*j->p >= '0' && *j->p <= '9') ? '0' : 0;
    }
}

bool hm_json_enter(struct hm_json *j, char type)
{
    if (!eat(j, (uint8_t)type))
        return false;
    j->entered++;
    return j->entered <= HM_JSON_DEPTH_MAX || fail(j, -E2BIG);
}

/* The bytes between the quotes, as they stand. */
static struct hm_slice string(struct hm_json *j)
{
    if (!eat(j, '"')) {
        fail(j, -EBADMSG);
        return (struct hm_slice){0};
    }
    const uint8_t *from = j->p;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p < 0x20) {
            fail(j, -EBADMSG);
            return (struct hm_slice){0};
        }
        j->p += *j->p == '\\' ? 2 : 1;
    }
    if (j->p >= j->end) {
        j->p = j->end;
        fail(j, -ENODATA);
        return (struct hm_slice){0};
    }
    return hm_slice(from, (size_t)(j->p++ - from));
}

/* True: another element follows; false: the closing bracket was left, or an error. */
static bool next(struct hm_json *j, bool *first, uint8_t close)
{
    bool begun = !*first;
    *first = false;
    if (j->error)
        return false;
    if (eat(j, close)) {
        j->entered--;
        return false;
    }
    if (begun && !eat(j, ','))
        return fail(j, -EBADMSG);
    blanks(j);
    return j->p < j->end || fail(j, -ENODATA);
}

bool hm_json_member(struct hm_json *j, bool *first, struct hm_slice *ret_key)
{
    if (!next(j, first, '}'))
        return false;
    *ret_key = string(j);
    if (!eat(j, ':'))
        return fail(j, -EBADMSG);
    return !j->error;
}

bool hm_json_element(struct hm_json *j, bool *first)
{
    return next(j, first, ']');
}

static void word(struct hm_json *j, const char *w)
{
    size_t n = strlen(w);
    size_t have = (size_t)(j->end - j->p) < n ? (size_t)(j->end - j->p) : n;
    if (memcmp(j->p, w, have) != 0) {
        fail(j, -EBADMSG);
        return;
    }
    j->p += have;
    if (have < n)
        fail(j, -ENODATA);
}

static bool number(struct hm_json *j)
{
    const uint8_t *from = j->p;
    while (j->p < j->end && *j->p && strchr("+-0123456789.eE", *j->p))
        j->p++;
    size_t n = (size_t)(j->p - from);
    bool bad = (n == 1 && *from == '-') || from[0] == '+' || from[0] == '.' ||
               (n > 1 && from[0] == '0' && from[1] >= '0' && from[1] <= '9');
    return !bad || fail(j, -EBADMSG);
}

static void scalar(struct hm_json *j, char type)
{
    if (type == '"')
        string(j);
    else if (type == '0')
        number(j);
    else if (type)
        word(j, type == 't' ? "true" : type == 'f' ? "false" : "null");
    else
        fail(j, -EBADMSG);
}

/* One value with a bit a level: set in an object, clear in an array. */
struct hm_slice hm_json_skip(struct hm_json *j)
{
    uint64_t object = 0;
    bool first[HM_JSON_DEPTH_MAX + 1];
    struct hm_slice key;
    int depth = 0;
    blanks(j);
    const uint8_t *from = j->p;
    do {
        char type = hm_json_peek(j);
        if (type == '{' || type == '[') {
            if (!hm_json_enter(j, type) || depth == HM_JSON_DEPTH_MAX) {
                fail(j, -E2BIG);
                break;
            }
            object = object << 1 | (type == '{');
            first[depth++] = true;
        } else {
            scalar(j, type);
        }
        while (depth && !j->error) {
            bool more = object & 1 ? hm_json_member(j, &first[depth - 1], &key)
                                   : hm_json_element(j, &first[depth - 1]);
            if (more || j->error)
                break;
            object >>= 1;
            depth--;
        }
    } while (depth && !j->error);
    return j->error ? (struct hm_slice){0} : hm_slice(from, (size_t)(j->p - from));
}

/* --- strings ------------------------------------------------------------------------------------
 */
static int hex4(const uint8_t *p, const uint8_t *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i] | 0x20;
        int n = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (n < 0)
            return -1;
        v = v << 4 | n;
    }
    return v;
}

static void put_utf8(struct hm_buf *b, uint32_t c)
{
    if (c < 0x80) {
        hm_buf_put_u8(b, (uint8_t)c);
        return;
    }
    int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    hm_buf_put_u8(b, (uint8_t)((tail == 1 ? 0xc0 : tail == 2 ? 0xe0 : 0xf0) | c >> (6 * tail)));
    while (tail-- > 0)
        hm_buf_put_u8(b, (uint8_t)(0x80 | (c >> (6 * tail) & 0x3f)));
}

/* Behind "\u"; bytes taken, 0: malformed. Lone surrogates become U+FFFD. */
static size_t unicode(struct hm_slice s, struct hm_buf *b)
{
    int high = hex4(s.p, s.p + s.len), low = -1;
    if (high < 0)
        return 0;
    if (high < 0xd800 || high > 0xdfff) {
        put_utf8(b, (uint32_t)high);
        return 4;
    }
    if (high < 0xdc00 && s.len >= 10 && s.p[4] == '\\' && s.p[5] == 'u')
        low = hex4(s.p + 6, s.p + s.len);
    if (low >= 0xdc00 && low <= 0xdfff) {
        put_utf8(b, 0x10000 + (((uint32_t)high & 0x3ff) << 10) + ((uint32_t)low & 0x3ff));
        return 10;
    }
    put_utf8(b, 0xfffd);
    return 4;
}

static bool unescape(struct hm_slice s, struct hm_buf *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\\') {
            hm_buf_put_u8(b, s.p[i]);
            continue;
        }
        uint8_t c = ++i < s.len ? s.p[i] : 0;
        const char *at = c ? strchr(from, c) : NULL;
        size_t n = c == 'u' ? unicode(hm_slice(s.p + i + 1, s.len - i - 1), b) : 0;
        if (at)
            hm_buf_put_u8(b, (uint8_t)to[at - from]);
        else if (n)
            i += n;
        else
            return false;
    }
    return true;
}

/* Out of memory is no fault of the text. */
static bool got(struct hm_json *j, const struct hm_buf *buf)
{
    if (buf->error == -ENOMEM)
        fail(j, -ENOMEM);
    return !buf->error;
}

bool hm_json_text(struct hm_json *j, struct hm_buf *buf)
{
    char type = hm_json_peek(j);
    hm_buf_clear(buf);
    if (type == '"') {
        struct hm_slice s = string(j);
        if (j->error || s.len > buf->max)
            return false;
        if (!unescape(s, buf))
            return fail(j, -EBADMSG);
        return got(j, buf);
    }
    struct hm_slice s = hm_json_skip(j);
    if (s.len == 0 || type == '{' || type == '[' || type == 'n')
        return false;
    hm_buf_put(buf, s.p, s.len);
    return got(j, buf);
}
