/* See tree.h. */
#include "agent/engine/tree.h"
#include "event/event.h"

/* Deeper nesting than this is an attempt on the walk, not a tree. */
#define DEPTH_MAX 4096

/* Programs that begin sessions or services of others: what they start is a tree of its own, and
 * they are never part of one. Compared with the last component of the image's path. */
static const char *const roots[] = {
    /* init, service managers, schedulers */
    "systemd",
    "init",
    "runit",
    "runsvdir",
    "s6-svscan",
    "supervisord",
    "tini",
    "dumb-init",
    "cron",
    "crond",
    "atd",
    "anacron",
    "inetd",
    "xinetd",
    /* logins and sessions */
    "sshd",
    "sshd-session",
    "login",
    "agetty",
    "getty",
    "su",
    "sudo",
    "doas",
    "pkexec",
    "gdm3",
    "gdm-session-worker",
    "lightdm",
    "sddm",
    "xrdp-sesman",
    "dbus-daemon",
    "gnome-shell",
    "gnome-terminal-server",
    "plasmashell",
    "Xorg",
    "tmux",
    "screen",
    "dropbear",
    "telnetd",
    "polkitd",
    /* containers and virtual machines */
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "dockerd",
    "docker-init",
    "conmon",
    "runc",
    "crun",
    "podman",
    "kubelet",
    "crio",
    "lxc-start",
    "systemd-nspawn",
    "libvirtd",
    "bwrap",
    "nsenter",
    "unshare",
    /* services whose children are somebody's requests */
    "apache2",
    "httpd",
    "nginx",
    "caddy",
    "lighttpd",
    "php-fpm",
    "postgres",
    "mysqld",
    "mariadbd",
    "redis-server",
    "master",
    "exim4",
    "smbd",
    "vsftpd",
    "proftpd",
    "java",
    "gunicorn",
    "uwsgi",
    /* our own: the launcher of drills */
    "hinomi-agent",
    "hinomi-server",
};
/* Programs that run what they are told: never taken for a service, wherever they are. */
static const char *const interpreters[] = {
    "sh",      "bash", "dash", "zsh",    "ksh",   "fish",   "ash",   "busybox", "python", "python2",
    "python3", "perl", "ruby", "php",    "node",  "lua",    "tclsh", "awk",     "gawk",   "mawk",
    "socat",   "nc",   "ncat", "netcat", "nohup", "setsid", "env",   "timeout", "xargs",  "find",
};
/* Where services are installed; what runs from elsewhere is not believed to be one. */
static const char *const service_folders[] = {"/usr/", "/bin/", "/sbin/",
                                              "/lib/", "/opt/", "/snap/"};

static struct hm_slice base_name(const struct hm_process *p)
{
    struct hm_slice s = p->image ? p->image->text.path : (struct hm_slice){0};
    for (size_t i = s.len; i > 0; i--)
        if (s.p[i - 1] == '/')
            return hm_slice(s.p + i, s.len - i);
    return s.len ? s : p->image ? p->image->text.name : (struct hm_slice){0};
}

static bool listed(struct hm_slice name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hm_slice_eq(name, hm_slice_str(list[i])))
            return true;
    return false;
}

/* "python3.11" and "php-fpm8.2" are python and php-fpm. */
static struct hm_slice without_version(struct hm_slice s)
{
    while (s.len && (s.p[s.len - 1] == '.' || (s.p[s.len - 1] >= '0' && s.p[s.len - 1] <= '9')))
        s.len--;
    return s;
}

static bool is_listed(const struct hm_process *p, const char *const *list, size_t n)
{
    struct hm_slice name = base_name(p);
    return listed(name, list, n) || listed(without_version(name), list, n);
}

static bool in_service_folder(const struct hm_process *p)
{
    struct hm_slice path = p->image ? p->image->text.path : (struct hm_slice){0};
    for (size_t i = 0; i < HM_ARRAY_LEN(service_folders); i++) {
        struct hm_slice f = hm_slice_str(service_folders[i]);
        if (path.len > f.len && memcmp(path.p, f.p, f.len) == 0)
            return true;
    }
    return false;
}

/* A daemon: leads its session, was begun by pid 1 (or by somebody who is gone), comes from a folder
 * of installed software and is no interpreter. */
static bool is_service(const struct hm_process *p, const struct hm_process *parent)
{
    bool orphan = !parent || parent->pid == 1 || parent->exit_ns;
    return orphan && p->session == p->pid && in_service_folder(p) &&
           !is_listed(p, interpreters, HM_ARRAY_LEN(interpreters));
}

/* May the tree of child reach up to parent? grand: the parent's parent, NULL unknown. */
static bool belongs(const struct hm_process *child, const struct hm_process *parent,
                    const struct hm_process *grand)
{
    if (parent->pid <= 2 || !parent->image)
        return false;
    if (parent->image->flags & HM_PROC_KERNEL_THREAD)
        return false;
    if (parent->has_user && child->has_user && parent->uid != child->uid)
        return false; /* a change of user is a border: sshd → shell, sudo → its command */
    return !is_listed(parent, roots, HM_ARRAY_LEN(roots)) && !is_service(parent, grand);
}

size_t hm_tree_lineage(struct hm_table *t, struct hm_process *p, struct hm_process **ret,
                       size_t max)
{
    size_t n = 0;
    for (; p && n < max; p = hm_table_get(t, p->parent_key)) {
        /* start times only grow downwards; anything else would be a ring made by a wrong record */
        if (n && p->start_ns > ret[n - 1]->start_ns)
            break;
        ret[n++] = p;
    }
    return n;
}

size_t hm_tree_root(struct hm_process *const *lineage, size_t n)
{
    size_t root = 0;
    while (root + 1 < n &&
           belongs(lineage[root], lineage[root + 1], root + 2 < n ? lineage[root + 2] : NULL))
        root++;
    return root;
}

bool hm_tree_beneath(const struct hm_table *t, const struct hm_process *p, uint64_t root)
{
    for (int depth = 0; p && depth < DEPTH_MAX; depth++) {
        if (p->parent_key == root)
            return true;
        p = hm_table_peek(t, p->parent_key);
    }
    return false;
}
