/* Rule texts → one set. libyara's compiler is of no use after an error, so each file is first
 * compiled alone in a throw-away one, which also tells its problems; only good files enter the set.
 */
#include "detect/yara/rules.h"
#include <malloc.h>
#include <stdlib.h>
#include <yara/arena.h>

const char *const hm_yara_externals[] = {"filename", "filepath",      "extension",     "filetype",
                                         "owner",    "group",         "md5",           "language",
                                         "timezone", "unpack_parent", "unpack_source", NULL};

struct source {
    char *name, *text;
};
struct hm_yara_compiler {
    YR_COMPILER *set;
    struct source *good; /* what is in the set, to build it again */
    hm_yara_tell *tell;
    void *ctx;
    const char *file; /* the one being added */
    size_t told, files, text_bytes;
    bool speaks;  /* problems are told now: not when a file is compiled a second time */
    bool careful; /* a file was broken: the others are tried alone first */
};

static void problem(struct hm_yara_compiler *c, bool warning, uint32_t line, const char *rule,
                    const char *text)
{
    struct hm_yara_problem p = {
        .warning = warning, .file = c->file, .line = line, .rule = rule, .text = text};
    if (c->told++ < HM_YARA_PROBLEMS_TOLD && c->tell)
        c->tell(c->ctx, &p);
}

/* libyara names a module it does not have as it names a misspelt one; ours are missing on purpose.
 */
static const char *better_words(const char *text)
{
    if (strstr(text, "unknown module \"magic\"") || strstr(text, "unknown module \"cuckoo\""))
        return "the modules magic and cuckoo are not built in";
    if (strstr(text, "include"))
        return "include is not supported: put the rules into one folder instead";
    return text;
}

static void on_message(int level, const char *file, int line, const YR_RULE *rule,
                       const char *message, void *user)
{
    struct hm_yara_compiler *c = user;
    if (c->speaks)
        problem(c, level != YARA_ERROR_LEVEL_ERROR, line > 0 ? (uint32_t)line : 0,
                rule && rule->identifier ? rule->identifier : "", better_words(message));
}

static YR_COMPILER *open_compiler(struct hm_yara_compiler *c)
{
    YR_COMPILER *yr = NULL;
    if (yr_compiler_create(&yr) != ERROR_SUCCESS)
        return NULL;
    yr_compiler_set_callback(yr, on_message, c);
    yr_compiler_set_include_callback(yr, NULL, NULL, NULL);
    for (const char *const *name = hm_yara_externals; *name; name++)
        if (yr_compiler_define_string_variable(yr, *name, "") != ERROR_SUCCESS) {
            yr_compiler_destroy(yr);
            return NULL;
        }
    return yr;
}

struct hm_yara_compiler *hm_yara_compiler_new(hm_yara_tell *tell, void *ctx)
{
    struct hm_yara_compiler *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->tell = tell;
    c->ctx = ctx;
    c->set = open_compiler(c);
    if (!c->set) {
        free(c);
        return NULL;
    }
    return c;
}

void hm_yara_compiler_free(struct hm_yara_compiler *c)
{
    if (!c)
        return;
    if (c->set)
        yr_compiler_destroy(c->set);
    for (size_t i = 0; i < c->files; i++) {
        free(c->good[i].name);
        free(c->good[i].text);
    }
    free(c->good);
    free(c);
    malloc_trim(0); /* the compiler's automaton is twice the set; it is not needed again */
}

/* NULL: it may be tried. */
static const char *objection(const struct hm_yara_compiler *c, struct hm_slice text)
{
    if (text.len > HM_YARA_FILE_MAX_BYTES)
        return "the file is larger than 4 MiB";
    if (c->files >= HM_YARA_FILES_MAX)
        return "more than 4096 rule files";
    if (c->text_bytes + text.len > HM_YARA_TEXT_MAX_BYTES)
        return "all rule files together are larger than 32 MiB";
    if (text.len && memchr(text.p, 0, text.len))
        return "the file contains a NUL byte: it is not UTF-8 text";
    return NULL;
}

/* 0, -EINVAL: broken and told (if speaks), -ENOMEM. */
static int compile_into(struct hm_yara_compiler *c, YR_COMPILER *yr, const char *text, bool speaks)
{
    c->speaks = speaks;
    int errors = yr_compiler_add_string(yr, text, c->file);
    c->speaks = false;
    return !errors ? 0 : yr->last_error == ERROR_INSUFFICIENT_MEMORY ? -ENOMEM : -EINVAL;
}

