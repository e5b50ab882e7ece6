/* `hinomi sigma check`: what loads, what does not and why, and what this agent could do with it. */
#include "cli/show.h"
#include "cli/sigma.h"
#include "detect/correlate/correlate.h"
#include "detect/logsource.h"

#define PRODUCTS_MAX 256

struct product {
    const char *name;
    size_t live, sleeping;
};
struct report {
    const struct hm_sigma_args *args;
    size_t problems;
    struct hm_buf json;
    struct product products[PRODUCTS_MAX];
    size_t product_count;
    const struct hm_sigma_set *set;
};

static void json_problem(struct report *r, const struct hm_rule_problem *p)
{
    hm_buf_printf(&r->json, "%s{\"path\":", r->problems > 1 ? "," : "");
    hm_sigma_json(hm_slice_str(p->path), &r->json);
    hm_buf_printf(&r->json, ",\"line\":%u,\"column\":%u,\"reason\":", p->error.line,
                  p->error.column);
    hm_sigma_json(hm_slice_str(p->error.text), &r->json);
    hm_buf_puts(&r->json, "}");
}

static void tell(void *ctx, const struct hm_rule_problem *p)
{
    struct report *r = ctx;
    r->problems++;
    if (r->args->json)
        json_problem(r, p);
    else
        hm_sigma_print_problem(p, stdout);
}

static void count_product(struct report *r, const struct hm_sigma_entry *e)
{
    struct hm_route route;
    const char *name = *e->source.product ? e->source.product : "-";
    size_t i = 0;
    while (i < r->product_count && strcmp(r->products[i].name, name) != 0)
        i++;
    if (i == PRODUCTS_MAX)
        return;
    if (i == r->product_count)
        r->products[r->product_count++].name = name;
    if (hm_logsource_route(e->source.product, e->source.category, e->source.service, &route))
        r->products[i].live++;
    else
        r->products[i].sleeping++;
}

/* What the language accepts and the runtime cannot do is refused here too: nothing loads and then
 * never fires without a word. */
static void unrunnable(void *ctx, size_t i, const struct hm_error *err)
{
    struct report *r = ctx;
    const struct hm_sigma_correlation *c = hm_sigma_correlation_at(r->set->collection, i);
    struct hm_rule_problem p = {.error = *err};
    snprintf(p.path, sizeof p.path, "%s", c->info.path);
    p.error.line = c->correlation.place.line;
    p.error.column = c->correlation.place.column;
    tell(r, &p);
}

static int check_correlations(struct report *r)
{
    struct hm_sigma_running run = {0};
    int e = hm_sigma_correlator(r->set, unrunnable, r, &run);
    hm_sigma_running_done(&run);
    return e;
}

static void print_json(const struct report *r, size_t rules, size_t correlations)
{
    printf("{\"files\":%zu,\"rules\":%zu,\"correlations\":%zu,\"filters\":%zu,\"refused\":%zu,"
           "\"products\":[",
           r->set->files, rules, correlations, hm_sigma_filter_count(r->set->collection),
           r->problems);
    for (size_t i = 0; i < r->product_count; i++) {
        struct hm_buf name hm_auto(hm_buf_done) = HM_BUF(4096);
        hm_sigma_json(hm_slice_str(r->products[i].name), &name);
        printf("%s{\"product\":%.*s,\"live\":%zu,\"sleeping\":%zu}", i ? "," : "", (int)name.len,
               (const char *)name.data, r->products[i].live, r->products[i].sleeping);
    }
    printf("],\"errors\":[%.*s]}\n", (int)r->json.len, (const char *)r->json.data);
}

static void print_text(const struct report *r, size_t rules, size_t correlations)
{
    static const struct hm_text total = {
        "%zu files: %zu rules, %zu correlations, %zu filters; %zu refused\n",
        "ファイル %zu 個: ルール %zu 件、相関 %zu 件、フィルター %zu 件、不可 %zu 件\n"};
    static const struct hm_text product = {
        "  %s: %zu live, %zu sleeping (no such log source here)\n",
        "  %s: 稼働 %zu 件、休止 %zu 件（対応するログなし）\n"};
    enum hm_lang lang = r->args->cli->lang;
    printf(hm_text(&total, lang), r->set->files, rules, correlations,
           hm_sigma_filter_count(r->set->collection), r->problems);
    for (size_t i = 0; i < r->product_count; i++) {
        struct hm_buf name hm_auto(hm_buf_done) = HM_BUF(4096);
        hm_show_text(r->products[i].name, &name);
        hm_buf_put_u8(&name, 0);
        printf(hm_text(&product, lang), name.error ? "?" : (const char *)name.data,
               r->products[i].live, r->products[i].sleeping);
    }
}

static int nothing(const struct hm_cli *c)
{
    static const struct hm_text none = {"no rules there", "ルールが見つかりません"};
    return hm_say(c, HM_EXIT_USAGE, &none);
}

int hm_sigma_check(const struct hm_sigma_args *a)
{
    struct hm_sigma_set set hm_auto(hm_sigma_set_done) = {0};
    struct report r = {.args = a, .json = HM_BUF(64u << 20), .set = &set};
    int code = hm_sigma_load(a, &a->words, tell, &r, &set);
    if (code == HM_EXIT_OK && set.files == 0)
        code = nothing(a->cli);
    if (code == HM_EXIT_OK && check_correlations(&r) < 0)
        code = HM_EXIT_FAILED;
    if (code == HM_EXIT_OK) {
        size_t rules = hm_sigma_rule_count(set.collection);
        for (size_t i = 0; i < rules; i++)
            count_product(&r, hm_sigma_rule_at(set.collection, i));
        (a->json ? print_json : print_text)(&r, rules, hm_sigma_correlation_count(set.collection));
        code = r.problems || r.json.error ? HM_EXIT_FAILED : HM_EXIT_OK;
    }
    hm_buf_done(&r.json);
    return code;
}
