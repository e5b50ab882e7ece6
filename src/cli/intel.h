/* Feeds as files. */
#pragma once
#include "detect/indicator/indicator.h"

struct hm_intel_file {
    struct hm_slice text; /* mapped */
};
int hm_intel_file_open(const char *path, struct hm_intel_file *ret) HM_CHECK;
void hm_intel_file_close(struct hm_intel_file *f);
