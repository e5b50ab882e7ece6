/* /proc/PID/maps → the readable mappings, most interesting first. The text holds paths that the
 * process chose; a line that cannot be read is skipped. */
#pragma once
#include "base/slice.h"
#include "detect/yara/yara.h"

/* Returns how many of at most max regions. What malware writes comes first: executable memory
 * without a file or of a deleted one, then private writable memory, then executable files, then the
 * rest. */
size_t hm_yara_maps(struct hm_slice text, struct hm_yara_region *ret, size_t max);
