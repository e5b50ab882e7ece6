/* CSV (RFC 4180: comma, semicolon or tab, quoted fields, line ends within them) whose header row
 * says which column is what. Two shapes: a column "value" (with or without a column for the kind),
 * or a column per kind ("sha256", "md5", "ip", …), of which a record may fill several. */
#include "detect/indicator/csv.h"
#include "detect/indicator/feed.h"
#include "detect/indicator/types.h"

enum role {
    ROLE_NONE,
    ROLE_VALUE,
    ROLE_TYPE,
    ROLE_KIND, /* the column's name is the kind */
    ROLE_FROM,
    ROLE_UNTIL,
    ROLE_CONFIDENCE,
    ROLE_TLP,
    ROLE_LABEL,
    ROLE_SOURCE,
    ROLE_DETECT /* MISP's to_ids */
};
static const struct {
    const char *name;
    enum role role;
} names[] = {{"value", ROLE_VALUE},
             {"indicator", ROLE_VALUE},
             {"ioc", ROLE_VALUE},
             {"ioc_value", ROLE_VALUE},
             {"observable", ROLE_VALUE},
             {"artifact", ROLE_VALUE},
             {"type", ROLE_TYPE},
             {"kind", ROLE_TYPE},
             {"ioc_type", ROLE_TYPE},
             {"indicator_type", ROLE_TYPE},
             {"valid_from", ROLE_FROM},
             {"first_seen", ROLE_FROM},
             {"first_seen_utc", ROLE_FROM},
             {"firstseen", ROLE_FROM},
             {"valid_until", ROLE_UNTIL},
             {"expires", ROLE_UNTIL},
             {"expiration", ROLE_UNTIL},
             {"expiration_date", ROLE_UNTIL},
             {"confidence", ROLE_CONFIDENCE},
             {"confidence_level", ROLE_CONFIDENCE},
             {"score", ROLE_CONFIDENCE},
             {"tlp", ROLE_TLP},
             {"label", ROLE_LABEL},
             {"description", ROLE_LABEL},
             {"comment", ROLE_LABEL},
             {"name", ROLE_LABEL},
             {"malware", ROLE_LABEL},
             {"malware_printable", ROLE_LABEL},
             {"signature", ROLE_LABEL},
             {"threat", ROLE_LABEL},
             {"source", ROLE_SOURCE},
             {"feed", ROLE_SOURCE},
             {"reference", ROLE_NONE},
             {"to_ids", ROLE_DETECT}};

struct csv {
    struct hm_feed *f;
    const uint8_t *p, *end;
    uint8_t comma;
    struct hm_buf text; /* fields of the record in hand, unquoted */
    struct hm_slice fields[HM_INTEL_COLUMNS_MAX];
    size_t count;
    enum role roles[HM_INTEL_COLUMNS_MAX];
    const struct hm_intel_type *kinds[HM_INTEL_COLUMNS_MAX]; /* ROLE_KIND */
    size_t columns;
};
enum { FIELD_NEXT, FIELD_LAST, FIELD_CUT, FIELD_BAD, FIELD_LONG };

/* --- records ------------------------------------------------------------------------------------
 */
