/* Records of processes → table and events: exec, fork, exit, snapshot, hashes. Records were checked
 * before they come here. */
#include "agent/engine/container.h"
#include "agent/engine/key.h"
#include "agent/engine/parts.h"
#include "base/clock.h"
#include <stdio.h>
#include "detect/view/args.h"

static struct hm_slice c_string(const char *p, size_t max)
{
    return hm_slice(p, strnlen(p, max));
}

static void set_ids(struct hm_process *p, const struct hm_rec_header *h)
{
    p->uid = h->uid;
    p->euid = h->euid;
    p->gid = h->gid;
    p->egid = h->egid;
    p->audit_id = h->loginuid;
    p->audit_session = h->sessionid;
    p->cgroup_id = h->cgroup_id;
    p->ns_mnt = h->ns_mnt;
    p->ns_pid = h->ns_pid;
    p->ns_net = h->ns_net;
    p->has_user = p->has_ns = true;
}

/* The parent is who made it, as first seen: being adopted by pid 1 later does not hide that. */
static void set_parent(struct hm_core *c, struct hm_process *p, uint32_t pid, uint64_t start_ns)
{
    if (p->parent_key || !pid)
        return;
    p->parent_pid = pid;
    p->parent_key = hm_process_key(c->origin.boot, pid, start_ns);
}

struct hm_process *hm_decode_actor(struct hm_core *c, const struct hm_rec_header *h)
{
    if (!h->tgid)
        return NULL;
    struct hm_process *p = hm_table_enter(
        c->table, hm_process_key(c->origin.boot, h->tgid, h->start_ns), h->tgid, h->start_ns);
    if (!p)
        return NULL;
    /* CLOSE may come after the end of its owner; a tombstone keeps what was true. */
    struct hm_ids_before before = {p->has_user, p->uid, p->euid};
    if (!p->exit_ns || !p->has_user)
        set_ids(p, h);
    if (h->type != HM_REC_EXEC) /* an exec is judged when its image is known */
        hm_context_gain(p, &before, p->image && (p->image->flags & HM_PROC_SETUID));
    set_parent(c, p, h->ppid, h->parent_start_ns);
    return p;
}

/* A process nobody saw begin: at least the kernel's short name of it. */
static void name_it(struct hm_core *c, struct hm_process *p, const struct hm_rec_header *h)
{
    struct hm_image_text t = {.name = c_string(h->comm, sizeof h->comm)};
    if (!p->image)
        (void)hm_table_exec(c->table, p, &t, NULL);
}

/* "a\0b c\0" → "a b c" and "A=1\0B=2\0" → "A=1\nB=2" */
static struct hm_slice join(struct hm_slice in, uint8_t *out, size_t max, uint8_t between)
{
    size_t n = in.len < max ? in.len : max;
    while (n && in.p[n - 1] == 0)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = in.p[i] ? in.p[i] : between;
    return hm_slice(out, n);
}

static void set_container(const struct hm_core *c, struct hm_process *p, struct hm_slice cgroup)
{
    size_t n = strlen(c->leave);
    p->left = n && cgroup.len >= n && memcmp(cgroup.p, c->leave, n) == 0;
    struct hm_slice id = hm_container_id(cgroup);
    p->container_len = (uint8_t)id.len;
    if (id.len)
        memcpy(p->container, id.p, id.len);
}

static struct hm_image numbers(const struct hm_rec_exec *r)
{
    struct hm_image i = {
        .dev = r->dev, .inode = r->inode, .flags = r->proc_flags, .argc = r->argc, .has_std = true};
    memcpy(i.std, r->stdio, sizeof i.std);
    if (r->stdio_family) {
        i.stdio_ip_len = r->stdio_family == 4 ? 4 : 16;
        i.stdio_port = r->stdio_port;
        memcpy(i.stdio_ip, r->stdio_ip, i.stdio_ip_len);
    }
    return i;
}

static struct hm_hash_key hash_key(const struct hm_rec_exec *r)
{
    return (struct hm_hash_key){
        .dev = r->dev, .inode = r->inode, .change_ns = hm_key_mix(r->mtime_ns) + r->size};
}

static void want_hash(struct hm_core *c, struct hm_process *p, const struct hm_rec_exec *r)
{
    struct hm_hash_key k = hash_key(r);
    uint64_t id;
    if (!k.inode || (r->proc_flags & HM_PROC_KERNEL_THREAD))
        return;
    const uint8_t *known = hm_hashes_get(c->hashes, &k);
    if (known) {
        hm_table_hashed(p, known);
        return;
    }
    if (hm_hashes_wait(c->hashes, &k, p->key, hm_clock_boot_ns(), &id) != 1)
        return;
    if (!c->ops.hash_image ||
        !c->ops.hash_image(c->ops.ctx, id, p->pid, r->dev, r->inode, hm_record_str(&r->h, r->path)))
        hm_hashes_unask(c->hashes, id);
}

