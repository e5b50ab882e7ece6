/* Feeds of lines: plain lists, and the three files of signature-base. Each line stands for itself;
 * a line that cannot be read is noted and the next one is read. */
#include "detect/indicator/feed.h"

struct lines {
    struct hm_feed *f;
    const uint8_t *next, *end;
};

static struct lines lines_of(struct hm_feed *f)
{
    struct lines l = {f, f->text.p, f->text.p + f->text.len};
    if (f->text.len >= 3 && memcmp(l.next, "\xef\xbb\xbf", 3) == 0)
        l.next += 3; /* byte order mark */
    return l;
}

/* The next line that is not empty, without blanks at its ends. */
static bool next_line(struct lines *l, struct hm_slice *ret_line)
{
    while (l->next && l->next < l->end && !l->f->error) {
        const uint8_t *nl = memchr(l->next, '\n', (size_t)(l->end - l->next));
        const uint8_t *stop = nl ? nl : l->end;
        l->f->at = l->next;
        *ret_line = hm_intel_trim(hm_slice(l->next, (size_t)(stop - l->next)));
        l->next = nl ? nl + 1 : l->end;
        if (ret_line->len > HM_INTEL_LINE_MAX_BYTES) {
            hm_feed_note(l->f, HM_INTEL_OVER_LIMIT, HM_INTEL_WHY_LINE_LENGTH,
                         hm_slice(ret_line->p, 64), (struct hm_slice){0}, 0);
            continue;
        }
        if (ret_line->len)
            return true;
    }
    return false;
}

static struct hm_indicator open_indicator(void)
{
    return (struct hm_indicator){.confidence = HM_CONFIDENCE_OPEN};
}

/* Text after "#", as a label. */
static struct hm_slice comment(struct hm_slice line)
{
    size_t i = 0;
    while (i < line.len && (line.p[i] == '#' || line.p[i] == '/' || line.p[i] == ';'))
        i++;
    return hm_intel_trim(hm_slice(line.p + i, line.len - i));
}

static bool is_comment(struct hm_slice line)
{
    return line.p[0] == '#' || line.p[0] == ';' ||
           (line.len > 1 && line.p[0] == '/' && line.p[1] == '/');
}

static struct hm_slice unquote(struct hm_slice s)
{
    while (s.len && (s.p[s.len - 1] == ',' || s.p[s.len - 1] == ';'))
        s.len--;
    if (s.len >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.len - 1] == s.p[0])
        s = hm_slice(s.p + 1, s.len - 2);
    return hm_intel_trim(s);
}

/* A value a line; what follows " #" is its label; a hosts file's "0.0.0.0 name" is read too. */
static void list_line(struct hm_feed *f, struct hm_slice line)
{
    struct hm_indicator in = open_indicator();
    static const char *const sinks[] = {"0.0.0.0", "127.0.0.1", "::", "::1"};
    for (size_t i = 1; i < line.len; i++)
        if (line.p[i] == '#' && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t')) {
            in.label = comment(hm_slice(line.p + i, line.len - i));
            line = hm_intel_trim(hm_slice(line.p, i));
            break;
        }
    for (size_t i = 0; i < HM_ARRAY_LEN(sinks); i++) {
        size_t n = strlen(sinks[i]);
        if (line.len > n && memcmp(line.p, sinks[i], n) == 0 &&
            (line.p[n] == ' ' || line.p[n] == '\t'))
            line = hm_intel_trim(hm_slice(line.p + n, line.len - n));
    }
    hm_feed_guess(f, unquote(line), &in);
}

int hm_read_list(struct hm_feed *f, struct hm_error *err)
{
    struct lines l = lines_of(f);
    struct hm_slice line;
    (void)err;
    while (next_line(&l, &line))
        if (!is_comment(line))
            list_line(f, line);
    return 0;
}

/* --- signature-base --------------------------------------------------------------------------- */
/* The part before the separator; *ret_rest is what follows it, p NULL without one. */
static struct hm_slice part(struct hm_slice s, struct hm_slice *ret_rest)
{
    const uint8_t *p = s.len ? memchr(s.p, ';', s.len) : NULL;
    *ret_rest = p ? hm_slice(p + 1, (size_t)(s.p + s.len - p - 1)) : (struct hm_slice){0};
    return hm_intel_trim(p ? hm_slice(s.p, (size_t)(p - s.p)) : s);
}

