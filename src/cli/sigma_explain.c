/* `hinomi sigma explain`: a rule's condition as a tree, each search and test with its answer, the
 * event's values beside the patterns, and where it failed. Answers are walk.h's, not the fast
 * matcher's: whoever doubts one has the other. */
#include "cli/lines.h"
#include "cli/sigma.h"
#include "cli/unwrap.h"
#include "detect/walk.h"
#include <inttypes.h>

#define SHOWN_PATTERNS 8   /* of one test; those that match are always among them */
#define SHOWN_BYTES    200 /* of one value */

struct explain {
    const struct hm_sigma_args *args;
    const struct hm_sigma_set *set;
    const struct hm_sigma_entry *rule;
    const struct hm_view *view;
};

static enum hm_lang lang(const struct explain *x)
{
    return x->args->cli->lang;
}

static void say_value(struct hm_slice s)
{
    bool cut = s.len > SHOWN_BYTES;
    putchar('"');
    hm_sigma_say(hm_slice(s.p, cut ? SHOWN_BYTES : s.len), stdout);
    printf(cut ? "\"…" : "\"");
}

/* --- what the event has ---------------------------------------------------------------------- */
static void say_datum(const struct explain *x, const struct hm_datum *d)
{
    static const struct hm_text absent = {"no such field", "項目なし"}, null = {"null", "null"};
    switch (d->kind) {
    case HM_DATUM_ABSENT:
        printf("(%s)", hm_text(&absent, lang(x)));
        break;
    case HM_DATUM_NULL:
        printf("%s", hm_text(&null, lang(x)));
        break;
    case HM_DATUM_LIST:
        for (size_t i = 0; i < d->count && i < SHOWN_PATTERNS; i++) {
            printf(i ? ", " : "[");
            say_value(d->items[i].text);
        }
        printf(d->count > SHOWN_PATTERNS ? ", …]" : d->count ? "]" : "[]");
        break;
    default:
        say_value(d->text);
    }
}

static void say_field(const struct explain *x, uint32_t field)
{
    static const struct hm_text any = {"(any text of the event)", "（イベント内の任意の文字列）"};
    char buf[HM_DATUM_BUF];
    struct hm_datum d = {0};
    if (field == HM_NAME_NONE) {
        printf("%s", hm_text(&any, lang(x)));
        return;
    }
    x->view->get(x->view, field, buf, &d);
    hm_sigma_say(hm_slice_str(hm_names_text(x->set->names, field)), stdout);
    printf(" = ");
    say_datum(x, &d);
}

/* --- what the rule wants --------------------------------------------------------------------- */
static const char *kind_words(const struct hm_pattern *p)
{
    static const char *const words[] = {
        [HM_PATTERN_EXACT] = "is",         [HM_PATTERN_PREFIX] = "begins with",
        [HM_PATTERN_SUFFIX] = "ends with", [HM_PATTERN_CONTAINS] = "contains",
        [HM_PATTERN_GLOB] = "is like",     [HM_PATTERN_REGEX] = "matches /…/",
        [HM_PATTERN_CIDR] = "is within",   [HM_PATTERN_NULL] = "is absent or null",
        [HM_PATTERN_EMPTY] = "is empty",
    };
    return words[p->kind];
}

static void say_pattern(const struct hm_pattern *p)
{
    printf("%s ", kind_words(p));
    if (p->kind == HM_PATTERN_CIDR) {
        for (size_t i = 0; i < p->ip_len; i++)
            printf(p->ip_len == 4 ? "%s%u"
                   : i % 2        ? "%s%02x"
                                  : "%s%x",
                   p->ip_len == 4 ? (i ? "." : "") : (i && i % 2 == 0 ? ":" : ""), p->ip[i]);
        printf("/%u", p->prefix);
        return;
    }
    if (p->kind == HM_PATTERN_NULL || p->kind == HM_PATTERN_EMPTY)
        return;
    if (p->kind != HM_PATTERN_GLOB) {
        say_value(p->text);
    } else {
        putchar('"');
        for (size_t i = 0; i < p->text.len; i++)
            if (p->text.p[i] <= 2)
                putchar(p->text.p[i] == 1 ? '*' : '?');
            else
                hm_sigma_say(hm_slice(p->text.p + i, 1), stdout);
        putchar('"');
    }
    if (p->cased && p->kind != HM_PATTERN_REGEX)
        printf(" (cased)");
}

static void indent(unsigned depth)
{
    printf("%*s", (int)(depth * 2), "");
}

static void mark(unsigned depth, bool yes)
{
    indent(depth);
    printf(yes ? "✓ " : "✗ ");
}

