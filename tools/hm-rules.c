/* Prints which ATT&CK technique is found by which rules of a folder, as the Markdown table of
 * docs/modules/rules.md: hm-rules FOLDER. */
#include "detect/attack.h"
#include "detect/ruleset.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct row {
    struct hm_slice technique;
    const struct hm_rule *rule;
};
struct table {
    size_t count, cap;
    struct row *rows;
};

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    fprintf(stderr, "%s:%u: %s\n", p->path, p->error.line, p->error.text);
    *(bool *)ctx = true;
}

static int by_technique(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    size_t n = x->technique.len < y->technique.len ? x->technique.len : y->technique.len;
    int order = memcmp(x->technique.p, y->technique.p, n);
    if (!order && x->technique.len != y->technique.len)
        order = x->technique.len < y->technique.len ? -1 : 1;
    return order ? order : strcmp(x->rule->path, y->rule->path);
}

static void add(struct table *t, const struct hm_rule *r)
{
    for (const char *p = r->techniques; *p; p += strcspn(p, ","), p += *p == ',') {
        if (t->count == t->cap) {
            t->cap = t->cap ? 2 * t->cap : 256;
            struct row *more = realloc(t->rows, t->cap * sizeof *more);
            if (!more)
                exit(1);
            t->rows = more;
        }
        t->rows[t->count++] = (struct row){hm_slice(p, strcspn(p, ",")), r};
    }
}

static void print_name(const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    printf("%.*s", (int)strcspn(base, "."), base);
}

static void print_table(const struct table *t)
{
    size_t techniques = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct hm_slice id = t->rows[i].technique;
        if (i == 0 || !hm_slice_eq(id, t->rows[i - 1].technique)) {
            const struct hm_attack_technique *a = hm_attack_technique(id);
            printf("%s| %.*s | %s | ", i ? " |\n" : "", (int)id.len, (const char *)id.p,
                   a ? a->name : "");
            techniques++;
        } else {
            printf(", ");
        }
        print_name(t->rows[i].rule->path);
    }
    printf(" |\n\n%zu techniques.\n", techniques);
}

int main(int argc, char **argv)
{
    static const char *const levels[] = {"?", "informational", "low", "medium", "high", "critical"};
    struct hm_ruleset *rs = NULL;
    struct table t = {0};
    size_t by_level[6] = {0}, told = 0;
    bool refused = false;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
    if (fd < 0 || hm_ruleset_load(fd, on_problem, &refused, &rs) || refused)
        return fprintf(stderr, "usage: hm-rules FOLDER\n"), 1;
    for (size_t i = 0; i < hm_ruleset_count(rs); i++) {
        const struct hm_rule *r = hm_ruleset_rule(rs, i);
        if (hm_ruleset_silent(rs, i))
            continue;
        told++;
        by_level[r->severity <= 5 ? r->severity : 0]++;
        add(&t, r);
    }
    printf("%zu rules:", told);
    for (size_t i = 5; i > 0; i--)
        printf(" %zu %s%s", by_level[i], levels[i], i > 1 ? "," : ".\n\n");
    printf("| technique | name | rules |\n|---|---|---|\n");
    if (t.count)
        qsort(t.rows, t.count, sizeof *t.rows, by_technique);
    print_table(&t);
    free(t.rows);
    hm_ruleset_free(rs);
    close(fd);
    return ferror(stdout) ? 1 : 0;
}