/* HASH;COMMENT */
int hm_read_hashes(struct hm_feed *f, struct hm_error *err)
{
    struct lines l = lines_of(f);
    struct hm_slice line;
    (void)err;
    while (next_line(&l, &line)) {
        struct hm_indicator in = open_indicator();
        if (is_comment(line))
            continue;
        hm_feed_guess(f, part(line, &in.label), &in);
    }
    return 0;
}

/* HOST[;SCORE]; a comment names what follows until the next one. */
int hm_read_hosts(struct hm_feed *f, struct hm_error *err)
{
    struct lines l = lines_of(f);
    struct hm_slice line, label = {0};
    (void)err;
    while (next_line(&l, &line)) {
        struct hm_indicator in = open_indicator();
        struct hm_slice rest;
        uint64_t score;
        if (is_comment(line)) {
            label = comment(line);
            continue;
        }
        struct hm_slice host = part(line, &rest);
        in.label = label;
        if (hm_intel_number(hm_intel_trim(rest), 100, &score))
            in.confidence = (uint8_t)score;
        hm_feed_guess(f, host, &in);
    }
    return 0;
}

/* The lists are written for Windows; as their own scanner does on Linux, an escaped backslash also
 * stands for a slash: \\ becomes [\\/], and within a class \\/. */
static bool either_slash(struct hm_slice in, struct hm_buf *out)
{
    bool class = false;
    hm_buf_clear(out);
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.p[i];
        if (c == '\\' && i + 1 < in.len) {
            bool slash = in.p[++i] == '\\';
            hm_buf_puts(out, slash && !class ? "[" : "");
            hm_buf_put(out, in.p + i - 1, 2);
            hm_buf_puts(out, slash ? class ? "/" : "/]" : "");
            continue;
        }
        class = class ? c != ']' : c == '[';
        hm_buf_put_u8(out, c);
    }
    return !out->error;
}

static bool read_score(struct hm_slice s, uint8_t *ret)
{
    uint64_t n;
    s = hm_intel_trim(s);
    if (s.len && s.p[0] == '-') { /* below zero: an exception of the whole scanner */
        *ret = 0;
        return hm_intel_number(hm_slice(s.p + 1, s.len - 1), 10000, &n);
    }
    if (!hm_intel_number(s, 10000, &n))
        return false;
    *ret = (uint8_t)(n > 100 ? 100 : n);
    return true;
}

struct patterns {
    struct hm_buf match, except;
};

/* REGEX;SCORE[;EXCEPT]. A score of nothing is no indicator. */
static void filename_line(struct hm_feed *f, struct hm_slice line, struct hm_slice label,
                          struct patterns *p)
{
    struct hm_indicator in = open_indicator();
    struct hm_slice rest, except, pattern = part(line, &rest);
    struct hm_slice score = part(rest, &except);
    in.kind = HM_INTEL_REGEX;
    in.label = label;
    if (!read_score(score, &in.confidence)) {
        hm_feed_note(f, HM_INTEL_MALFORMED, HM_INTEL_WHY_BAD_SCORE, line, (struct hm_slice){0}, 0);
        return;
    }
    if (in.confidence == 0) {
        hm_feed_note(f, HM_INTEL_IGNORED, HM_INTEL_WHY_NOT_FOR_DETECTION, line,
                     (struct hm_slice){0}, 0);
        return;
    }
    if (!either_slash(pattern, &p->match) || !either_slash(hm_intel_trim(except), &p->except)) {
        if (p->match.error == -ENOMEM || p->except.error == -ENOMEM)
            f->error = -ENOMEM;
        else
            hm_feed_note(f, HM_INTEL_OVER_LIMIT, HM_INTEL_WHY_TOO_LONG, line, (struct hm_slice){0},
                         0);
        return;
    }
    in.value = hm_buf_slice(&p->match);
    in.except = hm_buf_slice(&p->except);
    hm_feed_add(f, &in);
}

int hm_read_filenames(struct hm_feed *f, struct hm_error *err)
{
    struct lines l = lines_of(f);
    struct hm_slice line, label = {0};
    struct patterns p = {HM_BUF(4 * HM_INTEL_REGEX_MAX_BYTES),
                         HM_BUF(4 * HM_INTEL_REGEX_MAX_BYTES)};
    (void)err;
    while (next_line(&l, &line)) {
        if (line.p[0] == '#')
            label = comment(line);
        else
            filename_line(f, line, label, &p);
    }
    hm_buf_done(&p.match);
    hm_buf_done(&p.except);
    return 0;
}
