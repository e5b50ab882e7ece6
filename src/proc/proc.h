/* Privilege separation, after OpenSMTPD: a supervisor forks, re-executes itself with a role, hands
 * over one SOCK_SEQPACKET descriptor and the role drops to a uid of its own. Linux only; used by
 * the agent and the server, knows neither. */
#pragma once
#include "base/error.h"
#include "wire/message.h"
#include <sys/types.h>

/* ---- ipc.c: one message a packet: le16 number · le16 zero · canonical message (message.h)
 * -------*/
#define HM_IPC_MAX_BYTES (192 * 1024)
#define HM_IPC_MAX_FDS   8
struct hm_ipc_msg {
    uint16_t number;
    struct hm_slice payload; /* valid until the next receive on this buffer */
    int fds[HM_IPC_MAX_FDS]; /* the receiver's to close */
    int fd_count;
};
int hm_ipc_pair(int ret_fds[2]) HM_CHECK; /* nonblocking, close-on-exec */
/* -EAGAIN: the peer is slow (the caller queues or counts); fds stay the caller's. */
int hm_ipc_send(int fd, const struct hm_msg_desc *d, const void *msg, const int *fds,
                int fd_count) HM_CHECK;
/* The same in two steps, for senders that queue: the packet's bytes, then the packet. */
int hm_ipc_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out) HM_CHECK;
int hm_ipc_send_packet(int fd, struct hm_slice packet, const int *fds, int fd_count) HM_CHECK;
/* 1 message, 0 would block, -ECONNRESET closed, -EBADMSG malformed. buf holds the payload. */
int hm_ipc_recv(int fd, struct hm_buf *buf, struct hm_ipc_msg *ret_msg) HM_CHECK;

/* ---- outbox.c: messages that wait for a slow or absent peer, in order
 * ---------------------------*/
struct hm_outbox;
/* Ceilings of what may wait. NULL: out of memory. */
struct hm_outbox *hm_outbox_new(size_t max_messages, size_t max_bytes);
void hm_outbox_free(struct hm_outbox *o); /* closes descriptors that wait */
/* Send now when nothing waits, else queue (descriptors are duplicated). fd -1: only queue.
 * Errors: -ENOSPC full: counted by the caller; -ECONNRESET, -E2BIG as hm_ipc_send. */
int hm_outbox_put(struct hm_outbox *o, int fd, const struct hm_msg_desc *d, const void *msg,
                  const int *fds, int fd_count) HM_CHECK;
/* Send what waits, on EPOLLOUT. 0 nothing waits any more, 1 some still does, negative errno. */
int hm_outbox_flush(struct hm_outbox *o, int fd) HM_CHECK;
size_t hm_outbox_count(const struct hm_outbox *o);

/* ---- child.c: spawn and drop
 * -------------------------------------------------------------------*/
#define HM_ROLE_FD 3 /* in a child: the socket to its supervisor; further fds come by message */
struct hm_role {
    const char *name;   /* "engine": argv becomes "hinomi-agent: engine" */
    const char *user;   /* "_hinomi-engine" */
    uid_t fallback_uid; /* used when that user does not exist and no other user has this uid */
    gid_t fallback_gid; /* the same for the group */
    const char *group;  /* one supplementary group, for folders two roles share; NULL: none */
};
/* fork + exec of /proc/self/exe with arguments "-p", role->name; ret_fd is our end. */
int hm_role_spawn(const struct hm_role *role, pid_t *ret_pid, int *ret_pidfd, int *ret_fd,
                  struct hm_error *err) HM_CHECK;
/* In the child: uid, gid, groups, PR_SET_DUMPABLE 0, no_new_privs, PR_SET_PDEATHSIG, rlimits. */
int hm_role_drop(const struct hm_role *role, struct hm_error *err) HM_CHECK;
uid_t hm_role_uid(const struct hm_role *role);   /* resolved uid, for chown of its folders */
gid_t hm_role_group(const struct hm_role *role); /* resolved supplementary group, (gid_t)-1: none */

/* ---- sandbox.c: seccomp and Landlock
 * -----------------------------------------------------------*/
struct hm_sandbox_path { /* file system beneath path: what may be done */
    int dir_fd;          /* opened O_PATH before */
    bool write;
};
/* Landlock (as far as the kernel's ABI goes; *ret_abi 0 = not there, said by the caller), no TCP
 * unless net. */
int hm_sandbox_files(const struct hm_sandbox_path *paths, size_t n, bool net, int *ret_abi,
                     struct hm_error *err) HM_CHECK;
/* seccomp: deny (EPERM) ptrace, process_vm_*, bpf, kill family to others, mount, module, keyring,
 * exec (unless allow_exec), new namespaces, perf. Kill on foreign architectures. */
int hm_sandbox_syscalls(bool allow_exec, struct hm_error *err) HM_CHECK;
