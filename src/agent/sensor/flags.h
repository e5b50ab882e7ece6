/* Numbers of event.h that BPF programs write as well. event.h needs a libc and cannot be included
 * there, so they stand here again under names of their own; record.c refuses to compile when the
 * two differ. */
#pragma once

enum {
    HM_REC_PROC_ARGS_TRUNCATED = 1 << 0,
    HM_REC_PROC_MEMFD = 1 << 1,
    HM_REC_PROC_DELETED = 1 << 2,
    HM_REC_PROC_SETUID = 1 << 3,
    HM_REC_PROC_SCRIPT = 1 << 4,
    HM_REC_PROC_KERNEL_THREAD = 1 << 5,
    HM_REC_PROC_PATH_TRUNCATED = 1 << 6,
};
enum {
    HM_REC_STDIO_CLOSED,
    HM_REC_STDIO_FILE,
    HM_REC_STDIO_PIPE,
    HM_REC_STDIO_SOCKET,
    HM_REC_STDIO_TTY,
    HM_REC_STDIO_OTHER,
};