/* After the event: the record of a start waits for nobody. */
static void want_scan(struct hm_core *c, const struct hm_process *p, const struct hm_rec_exec *r)
{
    struct hm_hash_key k = hash_key(r);
    if (!(r->proc_flags & HM_PROC_KERNEL_THREAD))
        hm_scans_image(c->scans, &k, p->key, p->pid, hm_record_str(&r->h, r->path),
                       hm_clock_boot_ns());
}

/* The program that runs a script is harmless; the script is what was started. */
static void want_script_scan(struct hm_core *c, const struct hm_process *p,
                             const struct hm_rec_exec *r)
{
    char path[8192];
    struct hm_slice name = hm_record_str(&r->h, r->filename), cwd = hm_record_str(&r->h, r->cwd);
    bool absolute = name.len && name.p[0] == '/';
    if (!(r->proc_flags & HM_PROC_SCRIPT) || !name.len || (!absolute && !cwd.len))
        return;
    int n = absolute ? snprintf(path, sizeof path, "%.*s", (int)name.len, (const char *)name.p)
                     : snprintf(path, sizeof path, "%.*s/%.*s", (int)cwd.len, (const char *)cwd.p,
                                (int)name.len, (const char *)name.p);
    if (n > 0 && (size_t)n < sizeof path)
        hm_scans_script(c->scans, hm_slice(path, (size_t)n), p->key, p->pid, hm_clock_boot_ns());
}

/* The new image in the table; *ret_full is the whole command line, which the table may cut. */
static void take_image(struct hm_core *c, struct hm_process *p, const struct hm_rec_exec *r,
                       struct hm_slice *ret_full)
{
    const struct hm_rec_header *h = &r->h;
    struct hm_image_text t = {
        .path = hm_record_str(h, r->path),
        .command_line = join(hm_record_str(h, r->args), c->args, sizeof c->args, ' '),
        .cwd = hm_record_str(h, r->cwd),
        .name = c_string(h->comm, sizeof h->comm),
        .interpreter = hm_record_str(h, r->interp),
        .env = join(hm_record_str(h, r->env), c->env, sizeof c->env, '\n'),
        .tty = c_string(r->tty, sizeof r->tty),
    };
    struct hm_image like = numbers(r);
    *ret_full = t.command_line;
    (void)hm_table_exec(c->table, p, &t, &like); /* -ENOSPC is counted by the table */
    p->session = r->session;
    set_container(c, p, hm_record_str(h, r->cgroup));
}

/* What only the exec itself can tell: the arguments one by one, and which script it was. */
static void tell_exec(struct hm_core *c, struct hm_event *e, const struct hm_rec_exec *r)
{
    hm_buf_clear(&c->arg_lengths);
    hm_args_lengths(hm_record_str(&r->h, r->args), &c->arg_lengths);
    if (c->arg_lengths.len && !c->arg_lengths.error)
        hm_event_set(e, HM_F_PROCESS_ARG_LENGTHS, hm_buf_slice(&c->arg_lengths));
    struct hm_slice name = hm_record_str(&r->h, r->filename);
    if ((r->proc_flags & HM_PROC_SCRIPT) && name.len)
        hm_event_set(e, HM_F_PROCESS_SCRIPT, name);
}

void hm_decode_exec(struct hm_core *c, const struct hm_rec_exec *r)
{
    bool snapshot = r->h.type == HM_REC_SNAPSHOT;
    struct hm_process *p =
        hm_table_get(c->table, hm_process_key(c->origin.boot, r->h.tgid, r->h.start_ns));
    struct hm_ids_before before = {p && p->has_user, p ? p->uid : 0, p ? p->euid : 0};
    bool setuid =
        (p && p->image && (p->image->flags & HM_PROC_SETUID)) || (r->proc_flags & HM_PROC_SETUID);
    p = hm_decode_actor(c, &r->h);
    struct hm_slice full;
    /* The ring told it better than a snapshot that was taken at the same time. */
    if (!p || (snapshot && (p->exit_ns || p->exec_ns)))
        return;
    take_image(c, p, r, &full);
    p->exec_ns = snapshot ? r->h.start_ns : r->h.boot_ns;
    p->snapshot = snapshot;
    hm_context_gain(p, &before, setuid);
    want_hash(c, p, r);
    struct hm_event *e =
        hm_core_begin(c, HM_CLASS_PROCESS,
                      snapshot ? HM_ACTION_PROCESS_SNAPSHOT : HM_ACTION_PROCESS_EXEC, r->h.boot_ns);
    hm_enrich_process(e, p, hm_table_get(c->table, p->parent_key), c->users);
    if (full.len)
        hm_event_set(e, HM_F_PROCESS_COMMAND_LINE, full);
    if (!snapshot)
        tell_exec(c, e, r);
    hm_core_emit(c, e, p->key);
    if (!snapshot)
        hm_context_ran(c->context, p, e);
    want_scan(c, p, r);
    want_script_scan(c, p, r);
}

