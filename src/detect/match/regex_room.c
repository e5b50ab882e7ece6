/* Owns the memory that PCRE2 works in: made once a scratch, so that matching allocates nothing, and
 * bounded, so that no pattern runs away: one that backtracks too long is tried once more without
 * backtracking. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include "detect/match/scratch.h"
#include <pcre2.h>

struct hm_regex_room {
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

struct hm_regex_room *hm_regex_room_new(void)
{
    struct hm_regex_room *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->data = pcre2_match_data_create(1, NULL);
    m->limits = pcre2_match_context_create(NULL);
    if (!m->data || !m->limits) {
        hm_regex_room_free(m);
        return NULL;
    }
    pcre2_set_match_limit(m->limits, HM_REGEX_MATCH_LIMIT);
    return m;
}

void hm_regex_room_free(struct hm_regex_room *m)
{
    if (!m)
        return;
    pcre2_match_context_free(m->limits);
    pcre2_match_data_free(m->data);
    free(m);
}

bool hm_regex_match(struct hm_scratch *s, uint32_t lazy, struct hm_slice text)
{
    const struct hm_regex_room *m = s->regex;
    const struct hm_lazy *l = &s->p->lazy[lazy];
    if (!text.p)
        text.p = (const uint8_t *)"";
    int r =
        pcre2_match(s->p->regex[lazy], text.p, text.len, 0, PCRE2_NO_UTF_CHECK, m->data, m->limits);
    if (r != PCRE2_ERROR_MATCHLIMIT)
        return r >= 0;
    s->stats.regex_limits++;
    return hm_pattern_regex_slow(hm_slice(s->p->text + l->text, l->len), l->re_i, l->re_m, l->re_s,
                                 text);
}

size_t hm_regex_size(const void *regex)
{
    size_t n = 0;
    return regex && pcre2_pattern_info(regex, PCRE2_INFO_SIZE, &n) == 0 ? n : 0;
}