static bool ends_record(const struct csv *c)
{
    return c->p == c->end || *c->p == '\n' ||
           (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n');
}

static int quoted(struct csv *c)
{
    for (c->p++; c->p < c->end; c->p++) {
        if (*c->p == '"' && (c->p + 1 == c->end || c->p[1] != '"')) {
            c->p++;
            return FIELD_NEXT;
        }
        c->p += *c->p == '"';
        hm_buf_put_u8(&c->text, *c->p);
        if (c->text.error)
            return FIELD_LONG;
    }
    return FIELD_CUT;
}

static int field(struct csv *c)
{
    size_t from = c->text.len;
    int r = FIELD_NEXT;
    while (c->p < c->end && *c->p == ' ')
        c->p++;
    if (c->p < c->end && *c->p == '"') {
        r = quoted(c);
        while (r == FIELD_NEXT && c->p < c->end && *c->p == ' ')
            c->p++;
        if (r == FIELD_NEXT && !ends_record(c) && *c->p != c->comma)
            r = FIELD_BAD;
    } else {
        while (!ends_record(c) && *c->p != c->comma)
            hm_buf_put_u8(&c->text, *c->p++);
    }
    if (c->text.error)
        r = FIELD_LONG;
    if (r != FIELD_NEXT)
        return r;
    if (c->count < HM_INTEL_COLUMNS_MAX) /* the buffer never moves: its room was made beforehand */
        c->fields[c->count++] = hm_intel_trim(hm_slice(c->text.data + from, c->text.len - from));
    if (ends_record(c))
        return FIELD_LAST;
    c->p++;
    return FIELD_NEXT;
}

static void to_next_line(struct csv *c)
{
    const uint8_t *nl = c->p < c->end ? memchr(c->p, '\n', (size_t)(c->end - c->p)) : NULL;
    c->p = nl ? nl + 1 : c->end;
}

/* False: the end. Records that cannot be read are noted and skipped. */
static bool record(struct csv *c)
{
    while (c->p < c->end && !c->f->error) {
        int r = FIELD_NEXT;
        const uint8_t *from = c->f->at = c->p;
        if (*c->p == '\n' || *c->p == '\r' || *c->p == '#') {
            to_next_line(c);
            continue;
        }
        c->text.len = 0;
        c->text.error = 0;
        c->count = 0;
        while (r == FIELD_NEXT)
            r = field(c);
        if (r == FIELD_LAST) {
            to_next_line(c);
            return true;
        }
        if (r != FIELD_CUT) /* after a wild quote the next line is the best place to go on */
            c->p = from;
        struct hm_slice shown =
            hm_slice(from, (size_t)(c->end - from) < 80 ? (size_t)(c->end - from) : 80);
        hm_feed_note(c->f,
                     r == FIELD_CUT    ? HM_INTEL_CUT_OFF
                     : r == FIELD_LONG ? HM_INTEL_OVER_LIMIT
                                       : HM_INTEL_MALFORMED,
                     r == FIELD_CUT    ? HM_INTEL_WHY_CUT
                     : r == FIELD_LONG ? HM_INTEL_WHY_LINE_LENGTH
                                       : HM_INTEL_WHY_QUOTE,
                     shown, (struct hm_slice){0}, 0);
        to_next_line(c);
    }
    return false;
}

/* --- header -------------------------------------------------------------------------------------
 */
static bool same_word(struct hm_slice s, const char *name)
{
    size_t n = strlen(name);
    if (s.len != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = s.p[i] == ' ' || s.p[i] == '-' ? '_' : s.p[i];
        if ((b >= 'A' && b <= 'Z' ? b | 0x20 : b) != (uint8_t)name[i])
            return false;
    }
    return true;
}

static enum role role_of(struct hm_slice name, const struct hm_intel_type **ret_type)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++)
        if (same_word(name, names[i].name))
            return names[i].role;
    *ret_type = hm_intel_type_find(name);
    return *ret_type && (*ret_type)->parts[0] != HM_PART_NONE ? ROLE_KIND : ROLE_NONE;
}

/* Number of columns that hold values. */
static size_t read_header(struct csv *c)
{
    size_t values = 0;
    c->columns = c->count;
    for (size_t i = 0; i < c->count; i++) {
        struct hm_slice name = c->fields[i];
        c->kinds[i] = NULL;
        if (name.len && name.p[0] == '#')
            name = hm_intel_trim(hm_slice(name.p + 1, name.len - 1));
        c->roles[i] = role_of(name, &c->kinds[i]);
        values += c->roles[i] == ROLE_VALUE || c->roles[i] == ROLE_KIND;
    }
    return values;
}

static uint8_t comma_of(struct hm_slice line)
{
    static const uint8_t commas[] = {',', ';', '\t'};
    size_t best = 0, counts[HM_ARRAY_LEN(commas)] = {0};
    for (size_t i = 0; i < line.len && line.p[i] != '\n'; i++)
        for (size_t k = 0; k < HM_ARRAY_LEN(commas); k++)
            counts[k] += line.p[i] == commas[k];
    for (size_t k = 1; k < HM_ARRAY_LEN(commas); k++)
        best = counts[k] > counts[best] ? k : best;
    return commas[best];
}

/* The header row; published feeds also put it behind "#" as the last comment. */
static bool find_header(struct csv *c)
{
    while (c->p < c->end) {
        const uint8_t *from = c->p;
        bool remark = *c->p == '#';
        if (remark)
            c->p++;
        c->comma = comma_of(hm_slice(c->p, (size_t)(c->end - c->p)));
        c->text.len = 0;
        c->count = 0;
        c->f->at = from;
        int r = FIELD_NEXT;
        while (!ends_record(c) && r == FIELD_NEXT)
            r = field(c);
        size_t values = r == FIELD_LAST ? read_header(c) : 0;
        c->p = from;
        c->text.error = 0;
        to_next_line(c);
        if (values && (!remark || c->columns > 1))
            return true;
        if (!remark && c->count)
            return false;
    }
    return false;
}

