/* What the files of this test share: a message, and the two roles the binary plays. */
#pragma once
#include "proc/proc.h"

struct note {
    uint64_t id;
    struct hm_slice text;
};
extern const struct hm_msg_desc note_desc;
int run_ipc_tests(void);
int run_child_tests(void);
int play_role(const char *name); /* what the re-executed binary does */
