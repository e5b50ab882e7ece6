/* Where a process says things. One line a message on stderr (or the given descriptor):
 *   2026-11-21T22:00:00.123Z info gateway: text
 * The sink is the one mutable global the style allows. Control bytes in messages are escaped, so
 * that hostile names cannot forge lines. Library code logs at debug only; the caller logs once. */
#pragma once
#include "base/cleanup.h"

enum hm_log_level { HM_LOG_DEBUG, HM_LOG_INFO, HM_LOG_WARN, HM_LOG_ERROR };

/* ident is copied. Level comes from HINOMI_LOG (debug|info|warn|error), else info. */
void hm_log_init(const char *ident, int fd);
void hm_log(enum hm_log_level level, const char *fmt, ...) HM_PRINTF(2, 3);
#define hm_debug(...) hm_log(HM_LOG_DEBUG, __VA_ARGS__)
#define hm_info(...)  hm_log(HM_LOG_INFO, __VA_ARGS__)
#define hm_warn(...)  hm_log(HM_LOG_WARN, __VA_ARGS__)
#define hm_err(...)   hm_log(HM_LOG_ERROR, __VA_ARGS__)