static struct csv open_csv(struct hm_feed *f)
{
    struct csv c = {.f = f, .p = f->text.p, .end = f->text.p + f->text.len};
    if (f->text.len >= 3 && memcmp(c.p, "\xef\xbb\xbf", 3) == 0)
        c.p += 3;
    c.text = HM_BUF(HM_INTEL_LINE_MAX_BYTES);
    hm_buf_extend(&c.text, HM_INTEL_LINE_MAX_BYTES);
    f->error = c.text.error;
    c.text.len = 0;
    return c;
}

bool hm_csv_looks(struct hm_slice feed)
{
    struct hm_feed f = {.text = feed};
    struct csv c = open_csv(&f);
    bool good = !f.error && find_header(&c) && c.columns > 1;
    hm_buf_done(&c.text);
    return good;
}

/* --- from records to indicators -----------------------------------------------------------------
 */
struct row {
    struct hm_indicator in;
    struct hm_slice type;
    bool detect, bad;
};

static void malformed(struct csv *c, struct row *row, enum hm_intel_reason why, struct hm_slice s)
{
    row->bad = true;
    hm_feed_note(c->f, HM_INTEL_MALFORMED, why, s, (struct hm_slice){0}, 0);
}

static void take_field(struct csv *c, struct row *row, enum role role, struct hm_slice s)
{
    uint64_t n;
    switch (role) {
    case ROLE_TYPE:
        row->type = s;
        break;
    case ROLE_FROM:
        if (!hm_intel_time(s, &row->in.valid_from_s))
            malformed(c, row, HM_INTEL_WHY_BAD_TIME, s);
        break;
    case ROLE_UNTIL:
        if (!hm_intel_time(s, &row->in.valid_until_s))
            malformed(c, row, HM_INTEL_WHY_BAD_TIME, s);
        break;
    case ROLE_CONFIDENCE:
        if (hm_intel_number(s, 100, &n))
            row->in.confidence = (uint8_t)n;
        else
            malformed(c, row, HM_INTEL_WHY_BAD_CONFIDENCE, s);
        break;
    case ROLE_TLP:
        hm_intel_tlp(s, &row->in.tlp);
        break;
    case ROLE_LABEL:
        if (!row->in.label.len)
            row->in.label = s;
        break;
    case ROLE_SOURCE:
        row->in.source = s;
        break;
    case ROLE_DETECT:
        row->detect = !(s.len && (s.p[0] == '0' || s.p[0] == 'f' || s.p[0] == 'F'));
        break;
    default:
        break;
    }
}

static void add_values(struct csv *c, const struct row *row)
{
    for (size_t i = 0; i < c->count && !row->bad; i++) {
        struct hm_indicator in = row->in;
        if (!c->fields[i].len || (c->roles[i] != ROLE_VALUE && c->roles[i] != ROLE_KIND))
            continue;
        if (!row->detect)
            hm_feed_note(c->f, HM_INTEL_IGNORED, HM_INTEL_WHY_NOT_FOR_DETECTION, c->fields[i],
                         (struct hm_slice){0}, 0);
        else if (c->roles[i] == ROLE_KIND)
            hm_intel_type_add(c->f, c->kinds[i], c->fields[i], &in);
        else if (row->type.len)
            hm_intel_type_name_add(c->f, row->type, c->fields[i], &in);
        else
            hm_feed_guess(c->f, c->fields[i], &in);
    }
}

int hm_read_csv(struct hm_feed *f, struct hm_error *err)
{
    struct csv c = open_csv(f);
    int r = f->error;
    if (r == 0 && !find_header(&c))
        r = hm_fail_at(err, -EBADMSG, 1, 0, "no column of the header row names a value");
    while (r == 0 && record(&c)) {
        struct row row = {.in = {.confidence = HM_CONFIDENCE_OPEN}, .detect = true};
        if (c.count != c.columns) {
            hm_feed_note(f, HM_INTEL_MALFORMED, HM_INTEL_WHY_COLUMNS, c.fields[0],
                         (struct hm_slice){0}, 0);
            continue;
        }
        for (size_t i = 0; i < c.count && !row.bad; i++)
            if (c.fields[i].len)
                take_field(&c, &row, c.roles[i], c.fields[i]);
        add_values(&c, &row);
    }
    hm_buf_done(&c.text);
    return r;
}