static int try_alone(struct hm_yara_compiler *c, const char *text)
{
    YR_COMPILER *trial = open_compiler(c);
    if (!trial)
        return -ENOMEM;
    int r = compile_into(c, trial, text, true);
    yr_compiler_destroy(trial);
    return r;
}

static int build_again(struct hm_yara_compiler *c)
{
    yr_compiler_destroy(c->set);
    c->set = open_compiler(c);
    int r = c->set ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < c->files; i++) {
        c->file = c->good[i].name;
        r = compile_into(c, c->set, c->good[i].text, false);
    }
    return r < 0 ? -ENOMEM : 0; /* they were good before: what they lack is room */
}

static int enter(struct hm_yara_compiler *c, const char *text)
{
    if (c->careful) {
        int r = try_alone(c, text);
        return r < 0 ? r : compile_into(c, c->set, text, false) < 0 ? -ENOMEM : 0;
    }
    int r = compile_into(c, c->set, text, true);
    if (r == -EINVAL && build_again(c) < 0)
        return -ENOMEM;
    c->careful = r == -EINVAL;
    return r;
}

static bool keep(struct hm_yara_compiler *c, const char *name, char **text)
{
    struct source *more = realloc(c->good, (c->files + 1) * sizeof *more);
    if (!more)
        return false;
    c->good = more;
    more[c->files].name = strdup(name);
    if (!more[c->files].name)
        return false;
    more[c->files++].text = hm_steal(text);
    return true;
}

int hm_yara_compiler_add(struct hm_yara_compiler *c, const char *file, struct hm_slice text)
{
    c->file = file;
    c->told = 0;
    if (text.len >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
        text = hm_slice(text.p + 3, text.len - 3);
    const char *no = objection(c, text);
    if (no) {
        problem(c, false, 0, "", no);
        return -EINVAL;
    }
    hm_autofree char *copy = malloc(text.len + 1);
    if (!copy)
        return -ENOMEM;
    if (text.len)
        memcpy(copy, text.p, text.len);
    copy[text.len] = 0;
    int r = enter(c, copy);
    c->file = file;
    if (r == -EINVAL && c->told == 0)
        problem(c, false, 0, "", "libyara refused it without a word");
    if (r < 0)
        return r;
    c->text_bytes += text.len;
    return keep(c, file, &copy) ? 0 : -ENOMEM;
}

static size_t arena_bytes(const YR_ARENA *a)
{
    size_t total = 0;
    for (uint32_t i = 0; i < a->num_buffers; i++)
        total += a->buffers[i].used;
    return total;
}

int hm_yara_compiler_done(struct hm_yara_compiler *c, struct hm_yara_rules **ret_rules,
                          struct hm_error *err)
{
    struct hm_yara_rules *r = calloc(1, sizeof *r);
    if (!r || yr_compiler_get_rules(c->set, &r->yr) != ERROR_SUCCESS) {
        free(r);
        return hm_fail(err, -ENOMEM, "no memory for the compiled rules");
    }
    /* The set keeps the compiler's arena; both live until both are let go of. */
    yr_compiler_destroy(c->set);
    c->set = NULL;
    r->bytes = arena_bytes(r->yr->arena);
    int e = 0;
    if (r->yr->num_rules > HM_YARA_RULES_MAX)
        e = hm_fail(err, -E2BIG, "%u rules, more than %u", r->yr->num_rules, HM_YARA_RULES_MAX);
    else if (r->yr->num_strings > HM_YARA_STRINGS_MAX)
        e = hm_fail(err, -E2BIG, "%u strings, more than %u", r->yr->num_strings,
                    HM_YARA_STRINGS_MAX);
    else if (r->bytes > HM_YARA_COMPILED_BYTES)
        e = hm_fail(err, -E2BIG, "%zu bytes compiled, more than %u", r->bytes,
                    HM_YARA_COMPILED_BYTES);
    if (e < 0) {
        hm_yara_rules_free(r);
        return e;
    }
    *ret_rules = r;
    return 0;
}

void hm_yara_rules_free(struct hm_yara_rules *r)
{
    if (!r)
        return;
    yr_rules_destroy(r->yr);
    free(r);
    malloc_trim(0);
}

size_t hm_yara_rules_count(const struct hm_yara_rules *r)
{
    return r->yr->num_rules;
}

size_t hm_yara_rules_strings(const struct hm_yara_rules *r)
{
    return r->yr->num_strings;
}

size_t hm_yara_rules_bytes(const struct hm_yara_rules *r)
{
    return r->bytes;
}
