/* See enrich.h. */
#include "agent/engine/enrich.h"

static void text(struct hm_event *e, enum hm_field f, struct hm_slice s)
{
    if (s.len)
        hm_event_set(e, f, s);
}

static void parent_of(struct hm_event *e, const struct hm_process *p,
                      const struct hm_process *parent)
{
    if (p->parent_key)
        hm_event_set_u64(e, HM_F_PARENT_KEY, p->parent_key);
    if (p->parent_pid)
        hm_event_set_u64(e, HM_F_PARENT_PID, p->parent_pid);
    if (!parent || !parent->image)
        return;
    text(e, HM_F_PARENT_IMAGE, parent->image->text.path);
    text(e, HM_F_PARENT_COMMAND_LINE, parent->image->text.command_line);
}

static void user_of(struct hm_event *e, const struct hm_process *p, const struct hm_users *users)
{
    if (!p->has_user)
        return;
    hm_event_set_u64(e, HM_F_USER_ID, p->uid);
    text(e, HM_F_USER_NAME, hm_users_name(users, p->uid));
}

void hm_enrich_actor(struct hm_event *e, const struct hm_process *p,
                     const struct hm_process *parent, const struct hm_users *users)
{
    hm_event_set_u64(e, HM_F_PROCESS_KEY, p->key);
    hm_event_set_u64(e, HM_F_PROCESS_PID, p->pid);
    if (p->image) {
        text(e, HM_F_PROCESS_IMAGE, p->image->text.path);
        text(e, HM_F_PROCESS_COMMAND_LINE, p->image->text.command_line);
        text(e, HM_F_PROCESS_NAME, p->image->text.name);
    }
    parent_of(e, p, parent);
    user_of(e, p, users);
    if (p->container_len)
        hm_event_set(e, HM_F_CONTAINER_ID, hm_slice(p->container, p->container_len));
}

static void ids(struct hm_event *e, const struct hm_process *p)
{
    if (p->has_user) {
        hm_event_set_u64(e, HM_F_USER_EUID, p->euid);
        hm_event_set_u64(e, HM_F_USER_GID, p->gid);
        hm_event_set_u64(e, HM_F_USER_EGID, p->egid);
        if (p->audit_id != UINT32_MAX)
            hm_event_set_u64(e, HM_F_USER_AUDIT_ID, p->audit_id);
        if (p->audit_session != UINT32_MAX)
            hm_event_set_u64(e, HM_F_USER_AUDIT_SESSION, p->audit_session);
    }
    if (p->cgroup_id)
        hm_event_set_u64(e, HM_F_CGROUP_ID, p->cgroup_id);
    if (!p->has_ns)
        return;
    hm_event_set_u64(e, HM_F_NS_PID, p->ns_pid);
    hm_event_set_u64(e, HM_F_NS_MNT, p->ns_mnt);
    hm_event_set_u64(e, HM_F_NS_NET, p->ns_net);
}

static void stdio(struct hm_event *e, const struct hm_image *i)
{
    if (!i->has_std)
        return;
    hm_event_set_u64(e, HM_F_PROCESS_STDIN, i->std[0]);
    hm_event_set_u64(e, HM_F_PROCESS_STDOUT, i->std[1]);
    hm_event_set_u64(e, HM_F_PROCESS_STDERR, i->std[2]);
    if (!i->stdio_ip_len)
        return;
    hm_event_set(e, HM_F_PROCESS_STDIO_IP, hm_slice(i->stdio_ip, i->stdio_ip_len));
    hm_event_set_u64(e, HM_F_PROCESS_STDIO_PORT, i->stdio_port);
}

static void image(struct hm_event *e, const struct hm_image *i)
{
    text(e, HM_F_PROCESS_CWD, i->text.cwd);
    text(e, HM_F_PROCESS_INTERPRETER, i->text.interpreter);
    text(e, HM_F_PROCESS_ENV, i->text.env);
    text(e, HM_F_PROCESS_TTY, i->text.tty);
    hm_event_set_u64(e, HM_F_PROCESS_FLAGS, i->flags);
    if (i->argc)
        hm_event_set_u64(e, HM_F_PROCESS_ARGC, i->argc);
    if (i->inode) {
        hm_event_set_u64(e, HM_F_PROCESS_INODE, i->inode);
        hm_event_set_u64(e, HM_F_PROCESS_DEV, i->dev);
    }
    if (i->hashed)
        hm_event_set(e, HM_F_PROCESS_SHA256, hm_slice(i->sha256, HM_SHA256_BYTES));
    stdio(e, i);
}

void hm_enrich_process(struct hm_event *e, const struct hm_process *p,
                       const struct hm_process *parent, const struct hm_users *users)
{
    hm_enrich_actor(e, p, parent, users);
    hm_event_set_u64(e, HM_F_PROCESS_START_NS, p->start_ns);
    if (p->session)
        hm_event_set_u64(e, HM_F_PROCESS_SESSION, p->session);
    ids(e, p);
    if (p->image)
        image(e, p->image);
}
