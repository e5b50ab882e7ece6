/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Path of a (mount, dentry) pair, built from its end towards the root. bpf_d_path() is not allowed
 * in tp_btf programs, so the dentries are walked by hand. Owns the walk; knows no record.
 *
 * The result is the path inside the process's mount namespace, whatever its chroot. */
#pragma once

#define PATH_END      HM_SENSOR_PATH_MAX
#define PATH_CUT      1 /* more components than steps, or more bytes than room */
#define PATH_DETACHED 2 /* no mount holds it: memfd, pipe, socket, lazily unmounted */

struct path_buf {
    __u32 off; /* the path is bytes[off..PATH_END) */
    __u32 flags;
    char
        bytes[PATH_END + 256]; /* 256 of slack: one name may be written at the last masked offset */
};

static __always_inline bool prepend(struct path_buf *b, struct dentry *d, bool slash)
{
    __u64 len = BPF_CORE_READ(d, d_name.len) & 0xff;
    const unsigned char *name = BPF_CORE_READ(d, d_name.name);
    __u32 off = b->off;
    if (off < len + 1 || off > PATH_END)
        return false;
    off -= len + 1;
    bpf_probe_read_kernel(&b->bytes[(off + 1) & (PATH_END - 1)], len, name);
    if (slash)
        b->bytes[off & (PATH_END - 1)] = '/';
    b->off = slash ? off : off + 1;
    return true;
}

struct path_ctx {
    struct path_buf *buf;
    struct mount *m;
    struct dentry *d;
};

/* One step towards the root, for bpf_loop(): 0 go on, 1 arrived. The state is in map memory and on
 * the stack, so that the verifier looks at this once, not once a step. */
static long path_step(__u32 step, struct path_ctx *c)
{
    struct dentry *d = c->d, *parent = BPF_CORE_READ(d, d_parent);
    struct mount *m = c->m;
    if (d == BPF_CORE_READ(m, mnt.mnt_root)) {
        struct mount *up = BPF_CORE_READ(m, mnt_parent);
        c->d = BPF_CORE_READ(m, mnt_mountpoint);
        c->m = up;
        return up == m;
    }
    if (d == parent) {
        c->buf->flags |= PATH_DETACHED;
        prepend(c->buf, d, false);
        return 1;
    }
    if (!prepend(c->buf, d, true)) {
        c->buf->flags |= PATH_CUT;
        return 1;
    }
    c->d = parent;
    return 0;
}

HM_GLOBAL int path_walk(struct path_buf *b, __u64 mnt, __u64 dentry)
{
    struct path_ctx c = {
        .buf = b,
        .m = (void *)mnt - bpf_core_field_offset(struct mount, mnt),
        .d = (void *)dentry,
    };
    if (!b)
        return 0;
    b->off = PATH_END;
    b->flags = 0;
    if (bpf_loop(HM_SENSOR_PATH_STEPS, path_step, &c, 0) >= HM_SENSOR_PATH_STEPS)
        b->flags |= PATH_CUT;
    if (b->off == PATH_END) { /* the root itself */
        b->off = PATH_END - 1;
        b->bytes[PATH_END - 1] = '/';
    }
    return 0;
}
