/* The record format between the BPF programs and user space: fixed-width fields, explicit padding,
 * one version. Both sides include this file; it knows neither libbpf nor events.
 *
 * A record is a fixed struct that begins with struct hm_rec_header; strings follow it and are found
 * by (offset from the record's start, length). Strings carry no promise of NUL or UTF-8. Numbers
 * are host order, addresses network order (IPv4 in the first four bytes).
 * User space calls hm_record_check() before it casts. */
#pragma once
#ifdef __bpf__
#define HM_REC_ASSERT(x) _Static_assert(x, #x)
#else
#include "base/cleanup.h"
#include "base/slice.h"
#include <linux/types.h>
#define HM_REC_ASSERT(x) _Static_assert(x, #x)
#endif

#define HM_RECORD_VERSION 1

enum hm_record_type {
    HM_REC_EXEC = 1,     /* struct hm_rec_exec */
    HM_REC_FORK = 2,     /* struct hm_rec_fork: the header is the child's */
    HM_REC_EXIT = 3,     /* struct hm_rec_exit: the last thread is gone, once per process */
    HM_REC_SNAPSHOT = 4, /* struct hm_rec_exec: a process that was already running */
    HM_REC_CONNECT = 5,  /* struct hm_rec_net: established, or failed with its errno */
    HM_REC_ACCEPT = 6,   /* struct hm_rec_net */
    HM_REC_LISTEN = 7, /* struct hm_rec_net: remote end is empty; port 0 = the kernel will choose */
    HM_REC_CLOSE = 8,  /* struct hm_rec_net: end of a connection whose begin had an owner */
    HM_REC_CALL = 9,   /* struct hm_rec_call: a rare system call begins */
    HM_REC_DNS = 10,   /* struct hm_rec_dns: an answer came; tgid 0: nobody knows who asked */
};

/* hm_rec_header.flags */
#define HM_REC_F_READ_ERROR  1 /* a helper failed: a field is empty that should not be */
#define HM_REC_F_ENV_PARTIAL 2 /* the environment was too large to be searched to its end */
#define HM_REC_F_LONG        4 /* came through the ring of long arguments */

struct hm_rec_header {
    __u16 type;
    __u8 version;
    __u8 flags;
    __u32 length;          /* of the whole record, strings included */
    __u64 boot_ns;         /* CLOCK_BOOTTIME when it happened */
    __u64 start_ns;        /* start_boottime of the thread group leader */
    __u64 parent_start_ns; /* the same of the real parent's */
    __u64 cgroup_id;       /* cgroup v2 */
    __u32 tgid, tid, ppid; /* as the host sees them */
    __u32 uid, gid, euid, egid;
    __u32 loginuid, sessionid; /* (__u32)-1: not set */
    __u32 ns_mnt, ns_pid, ns_net;
    char comm[16]; /* NUL-padded */
};
HM_REC_ASSERT(sizeof(struct hm_rec_header) == 104);

struct hm_rec_str {
    __u16 off, len; /* len 0: absent */
};

/* stdio[]: same numbers as HM_STDIO_* of event.h */
struct hm_rec_exec {
    struct hm_rec_header h;
    __u64 inode, size, mtime_ns; /* of the executable (for a script: of the interpreter) */
    __u32 dev;                   /* new_encode_dev, as stat(2) of user space gives it */
    __u32 mode, owner;           /* of the executable */
    __u32 argc;
    __u32 args_total; /* bytes of the arguments before truncation */
    __u32 session;    /* pid of the session leader */
    __u32 proc_flags; /* HM_PROC_* of event.h */
    __u32 reserved0;
    __u8 stdio[3];
    __u8
        stdio_family; /* 0, 4 or 6: of the first standard descriptor that is a socket with a peer */
    __u16 stdio_port;
    __u16 reserved1;
    __u8 stdio_ip[16];
    char tty[16];               /* "pts/0"; NUL-padded; empty: none */
    struct hm_rec_str path;     /* the executable, resolved; "memfd:NAME" for a memfd */
    struct hm_rec_str args;     /* NUL after each argument (the last may lack it) */
    struct hm_rec_str cwd;      /* working directory */
    struct hm_rec_str interp;   /* only for scripts: the interpreter as the script names it */
    struct hm_rec_str env;      /* NAME=value of loader variables, NUL after each */
    struct hm_rec_str filename; /* as given to execve: relative, a script, /dev/fd/N */
    struct hm_rec_str cgroup;   /* name of the cgroup's folder ("docker-….scope") */
    struct hm_rec_str reserved2;
};
HM_REC_ASSERT(sizeof(struct hm_rec_exec) == 232);

