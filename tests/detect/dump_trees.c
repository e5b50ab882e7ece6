/* Rules of folders as one JSON line each: path, id and tree, or path and why it was refused. For
 * tests/peers, which compares with what pySigma makes of the same text.
 *   usage: dump_trees DIR…      wildcards are U+0001 (any) and U+0002 (one) */
#include "detect/folder.h"
#include "detect/sigma/collection.h"
#include "detect/sigma/placeholder.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct load {
    struct hm_sigma_collection *c;
    const char *folder;
};

static void put_text(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\')
            printf("\\%c", s[i]);
        else if (s[i] < 0x20)
            printf("\\u%04x", s[i]);
        else
            putchar(s[i]);
    }
}

static void problem(void *ctx, const struct hm_rule_problem *p)
{
    printf("{\"path\":\"%s\",\"refused\":\"", p->path);
    put_text((const uint8_t *)p->error.text, strlen(p->error.text));
    puts("\"}");
}

static int add(void *ctx, const char *path, struct hm_slice text)
{
    struct load *l = ctx;
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", l->folder, path);
    return hm_sigma_collection_add(l->c, full, text, problem, NULL);
}

static void put_pattern(const struct hm_pattern *p)
{
    char ip[INET6_ADDRSTRLEN] = "";
    bool head = p->kind == HM_PATTERN_SUFFIX || p->kind == HM_PATTERN_CONTAINS;
    bool tail = p->kind == HM_PATTERN_PREFIX || p->kind == HM_PATTERN_CONTAINS;
    if (p->kind == HM_PATTERN_NULL) {
        printf("[\"null\"]");
    } else if (p->kind == HM_PATTERN_REGEX) {
        printf("[\"re\",\"");
        put_text(p->text.p, p->text.len);
        printf("\",\"%s%s%s\"]", p->re_i ? "i" : "", p->re_m ? "m" : "", p->re_s ? "s" : "");
    } else if (p->kind == HM_PATTERN_CIDR) {
        inet_ntop(p->ip_len == 16 ? AF_INET6 : AF_INET, p->ip, ip, sizeof ip);
        printf("[\"cidr\",\"%s/%u\"]", ip, p->prefix);
    } else {
        printf("[\"%s\",\"%s", p->cased ? "cased" : "text", head ? "\\u0001" : "");
        put_text(p->text.p, p->text.len);
        printf("%s\"]", tail && !(head && !p->text.len) ? "\\u0001" : "");
    }
}

static void put_test(const struct hm_ast_test *t, const struct hm_names *n)
{
    static const char *const signs[] = {"", "lt", "lte", "gt", "gte"};
    const char *field = hm_names_text(n, t->field);
    printf("[\"or\"");
    for (size_t i = 0; t->op == HM_AST_ANY_OF && i < t->count; i++) {
        printf(",[\"is\",\"%s\",", field ? field : "");
        put_pattern(&t->patterns[i]);
        putchar(']');
    }
    if (t->op == HM_AST_EXISTS)
        printf(",[\"is\",\"%s\",[\"exists\"]]", field);
    else if (t->op == HM_AST_FIELDREF)
        printf(",[\"is\",\"%s\",[\"field\",\"%s\",%d]]", field, hm_names_text(n, t->other),
               t->affix);
    else if (t->op != HM_AST_ANY_OF)
        printf(",[\"is\",\"%s\",[\"%s\",%.17g]]", field, signs[t->op],
               t->number.real ? t->number.d : (double)t->number.i);
    putchar(']');
}

static void put_tree(const struct hm_ast *a, const struct hm_names *n)
{
    static const char *const words[] = {"and", "or", "not"};
    if (a->kind == HM_AST_TEST) {
        put_test(&a->test, n);
        return;
    }
    printf("[\"%s\"", words[a->kind]);
    for (size_t i = 0; i < a->count; i++) {
        putchar(',');
        put_tree(a->kids[i], n);
    }
    putchar(']');
}

int main(int argc, char **argv)
{
    struct hm_sigma_options o = {.names = hm_names_new()};
    struct load l = {0};
    if (!o.names || hm_sigma_collection_new(&o, &l.c))
        return 1;
    for (int i = 1; i < argc; i++) {
        hm_autoclose int dir = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        l.folder = argv[i];
        if (dir < 0 || hm_folder_each(dir, add, &l))
            return 1;
    }
    if (hm_sigma_collection_finish(l.c, problem, NULL))
        return 1;
    for (size_t i = 0; i < hm_sigma_rule_count(l.c); i++) {
        const struct hm_sigma_entry *e = hm_sigma_rule_at(l.c, i);
        printf("{\"path\":\"%s\",\"id\":\"%s\",\"tree\":", e->info.path, e->info.id);
        put_tree(e->condition, o.names);
        puts("}");
    }
    hm_sigma_collection_free(l.c);
    hm_names_free(o.names);
    return 0;
}
