/* `hinomi sigma coverage`: which rules can fire on this agent's events, and what the others miss.
 */
#include "cli/sigma.h"
#include "detect/coverage.h"

#define STATES (HM_COVERAGE_VALUE + 1)

static const struct hm_text words[STATES] = {
    [HM_COVERAGE_LIVE] = {"live", "稼働"},
    [HM_COVERAGE_PRODUCT] = {"for another product", "他の製品向け"},
    [HM_COVERAGE_SOURCE] = {"log source not here", "対応するログなし"},
    [HM_COVERAGE_FIELD] = {"fields missing", "項目なし"},
    [HM_COVERAGE_VALUE] = {"values never seen here", "現れない値"},
};

struct show {
    const struct hm_sigma_args *args;
    const struct hm_sigma_set *set;
    size_t totals[STATES], refused;
    struct hm_buf json;
};

static void put_fields_json(struct show *s, const struct hm_coverage *c)
{
    for (size_t i = 0; i < c->field_count; i++) {
        hm_buf_puts(&s->json, i ? "," : "");
        hm_sigma_json(hm_slice_str(hm_names_text(s->set->names, c->fields[i])), &s->json);
    }
}

static void rule_json(struct show *s, const struct hm_sigma_entry *e, const struct hm_coverage *c,
                      size_t i)
{
    hm_buf_puts(&s->json, i ? ",\n{\"id\":" : "\n{\"id\":");
    hm_sigma_json(hm_slice_str(e->info.id), &s->json);
    hm_buf_puts(&s->json, ",\"path\":");
    hm_sigma_json(hm_slice_str(e->info.path), &s->json);
    hm_buf_printf(&s->json, ",\"state\":\"%s\",\"%s\":[", hm_coverage_state_name(c->state),
                  c->state == HM_COVERAGE_LIVE ? "unseen" : "fields");
    put_fields_json(s, c);
    hm_buf_puts(&s->json, "]}");
}

static void print_source(const struct hm_sigma_source *src)
{
    const char *parts[] = {src->product, src->category, src->service};
    printf(" (");
    for (size_t i = 0; i < HM_ARRAY_LEN(parts); i++) {
        hm_sigma_say(hm_slice_str(*parts[i] ? parts[i] : "*"), stdout);
        printf(i + 1 < HM_ARRAY_LEN(parts) ? "/" : ")");
    }
}

static void print_rule(const struct show *s, const struct hm_sigma_entry *e,
                       const struct hm_coverage *c)
{
    static const struct hm_text unseen = {"; not seen: ", "。見えない項目: "};
    enum hm_lang lang = s->args->cli->lang;
    hm_sigma_say(hm_slice_str(e->info.path), stdout);
    printf(": %s", hm_text(&words[c->state], lang));
    if (c->state == HM_COVERAGE_SOURCE || c->state == HM_COVERAGE_PRODUCT)
        print_source(&e->source);
    if (c->field_count)
        printf("%s", c->state == HM_COVERAGE_LIVE ? hm_text(&unseen, lang) : ": ");
    for (size_t i = 0; i < c->field_count; i++) {
        printf("%s", i ? ", " : "");
        hm_sigma_say(hm_slice_str(hm_names_text(s->set->names, c->fields[i])), stdout);
    }
    puts("");
}

static void each_rule(struct show *s, const struct hm_bindings *b)
{
    size_t n = hm_sigma_rule_count(s->set->collection);
    for (size_t i = 0; i < n; i++) {
        const struct hm_sigma_entry *e = hm_sigma_rule_at(s->set->collection, i);
        struct hm_coverage c = {0};
        hm_coverage(e, s->set->names, b, &c);
        s->totals[c.state]++;
        if (s->args->json)
            rule_json(s, e, &c, i);
        else
            print_rule(s, e, &c);
    }
}

static void totals(const struct show *s)
{
    static const struct hm_text refused = {"refused", "不可"};
    size_t n = hm_sigma_rule_count(s->set->collection);
    if (s->args->json) {
        printf("{\"rules\":%zu,\"refused\":%zu", n, s->refused);
        for (int i = 0; i < STATES; i++)
            printf(",\"%s\":%zu", hm_coverage_state_name((enum hm_coverage_state)i), s->totals[i]);
        printf(",\"items\":[%.*s]}\n", (int)s->json.len, (const char *)s->json.data);
        return;
    }
    for (int i = 0; i < STATES; i++)
        printf("%s: %zu\n", hm_text(&words[i], s->args->cli->lang), s->totals[i]);
    printf("%s: %zu\n", hm_text(&refused, s->args->cli->lang), s->refused);
}

int hm_sigma_coverage(const struct hm_sigma_args *a)
{
    static const struct hm_text none = {"no rules there", "ルールが見つかりません"};
    struct hm_sigma_set set hm_auto(hm_sigma_set_done) = {0};
    struct show s = {.args = a, .set = &set, .json = HM_BUF(64u << 20)};
    struct hm_bindings *b = NULL;
    int code = hm_sigma_load(a, &a->words, hm_sigma_tell_stderr, &s.refused, &set);
    if (code == HM_EXIT_OK && set.files == 0)
        code = hm_say(a->cli, HM_EXIT_USAGE, &none);
    if (code == HM_EXIT_OK && hm_bindings_new(set.names, &b) < 0)
        code = HM_EXIT_FAILED;
    if (code == HM_EXIT_OK) {
        each_rule(&s, b);
        totals(&s);
        code = s.json.error || s.refused ? HM_EXIT_FAILED : HM_EXIT_OK;
    }
    hm_bindings_free(b);
    hm_buf_done(&s.json);
    return code;
}
