/* The table of rare system calls (calls.def) as both sides have it. The kernel side gets it as
 * constants before it is loaded, so that one object serves every machine's numbers. */
#pragma once

#define HM_RARE_MAX      32 /* bits of the set of them that are asked for */
#define HM_RARE_ONLY_MAX 6
#define HM_RARE_ARGS_MAX 4

enum hm_rare_mode { HM_RARE_EACH, HM_RARE_ONCE, HM_RARE_ONCE_A0 };
struct hm_rare_call {
    __u32 number, mode, args, only_count;
    __u64 only[HM_RARE_ONLY_MAX];
};

#ifndef __bpf__
#include "base/slice.h"
#include <sys/syscall.h>
enum hm_rare { /* places in the table, bits of a set */
#define RARE(name, ...) HM_CALL_##name,
#include "agent/sensor/calls.def"
               HM_CALL_COUNT
};
extern const struct hm_rare_call hm_rare_calls[];
extern const uint32_t hm_rare_count;
const char *hm_rare_name(uint32_t i); /* "" beyond the table */
#endif
