/* What compile.c makes and scan.c reads; private to this folder. */
#pragma once
#include "detect/yara/limits.h"
#include "detect/yara/yara.h"
#include <yara.h>

struct hm_yara_rules {
    YR_RULES *yr;
    size_t bytes;
};
/* Variables that LOKI's and THOR's rules use; texts, empty unless the scanner knows better. */
extern const char *const hm_yara_externals[]; /* NULL ends it */