/* Forks and exits are many and say little: their command lines stand in the exec before. */
static void emit_short(struct hm_core *c, struct hm_event *e, struct hm_process *p)
{
    hm_enrich_actor(e, p, hm_table_get(c->table, p->parent_key), c->users);
    hm_event_unset(e, HM_F_PROCESS_COMMAND_LINE);
    hm_event_unset(e, HM_F_PARENT_COMMAND_LINE);
    hm_event_set_u64(e, HM_F_PROCESS_START_NS, p->start_ns);
    hm_core_emit(c, e, p->key);
}

/* The parent of a fork that nobody saw begin: it was already there, or came into the scope. The
 * child has its name and its user. */
static struct hm_process *meet_parent(struct hm_core *c, const struct hm_rec_fork *r)
{
    uint64_t key = hm_process_key(c->origin.boot, r->creator_tgid, r->creator_start_ns);
    struct hm_process *p = r->creator_tgid ? hm_table_get(c->table, key) : NULL;
    if (p || !r->creator_tgid)
        return p;
    p = hm_table_enter(c->table, key, r->creator_tgid, r->creator_start_ns);
    if (!p)
        return NULL;
    set_ids(p, &r->h);
    name_it(c, p, &r->h);
    return p;
}

static void inherit(struct hm_core *c, struct hm_process *p, const struct hm_process *parent)
{
    if (!p->image)
        hm_table_share(c->table, p, parent);
    if (!p->session)
        p->session = parent->session;
    p->left |= parent->left;
    p->gained |= parent->gained;
    if (!p->container_len) {
        p->container_len = parent->container_len;
        memcpy(p->container, parent->container, sizeof p->container);
    }
}

void hm_decode_fork(struct hm_core *c, const struct hm_rec_fork *r)
{
    uint64_t key = hm_process_key(c->origin.boot, r->h.tgid, r->h.start_ns);
    (void)meet_parent(c, r);
    struct hm_process *p = hm_table_enter(c->table, key, r->h.tgid, r->h.start_ns);
    if (!p)
        return;
    /* With CLONE_PARENT the kernel's parent is not who made it. */
    set_parent(c, p, r->creator_tgid, r->creator_start_ns);
    if (!p->exec_ns && !p->exit_ns)
        set_ids(p, &r->h);
    set_parent(c, p, r->h.ppid, r->h.parent_start_ns);
    struct hm_process *parent = hm_table_get(c->table, p->parent_key);
    if (parent) {
        struct hm_ids_before before = {parent->has_user, parent->uid, parent->euid};
        hm_context_gain(p, &before, parent->image && (parent->image->flags & HM_PROC_SETUID));
        inherit(c, p, parent);
    }
    name_it(c, p, &r->h);
    emit_short(c, hm_core_begin(c, HM_CLASS_PROCESS, HM_ACTION_PROCESS_FORK, r->h.boot_ns), p);
}

void hm_decode_exit(struct hm_core *c, const struct hm_rec_exit *r)
{
    struct hm_process *p = hm_decode_actor(c, &r->h);
    if (!p || p->exit_ns)
        return;
    name_it(c, p, &r->h);
    struct hm_event *e = hm_core_begin(c, HM_CLASS_PROCESS, HM_ACTION_PROCESS_EXIT, r->h.boot_ns);
    hm_event_set_u64(e, HM_F_PROCESS_EXIT_CODE, r->code);
    if (r->signal)
        hm_event_set_u64(e, HM_F_PROCESS_EXIT_SIGNAL, r->signal);
    hm_table_exit(c->table, p, r->h.boot_ns);
    emit_short(c, e, p);
}

void hm_decode_hashed(struct hm_core *c, const struct hm_hash_answer *a)
{
    for (size_t i = 0; a->known && i < a->waiter_count; i++) {
        struct hm_process *p = hm_table_get(c->table, a->waiters[i]);
        if (!p || !p->image || p->image->inode != a->inode || p->image->dev != a->dev)
            continue; /* evicted, or it runs another program by now */
        hm_table_hashed(p, a->sha256);
        struct hm_event *e =
            hm_core_begin(c, HM_CLASS_PROCESS, HM_ACTION_PROCESS_IMAGE, hm_clock_boot_ns());
        hm_enrich_process(e, p, hm_table_get(c->table, p->parent_key), c->users);
        hm_core_emit(c, e, p->key);
    }
}
