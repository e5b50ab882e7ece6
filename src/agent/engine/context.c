/* See context.h. */
#include "agent/engine/context.h"
#include "agent/engine/limits.h"
#include "agent/engine/masquerade.h"
#include "agent/engine/tree.h"
#include "base/buf.h"
#include "base/map.h"
#include <stdlib.h>

#define SECOND_NS    UINT64_C(1000000000)
#define ANCESTOR_MAX 256 /* bytes of one ancestor's path that rules see */

/* Direct-mapped: a slot is overwritten by the next path that falls into it. A burst of writes can
 * push an older one out; what is lost then is this hint, never the events themselves. */
struct write {
    uint64_t path, tree, writer, boot_ns;
};
struct run {
    uint64_t path, process, boot_ns;
};
struct hm_context {
    struct hm_buf ancestors, masquerade, program;
    struct write writes[HM_CONTEXT_WRITES];
    struct run runs[HM_CONTEXT_RUNS];
};

struct hm_context *hm_context_new(void)
{
    struct hm_context *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->ancestors = HM_BUF((ANCESTOR_MAX + 1) * HM_CONTEXT_GENERATIONS);
    c->masquerade = HM_BUF(128);
    c->program = HM_BUF(HM_TABLE_TEXT_BYTES * 2);
    return c;
}

void hm_context_free(struct hm_context *c)
{
    if (!c)
        return;
    hm_buf_done(&c->ancestors);
    hm_buf_done(&c->masquerade);
    hm_buf_done(&c->program);
    free(c);
}

static uint64_t path_hash(struct hm_slice path)
{
    uint64_t h = hm_hash64(path.p, path.len, 1);
    return h ? h : 1;
}

static struct hm_slice path_of(const struct hm_process *p)
{
    return p->image ? p->image->text.path : (struct hm_slice){0};
}

/* ---- which file an exec really runs: the script, whoever interprets it ---- */
static const char *const interpreters[] = {"sh",   "bash", "dash", "zsh",  "ksh", "fish",   "ash",
                                           "perl", "ruby", "php",  "node", "lua", "busybox"};

static bool interprets(struct hm_slice image)
{
    size_t at = image.len;
    while (at > 0 && image.p[at - 1] != '/')
        at--;
    struct hm_slice name = hm_slice(image.p + at, image.len - at);
    for (size_t i = 0; i < HM_ARRAY_LEN(interpreters); i++)
        if (hm_slice_eq(name, hm_slice_str(interpreters[i])))
            return true;
    return name.len >= 6 && memcmp(name.p, "python", 6) == 0;
}

/* "sh /tmp/x": the first argument, when it is no option. */
static struct hm_slice first_argument(struct hm_slice line)
{
    size_t from = 0;
    while (from < line.len && line.p[from] != ' ')
        from++;
    while (from < line.len && line.p[from] == ' ')
        from++;
    size_t to = from;
    while (to < line.len && line.p[to] != ' ')
        to++;
    return from < to && line.p[from] != '-' ? hm_slice(line.p + from, to - from)
                                            : (struct hm_slice){0};
}

/* The path of what is run, absolute where the working directory is known. */
static struct hm_slice program_of(struct hm_context *c, const struct hm_event *e)
{
    struct hm_slice image = hm_event_str(e, HM_F_PROCESS_IMAGE),
                    script = hm_event_str(e, HM_F_PROCESS_SCRIPT),
                    cwd = hm_event_str(e, HM_F_PROCESS_CWD);
    if (!script.len && interprets(image))
        script = first_argument(hm_event_str(e, HM_F_PROCESS_COMMAND_LINE));
    if (!script.len)
        return image;
    if (script.p[0] == '/' || !cwd.len)
        return script;
    if (script.len > 2 && script.p[0] == '.' && script.p[1] == '/')
        script = hm_slice(script.p + 2, script.len - 2);
    hm_buf_clear(&c->program);
    hm_buf_put(&c->program, cwd.p, cwd.len);
    if (cwd.p[cwd.len - 1] != '/')
        hm_buf_put_u8(&c->program, '/');
    hm_buf_put(&c->program, script.p, script.len);
    return c->program.error ? script : hm_buf_slice(&c->program);
}

/* ---- ancestors and tree ---- */
static size_t lineage(struct hm_table *t, struct hm_process *p,
                      struct hm_process *line[HM_ALERT_ANCESTORS_MAX], uint64_t *ret_root)
{
    size_t n = hm_tree_lineage(t, p, line, HM_ALERT_ANCESTORS_MAX);
    *ret_root = line[hm_tree_root(line, n)]->key;
    return n;
}

