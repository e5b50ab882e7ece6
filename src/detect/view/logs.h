/* Whose log a line belongs to: Sigma's services as bits, found by the program's tag and by the file
 * the line was read from. A table, logs.c. */
#pragma once
#include "event/event.h"

enum hm_log {
    HM_LOG_SYSLOG = 1 << 0, /* any line that went through syslog or the journal */
    HM_LOG_AUTH = 1 << 1,   /* whoever writes to auth.log or secure */
    HM_LOG_SSHD = 1 << 2,
    HM_LOG_SUDO = 1 << 3,
    HM_LOG_CRON = 1 << 4,
    HM_LOG_CLAMAV = 1 << 5,
    HM_LOG_VSFTPD = 1 << 6,
    HM_LOG_GUACAMOLE = 1 << 7,
    HM_LOG_AUDIT = 1 << 8, /* records of the kernel's audit system */
};
/* The bits of a Sigma service name; 0: not a log of ours. */
uint32_t hm_logs_of_service(const char *service);
/* The bits of a foreign/log event. */
uint32_t hm_logs_of_event(const struct hm_event *e);
