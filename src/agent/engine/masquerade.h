/* Does a program's name deceive whoever reads a process list? Pure functions over names. */
#pragma once
#include "base/slice.h"

enum hm_masquerade {
    HM_MASQUERADE_KERNEL_THREAD = 1 << 0, /* "[kworker/0:1]" and its like, of a real program */
    HM_MASQUERADE_CONFUSABLE = 1 << 1,    /* Latin letters mixed with ones that look like them */
    HM_MASQUERADE_INVISIBLE = 1 << 2,     /* trailing spaces, characters that cannot be seen */
    HM_MASQUERADE_DOCUMENT = 1 << 3,      /* a program named like a document or picture */
    HM_MASQUERADE_DOTS = 1 << 4,          /* "...", ".. ": looks like a folder entry */
};
/* path: of the executable (or script); argv0: what it calls itself; comm: the kernel's short name.
 * kernel_thread: it is a real one, nothing is said of it. */
unsigned hm_masquerade(struct hm_slice path, struct hm_slice command_line, struct hm_slice comm);