static void ancestors(struct hm_context *c, struct hm_process *const *line, size_t n,
                      struct hm_event *e)
{
    hm_buf_clear(&c->ancestors);
    for (size_t i = 1; i < n && i <= HM_CONTEXT_GENERATIONS; i++) {
        struct hm_slice path = path_of(line[i]);
        if (!path.len && line[i]->image)
            path = line[i]->image->text.name;
        if (i > 1)
            hm_buf_put_u8(&c->ancestors, '\n');
        hm_buf_put(&c->ancestors, path.p, path.len < ANCESTOR_MAX ? path.len : ANCESTOR_MAX);
    }
    if (c->ancestors.len && !c->ancestors.error)
        hm_event_set(e, HM_F_CONTEXT_ANCESTORS, hm_buf_slice(&c->ancestors));
}

/* ---- names ---- */
static void masquerade(struct hm_context *c, const struct hm_process *p, struct hm_event *e)
{
    static const char *const words[] = {"kernel_thread", "confusable", "invisible", "document",
                                        "dots"};
    if (!p->image || (p->image->flags & HM_PROC_KERNEL_THREAD))
        return;
    struct hm_slice script = hm_event_str(e, HM_F_PROCESS_SCRIPT);
    unsigned found = hm_masquerade(script.len ? script : path_of(p), p->image->text.command_line,
                                   p->image->text.name);
    hm_buf_clear(&c->masquerade);
    for (size_t i = 0; found && i < HM_ARRAY_LEN(words); i++) {
        if (!(found >> i & 1))
            continue;
        if (c->masquerade.len)
            hm_buf_put_u8(&c->masquerade, '\n');
        hm_buf_puts(&c->masquerade, words[i]);
    }
    if (c->masquerade.len)
        hm_event_set(e, HM_F_CONTEXT_MASQUERADE, hm_buf_slice(&c->masquerade));
}

/* ---- who wrote it ---- */
static void written(const struct hm_context *c, struct hm_slice path, uint64_t root,
                    uint64_t boot_ns, struct hm_event *e)
{
    uint64_t h = path_hash(path);
    const struct write *w = &c->writes[h % HM_CONTEXT_WRITES];
    if (!path.len || w->path != h)
        return;
    uint64_t age = boot_ns > w->boot_ns ? boot_ns - w->boot_ns : 0;
    if (age > HM_CONTEXT_WRITE_NS)
        return;
    hm_event_set(e, HM_F_CONTEXT_WRITTEN_BY,
                 hm_slice_str(w->tree && w->tree == root ? "tree" : "other"));
    hm_event_set_u64(e, HM_F_CONTEXT_IMAGE_AGE, age / SECOND_NS);
}

void hm_context_wrote(struct hm_context *c, struct hm_table *table, struct hm_process *p,
                      struct hm_slice path, uint64_t boot_ns)
{
    struct hm_process *line[HM_ALERT_ANCESTORS_MAX];
    uint64_t h = path_hash(path), root = 0;
    if (!path.len)
        return;
    if (p)
        lineage(table, p, line, &root);
    c->writes[h % HM_CONTEXT_WRITES] =
        (struct write){.path = h, .tree = root, .writer = p ? p->key : 0, .boot_ns = boot_ns};
}

void hm_context_ran(struct hm_context *c, const struct hm_process *p, const struct hm_event *e)
{
    struct hm_slice path = program_of(c, e);
    uint64_t h = path_hash(path);
    if (path.len && !hm_event_has(e, HM_F_CONTEXT_WRITTEN_BY))
        c->runs[h % HM_CONTEXT_RUNS] = (struct run){h, p->key, p->exec_ns};
}

uint64_t hm_context_late(struct hm_context *c, struct hm_slice path, uint64_t boot_ns)
{
    uint64_t h = path_hash(path);
    struct run *r = &c->runs[h % HM_CONTEXT_RUNS];
    if (!path.len || r->path != h || !r->process || boot_ns < r->boot_ns ||
        boot_ns - r->boot_ns > HM_CONTEXT_LATE_NS)
        return 0;
    uint64_t key = r->process;
    *r = (struct run){0};
    return key;
}

/* ---- root from nowhere ---- */
void hm_context_gain(struct hm_process *p, const struct hm_ids_before *before, bool setuid)
{
    if (before->known && before->uid && before->euid && p->euid == 0 && !setuid)
        p->gained = true;
}

void hm_context_fill(struct hm_context *c, struct hm_table *table, struct hm_process *p,
                     struct hm_event *e)
{
    struct hm_process *line[HM_ALERT_ANCESTORS_MAX];
    uint64_t root, class = hm_event_u64(e, HM_F_CLASS);
    size_t n = lineage(table, p, line, &root);
    hm_event_set_u64(e, HM_F_CONTEXT_TREE_KEY, root);
    ancestors(c, line, n, e);
    if (p->gained)
        hm_event_set(e, HM_F_CONTEXT_GAINED, hm_slice_str("unexplained"));
    if (class != HM_CLASS_PROCESS || hm_event_u64(e, HM_F_ACTION) != HM_ACTION_PROCESS_EXEC)
        return;
    masquerade(c, p, e);
    written(c, program_of(c, e), root, hm_event_u64(e, HM_F_BOOT_NS), e);
}
