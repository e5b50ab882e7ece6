/* A condition over three searches, and the same text as an extended condition of a correlation. */
#include "detect/sigma/detection.h"

static int leaf(void *ctx, struct hm_slice name, struct hm_place place, const struct hm_ast **ret)
{
    struct hm_ast *n = hm_tree_node(ctx, HM_AST_TEST, place, 0);
    *ret = n;
    return n ? 0 : -ENOMEM;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"selection", "filter_a", "_hidden"};
    struct hm_error err = {0};
    struct hm_lang l = {hm_arena_new(16 << 20), &err};
    struct hm_search searches[3] = {0};
    struct hm_body body = {.search_count = 3, .searches = searches};
    struct hm_tree t = {.l = &l, .names = hm_names_new()};
    if (l.arena && t.names) {
        struct hm_condition c = {{1, 1}, hm_arena_strndup(l.arena, data, size)};
        const struct hm_ast *tree = NULL;
        struct hm_buf out = HM_BUF(1 << 20);
        for (size_t i = 0; i < 3; i++) {
            struct hm_ast *n = hm_tree_node(&t, HM_AST_AND, c.place, 0);
            searches[i] = (struct hm_search){.name = names[i], .ast = n};
        }
        if (c.text && !hm_tree_condition(&t, &body, &c, &tree) && tree)
            hm_ast_print(tree, t.names, &out);
        tree = NULL;
        if (c.text && !hm_tree_expression(&t, &c, leaf, &t, &tree) && tree)
            hm_ast_print(tree, t.names, &out);
        hm_buf_done(&out);
    }
    hm_names_free(t.names);
    hm_arena_free(l.arena);
    return 0;
}