static void say_patterns(const struct explain *x, const struct hm_ast_test *t, unsigned depth)
{
    static const struct hm_text more = {"… and %zu more that do not match\n",
                                        "… ほか %zu 件は一致しません\n"};
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < t->count; i++) {
        bool yes = hm_walk_pattern(t, &t->patterns[i], x->view);
        if (!yes && shown >= SHOWN_PATTERNS) {
            left++;
            continue;
        }
        shown++;
        mark(depth, yes);
        say_pattern(&t->patterns[i]);
        puts("");
    }
    if (left) {
        indent(depth);
        printf(hm_text(&more, lang(x)), left);
    }
}

static void say_number(const struct hm_ast_number *n)
{
    if (n->real)
        printf("%g", n->d);
    else
        printf("%" PRId64, n->i);
}

static void say_test(const struct explain *x, const struct hm_ast_test *t, unsigned depth)
{
    static const char *const ops[] = {
        [HM_AST_LT] = "<", [HM_AST_LTE] = "<=", [HM_AST_GT] = ">", [HM_AST_GTE] = ">="};
    static const char *const parts[] = {"",        " (minute)", " (hour)", " (day)",
                                        " (week)", " (month)",  " (year)"};
    say_field(x, t->field);
    printf("%s", parts[t->part]);
    switch (t->op) {
    case HM_AST_ANY_OF:
        if (t->count == 1) {
            printf(" — ");
            say_pattern(&t->patterns[0]);
        }
        puts("");
        if (t->count != 1)
            say_patterns(x, t, depth + 1);
        return;
    case HM_AST_EXISTS:
        puts(" — exists");
        return;
    case HM_AST_FIELDREF:
        printf(" — %s ", t->affix == HM_AFFIX_NONE     ? "is"
                         : t->affix == HM_AFFIX_PREFIX ? "begins with"
                         : t->affix == HM_AFFIX_SUFFIX ? "ends with"
                                                       : "contains");
        say_field(x, t->other);
        puts("");
        return;
    default:
        printf(" — %s ", ops[t->op]);
        say_number(&t->number);
        puts("");
    }
}

static void say_tree(const struct explain *x, const struct hm_ast *n, unsigned depth)
{
    static const struct hm_text kinds[] = {
        [HM_AST_AND] = {"all of", "すべて"},
        [HM_AST_OR] = {"any of", "いずれか"},
        [HM_AST_NOT] = {"not", "否定"},
    };
    mark(depth, hm_walk(n, x->view));
    if (n->search) {
        hm_sigma_say(hm_slice_str(n->search), stdout);
        printf(": ");
    }
    if (n->kind == HM_AST_TEST) {
        say_test(x, &n->test, depth);
        return;
    }
    printf("%s\n", hm_text(&kinds[n->kind], lang(x)));
    for (size_t i = 0; i < n->count; i++)
        say_tree(x, n->kids[i], depth + 1);
}

/* --- where it failed ------------------------------------------------------------------------- */
/* The nodes that would have to answer otherwise, as deep as one alone decides. */
static void say_failure(const struct explain *x, const struct hm_ast *n, bool wanted,
                        const char *search)
{
    static const struct hm_text place = {"  %s at %u:%u is %s\n", "  %s（%u:%u）が %s\n"};
    static const struct hm_text condition = {"the condition", "条件"};
    search = n->search ? n->search : search;
    if (n->kind == HM_AST_NOT) {
        say_failure(x, n->kids[0], !wanted, search);
        return;
    }
    /* AND that should be true: each child that is false. OR that should be false: likewise. */
    if ((n->kind == HM_AST_AND && wanted) || (n->kind == HM_AST_OR && !wanted)) {
        for (size_t i = 0; i < n->count; i++)
            if (hm_walk(n->kids[i], x->view) != wanted)
                say_failure(x, n->kids[i], wanted, search);
        return;
    }
    struct hm_buf name hm_auto(hm_buf_done) = HM_BUF(4096);
    hm_buf_puts(&name, search ? search : hm_text(&condition, lang(x)));
    hm_buf_put_u8(&name, 0);
    printf(hm_text(&place, lang(x)), name.error ? "?" : (const char *)name.data, n->place.line,
           n->place.column, wanted ? "false" : "true");
}

static void say_rule(const struct explain *x)
{
    static const struct hm_text source = {"log source: ", "ログ種別: "};
    const struct hm_sigma_source *s = &x->rule->source;
    const char *parts[] = {"product", s->product, "category", s->category, "service", s->service};
    hm_sigma_say(hm_slice_str(x->rule->info.id), stdout);
    printf("  ");
    hm_sigma_say(hm_slice_str(x->rule->info.title), stdout);
    printf("\n%s", hm_text(&source, lang(x)));
    for (size_t i = 0; i < HM_ARRAY_LEN(parts); i += 2)
        if (*parts[i + 1]) {
            printf("%s=", parts[i]);
            hm_sigma_say(hm_slice_str(parts[i + 1]), stdout);
            printf(" ");
        }
    puts("");
}

