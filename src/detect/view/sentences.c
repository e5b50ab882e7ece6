/* See sentences.h. Lines come from anywhere: every step is bounded by the line. */
#include "detect/view/sentences.h"

static bool tag_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == '/' || c == '@' || c == '(' || c == ')';
}

/* "sshd[12]" or "sshd" that ends at `end`, begun after a space or at the line's begin. */
static struct hm_slice tag_before(struct hm_slice line, size_t end)
{
    size_t name_end = end;
    if (end && line.p[end - 1] == ']') {
        while (name_end && line.p[name_end - 1] != '[')
            name_end--;
        if (!name_end)
            return (struct hm_slice){0};
        name_end--;
    }
    size_t begin = name_end;
    while (begin && tag_byte(line.p[begin - 1]))
        begin--;
    if (begin && line.p[begin - 1] != ' ')
        return (struct hm_slice){0};
    return hm_slice(line.p + begin, name_end - begin);
}

struct hm_slice hm_sentence_message(struct hm_slice line, struct hm_slice *ret_program)
{
    *ret_program = (struct hm_slice){0};
    for (size_t i = 0; i + 1 < line.len && i < 200; i++) {
        if (line.p[i] != ':' || line.p[i + 1] != ' ')
            continue;
        struct hm_slice tag = tag_before(line, i);
        if (!tag.len)
            continue;
        *ret_program = tag;
        return hm_slice(line.p + i + 2, line.len - i - 2);
    }
    return line;
}

static bool begins(struct hm_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len > n && memcmp(s.p, with, n) == 0;
}

static struct hm_slice word(struct hm_slice s, const char *ends)
{
    size_t n = 0;
    while (n < s.len && s.p[n] && !strchr(ends, s.p[n]))
        n++;
    return hm_slice(s.p, n);
}

bool hm_sentence_unit(struct hm_slice program, struct hm_slice line, const char *verb,
                      struct hm_slice *ret_unit)
{
    static const char suffix[] = ".service";
    struct hm_slice tag, said = hm_sentence_message(line, &tag);
    if (!program.len)
        program = tag;
    if (!hm_slice_eq(program, hm_slice_str("systemd")) || !begins(said, verb))
        return false;
    size_t skip = strlen(verb);
    struct hm_slice unit = word(hm_slice(said.p + skip, said.len - skip), " ");
    size_t n = sizeof suffix - 1;
    if (unit.len > n && memcmp(unit.p + unit.len - n, suffix, n) == 0)
        unit.len -= n;
    else if (unit.len && unit.p[unit.len - 1] == '.')
        unit.len--;
    *ret_unit = unit;
    return unit.len > 0;
}

bool hm_sentence_new_user(struct hm_slice program, struct hm_slice line, struct hm_slice *ret_name)
{
    static const char verb[] = "new user: name=";
    struct hm_slice tag, said = hm_sentence_message(line, &tag);
    if (!program.len)
        program = tag;
    if (!hm_slice_eq(program, hm_slice_str("useradd")) || !begins(said, verb))
        return false;
    *ret_name = word(hm_slice(said.p + sizeof verb - 1, said.len - (sizeof verb - 1)), ", ");
    return ret_name->len > 0;
}
