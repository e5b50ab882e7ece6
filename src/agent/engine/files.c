/* See files.h. Strictly first in, first out: a rename of a directory must be applied to the cache
 * after the events that came before it and before those that came after. */
#include "agent/engine/files.h"
#include "agent/engine/limits.h"
#include "event/event.h"
#include <stdlib.h>
#include <sys/fanotify.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

struct waiting {
    struct hm_fan_event e; /* slices point into bytes */
    uint64_t process_key, boot_ns;
    uint8_t *bytes;
};
struct hm_files {
    struct hm_dirs *dirs;
    struct hm_files_ops ops;
    struct hm_files_counts counts;
    size_t max, head, count;
    struct waiting *ring;
    char path[HM_TABLE_TEXT_BYTES + 256], source[HM_TABLE_TEXT_BYTES + 256];
};

/* Merged events carry several bits; they come out in the order they must have happened in. */
static const struct {
    uint64_t mask;
    uint32_t action;
} actions[] = {
    {FAN_CREATE, HM_ACTION_FILE_CREATE},     {FAN_RENAME, HM_ACTION_FILE_RENAME},
    {FAN_MOVED_TO, HM_ACTION_FILE_RENAME},   {FAN_OPEN, HM_ACTION_FILE_OPEN},
    {FAN_CLOSE_WRITE, HM_ACTION_FILE_WRITE}, {FAN_ATTRIB, HM_ACTION_FILE_ATTRIB},
    {FAN_DELETE, HM_ACTION_FILE_DELETE},
};

struct hm_files *hm_files_new(struct hm_dirs *dirs, size_t waiting_max,
                              const struct hm_files_ops *ops)
{
    struct hm_files *f = calloc(1, sizeof *f);
    if (!f || !(f->ring = calloc(waiting_max, sizeof *f->ring))) {
        free(f);
        return NULL;
    }
    f->dirs = dirs;
    f->max = waiting_max;
    f->ops = *ops;
    return f;
}

void hm_files_free(struct hm_files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        free(f->ring[(f->head + i) % f->max].bytes);
    free(f->ring);
    free(f);
}

static bool present(const struct hm_fan_handle *h)
{
    return h->handle.len && h->fsid.len == 8;
}

/* The directory if its path is settled (known or gone); NULL: it is being asked for. */
static struct hm_dir *settled(struct hm_files *f, const struct hm_fan_handle *h)
{
    struct hm_dir *dir = hm_dirs_get(f->dirs, h);
    if (!dir)
        return NULL;
    if (dir->state == HM_DIR_NEW && f->ops.ask(f->ops.ctx, dir))
        hm_dirs_asked(dir);
    return dir->state == HM_DIR_KNOWN || dir->state == HM_DIR_GONE ? dir : NULL;
}

/* The event is about the directory itself. */
static bool is_self(struct hm_slice name)
{
    return !name.len || (name.len == 1 && name.p[0] == '.');
}

/* dir + name in buf; empty when it does not fit or the directory is gone. */
static struct hm_slice join(char *buf, size_t max, const struct hm_dir *dir, struct hm_slice name)
{
    if (dir->state != HM_DIR_KNOWN)
        return hm_slice(NULL, 0);
    size_t n = dir->path.len;
    if (n + name.len + 1 > max)
        return hm_slice(NULL, 0);
    memcpy(buf, dir->path.p, n);
    if (!is_self(name)) {
        if (!n || buf[n - 1] != '/')
            buf[n++] = '/';
        memcpy(buf + n, name.p, name.len);
        n += name.len;
    }
    return hm_slice(buf, n);
}

/* What an event about a directory itself teaches the cache. */
static void follow(struct hm_files *f, const struct hm_fan_event *e, struct hm_slice path,
                   struct hm_slice source)
{
    if (!(e->mask & FAN_ONDIR) || !path.len)
        return;
    if (source.len)
        hm_dirs_renamed(f->dirs, source, path);
    if ((e->mask & FAN_CREATE) && present(&e->target))
        hm_dirs_learn(f->dirs, &e->target, path);
    if (!(e->mask & FAN_DELETE))
        return;
    if (present(&e->target))
        hm_dirs_forget(f->dirs, &e->target);
    else
        hm_dirs_removed(f->dirs, path);
}

static void emit_all(struct hm_files *f, const struct waiting *w, struct hm_slice path,
                     struct hm_slice source)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(actions); i++) {
        if (!(w->e.mask & actions[i].mask))
            continue;
        struct hm_file_change c = {.action = actions[i].action,
                                   .pid = w->e.pid,
                                   .process_key = w->process_key,
                                   .boot_ns = w->boot_ns,
                                   .path = path,
                                   .source = source,
                                   .target = is_self(w->e.name) ? w->e.dir : w->e.target};
        f->ops.emit(f->ops.ctx, &c);
    }
}