static int explain(const struct explain *x)
{
    static const struct hm_text yes = {"matches\n", "一致します\n"},
                                no = {"does not match, because\n", "一致しません。理由:\n"};
    bool hit = hm_walk(x->rule->condition, x->view);
    say_rule(x);
    say_tree(x, x->rule->condition, 0);
    printf("%s", hm_text(hit ? &yes : &no, lang(x)));
    if (!hit)
        say_failure(x, x->rule->condition, true, NULL);
    return HM_EXIT_OK;
}

/* --- which rule, which event ----------------------------------------------------------------- */
static const struct hm_sigma_entry *find_rule(const struct hm_sigma_set *s, const char *id)
{
    size_t n = hm_sigma_rule_count(s->collection);
    for (size_t i = 0; i < n; i++) {
        const struct hm_sigma_entry *e = hm_sigma_rule_at(s->collection, i);
        if (strcmp(e->info.id, id) == 0 || (*e->name && strcmp(e->name, id) == 0))
            return e;
    }
    return NULL;
}

static int pick_rule(const struct hm_sigma_args *a, const struct hm_sigma_set *set,
                     const struct hm_sigma_entry **ret_rule)
{
    static const struct hm_text unknown = {"no rule %s", "ルール %s が見つかりません"};
    static const struct hm_text several = {
        "%s: not exactly one rule: name one by its id with --rules",
        "%s: ルールが 1 件ではありません。--rules と ID で指定してください"};
    size_t n = hm_sigma_rule_count(set->collection);
    if (a->rules.count) {
        *ret_rule = find_rule(set, a->words.at[0]);
        return *ret_rule ? HM_EXIT_OK : hm_say(a->cli, HM_EXIT_NOT_FOUND, &unknown, a->words.at[0]);
    }
    if (n != 1)
        return hm_say(a->cli, HM_EXIT_FAILED, &several, a->words.at[0]);
    *ret_rule = hm_sigma_rule_at(set->collection, 0);
    return HM_EXIT_OK;
}

/* The file's first line that is no blank, or all of it when it is one object on several lines. */
static int read_event(const struct hm_sigma_args *a, struct hm_record *record, struct hm_buf *text)
{
    static const struct hm_text bad = {"%s: column %u: %s", "%s: %u 文字目: %s"};
    const char *path = a->words.at[1];
    struct hm_error err = {0};
    struct hm_slice event;
    int code = hm_sigma_read_text(a, path, HM_LINE_MAX, text);
    if (code != HM_EXIT_OK)
        return code;
    struct hm_slice all = hm_buf_slice(text);
    if (hm_unwrap(all, a->field, &event) && hm_record_parse(record, event, &err) == 0)
        return HM_EXIT_OK;
    while (all.len && strchr(" \t\r\n", all.p[0]) && all.p[0])
        all = hm_slice(all.p + 1, all.len - 1);
    const uint8_t *end = memchr(all.p, '\n', all.len);
    all.len = end ? (size_t)(end - all.p) : all.len;
    err = (struct hm_error){0};
    if (!hm_unwrap(all, a->field, &event))
        (void)hm_fail(&err, -EBADMSG, "no object under \"%.100s\"", a->field);
    else if (hm_record_parse(record, event, &err) == 0)
        return HM_EXIT_OK;
    return hm_say(a->cli, HM_EXIT_FAILED, &bad, path, err.column, err.text);
}

int hm_sigma_explain(const struct hm_sigma_args *a)
{
    static const struct hm_text words = {"explain needs a rule and an event",
                                         "explain にはルールとイベントが必要です"};
    struct hm_sigma_set set hm_auto(hm_sigma_set_done) = {0};
    struct hm_buf text hm_auto(hm_buf_done) = {0};
    struct explain x = {.args = a, .set = &set};
    size_t refused = 0;
    if (a->words.count != 2)
        return hm_say(a->cli, HM_EXIT_USAGE, &words);
    struct hm_paths file = {{a->words.at[0]}, 1};
    int code =
        hm_sigma_load(a, a->rules.count ? &a->rules : &file, hm_sigma_tell_stderr, &refused, &set);
    if (code == HM_EXIT_OK)
        code = pick_rule(a, &set, &x.rule);
    struct hm_record *record = code == HM_EXIT_OK ? hm_record_new(set.names) : NULL;
    if (code == HM_EXIT_OK)
        code = record ? read_event(a, record, &text) : HM_EXIT_FAILED;
    if (code == HM_EXIT_OK) {
        x.view = hm_record_view(record);
        code = explain(&x);
    }
    hm_record_free(record);
    return code;
}