struct hm_rec_fork {
    struct hm_rec_header h; /* the child; ppid is its real parent */
    __u64
        creator_start_ns; /* who called fork or clone: differs from the parent with CLONE_PARENT */
    __u32 creator_tgid;
    __u32 reserved0;
};
HM_REC_ASSERT(sizeof(struct hm_rec_fork) == 120);

struct hm_rec_exit {
    struct hm_rec_header h;
    __u32 code;   /* exit status, 0 when a signal ended it */
    __u32 signal; /* 0 none */
    __u32 core;   /* 1: core dumped */
    __u32 reserved0;
};
HM_REC_ASSERT(sizeof(struct hm_rec_exit) == 120);

#define HM_NET_INBOUND   1 /* numbers of OCSF, as in fields.def */
#define HM_NET_OUTBOUND  2
#define HM_NET_LISTENING 3

struct hm_rec_net {
    struct hm_rec_header h;    /* who called connect, accept or listen */
    __u64 began_ns;            /* boot clock of the connect attempt, the accept, the listen */
    __u64 bytes_in, bytes_out; /* CLOSE only */
    __s32 result;   /* CONNECT: 0 or negative errno; -ECANCELED: given up by the process */
    __u8 family;    /* 4 or 6 */
    __u8 protocol;  /* 6 TCP */
    __u8 direction; /* HM_NET_* */
    __u8 reserved0;
    __u16 local_port, remote_port; /* host order */
    __u32 reserved1;
    __u8 local_ip[16], remote_ip[16];
};
HM_REC_ASSERT(sizeof(struct hm_rec_net) == 176);

/* An attempt: seen at the entry. */
struct hm_rec_call {
    struct hm_rec_header h;
    __u32 number;    /* of the call, in this machine's 64-bit table */
    __u32 call;      /* its place in calls.def */
    __u32 arg_count; /* at most 4 */
    __u32 reserved0;
    __u64 args[4];
};
HM_REC_ASSERT(sizeof(struct hm_rec_call) == 152);

struct hm_rec_dns {
    struct hm_rec_header h;
    struct hm_rec_str payload; /* the message, cut at HM_SENSOR_DNS_MAX */
    __u32 reserved0;
};
HM_REC_ASSERT(sizeof(struct hm_rec_dns) == 112);

/* ---- counters: an array map, one entry a program, memory-mapped read-only by the engine -------
 */
enum hm_sensor_prog {
    HM_PROG_EXEC,
    HM_PROG_FORK,
    HM_PROG_EXIT,
    HM_PROG_SOCK_STATE, /* connect, listen, close */
    HM_PROG_ACCEPT,
    HM_PROG_SNAPSHOT,
    HM_PROG_CALL,
    HM_PROG_DNS,
    HM_PROG_COUNT = 16, /* room to grow without changing the map */
};
struct hm_sensor_counter {
    __u64 sent;         /* records that reached a ring */
    __u64 lost;         /* records for which the ring had no room */
    __u64 lost_long;    /* of those, records of the long ring */
    __u64 errors;       /* helpers that failed (a read, a storage) */
    __u64 lost_last_ns; /* boot clock of the latest loss */
    __u64 reserved[3];
};
HM_REC_ASSERT(sizeof(struct hm_sensor_counter) == 64);

/* What user space hands to the program hm_missed. */
struct hm_sensor_missed {
    __u32 prog; /* enum hm_sensor_prog */
    __u32 reserved0;
    __u64 count;
};
HM_REC_ASSERT(sizeof(struct hm_sensor_missed) == 16);

#ifndef __bpf__
/* Validate one record as it came from a ring: length, version, type, every string inside.
 * Errors: -EBADMSG. After 0 the slice may be cast to the struct of its type.
 * Threads: reentrant. The slice must be 8-aligned, as ring data is. */
int hm_record_check(struct hm_slice raw) HM_CHECK;
/* A string of a checked record. Borrows from it. */
struct hm_slice hm_record_str(const struct hm_rec_header *h, struct hm_rec_str s);
const char *hm_record_type_name(uint16_t type); /* "exec"; "unknown" */
/* Class (classes.def) whose events are missing when this program lost records; 0: none. */
uint64_t hm_sensor_prog_class(enum hm_sensor_prog p);
const char *hm_sensor_prog_name(enum hm_sensor_prog p);
#endif