static bool wanted(const struct hm_dir *dir, const struct hm_policy *policy, struct hm_slice path)
{
    if (!path.len || dir->verdict == HM_POLICY_NONE)
        return false;
    return dir->verdict == HM_POLICY_ALL || hm_policy_path(policy, path);
}

static void release(struct hm_files *f, const struct waiting *w, const struct hm_dir *dir,
                    const struct hm_dir *to)
{
    const struct hm_policy *policy = hm_dirs_policy(f->dirs);
    bool rename = to != NULL;
    struct hm_slice first = join(f->source, sizeof f->source, dir, w->e.name);
    struct hm_slice last = rename ? join(f->path, sizeof f->path, to, w->e.new_name) : first;
    bool want = wanted(dir, policy, first) || (rename && wanted(to, policy, last));
    if (!first.len && !last.len)
        f->counts.unplaced++;
    struct hm_slice source = rename ? first : hm_slice(NULL, 0);
    follow(f, &w->e, last, source);
    if (want)
        emit_all(f, w, last.len ? last : first, last.len ? source : hm_slice(NULL, 0));
}

/* True: the event came out (or went nowhere); false: it has to wait. */
static bool try_release(struct hm_files *f, const struct waiting *w)
{
    bool rename = present(&w->e.new_dir);
    if (!present(&w->e.dir))
        return true;
    struct hm_dir *dir = settled(f, &w->e.dir);
    struct hm_dir *to = rename ? settled(f, &w->e.new_dir) : NULL;
    if (!dir || (rename && !to))
        return false;
    /* Adding the second may have pushed the first out of a very small cache. */
    if (dir->state != HM_DIR_KNOWN && dir->state != HM_DIR_GONE)
        return false;
    release(f, w, dir, to);
    return true;
}

static void keep(uint8_t **at, struct hm_slice *s)
{
    if (s->len)
        memcpy(*at, s->p, s->len);
    s->p = *at;
    *at += s->len;
}

static bool copy(struct waiting *w)
{
    struct hm_fan_event *e = &w->e;
    struct hm_slice *parts[] = {&e->dir.fsid,       &e->dir.handle,  &e->new_dir.fsid,
                                &e->new_dir.handle, &e->target.fsid, &e->target.handle,
                                &e->name,           &e->new_name};
    size_t total = 1;
    for (size_t i = 0; i < HM_ARRAY_LEN(parts); i++)
        total += parts[i]->len;
    uint8_t *at = w->bytes = malloc(total);
    if (!at)
        return false;
    for (size_t i = 0; i < HM_ARRAY_LEN(parts); i++)
        keep(&at, parts[i]);
    return true;
}

static void pop(struct hm_files *f)
{
    free(f->ring[f->head].bytes);
    f->ring[f->head] = (struct waiting){0};
    f->head = (f->head + 1) % f->max;
    f->count--;
}

static void drain(struct hm_files *f)
{
    while (f->count && try_release(f, &f->ring[f->head]))
        pop(f);
}

void hm_files_add(struct hm_files *f, const struct hm_fan_event *e, uint64_t process_key,
                  uint64_t boot_ns)
{
    struct waiting w = {.e = *e, .process_key = process_key, .boot_ns = boot_ns};
    if (!f->count && try_release(f, &w))
        return;
    if (f->count == f->max || !copy(&w)) {
        f->counts.dropped++;
        return;
    }
    /* Ask now, so that the answers are there when it is this event's turn. */
    if (f->count) {
        (void)settled(f, &w.e.dir);
        if (present(&w.e.new_dir))
            (void)settled(f, &w.e.new_dir);
    }
    f->ring[(f->head + f->count++) % f->max] = w;
}

void hm_files_answer(struct hm_files *f, uint64_t id, struct hm_slice path)
{
    struct hm_dir *dir = hm_dirs_answer(f->dirs, id, path);
    if (dir && dir->state == HM_DIR_NEW && f->ops.ask(f->ops.ctx, dir))
        hm_dirs_asked(dir);
    drain(f);
}

void hm_files_tick(struct hm_files *f, uint64_t boot_ns)
{
    drain(f);
    while (f->count && boot_ns - f->ring[f->head].boot_ns > HM_FILE_WAIT_NS) {
        f->counts.unplaced++;
        pop(f);
        hm_dirs_ask_again(f->dirs);
        drain(f);
    }
}

size_t hm_files_waiting(const struct hm_files *f)
{
    return f->count;
}

struct hm_files_counts hm_files_counts(const struct hm_files *f)
{
    return f->counts;
}
