/* Owns the tables from program tags, files and Sigma's services to the bits of logs.h. */
#include "detect/view/logs.h"

static const struct {
    const char *service;
    uint32_t logs;
} services[] = {
    {"syslog", HM_LOG_SYSLOG}, {"auth", HM_LOG_AUTH},           {"sshd", HM_LOG_SSHD},
    {"sudo", HM_LOG_SUDO},     {"cron", HM_LOG_CRON},           {"clamav", HM_LOG_CLAMAV},
    {"vsftpd", HM_LOG_VSFTPD}, {"guacamole", HM_LOG_GUACAMOLE},
};

uint32_t hm_logs_of_service(const char *service)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(services); i++)
        if (strcmp(service, services[i].service) == 0)
            return services[i].logs;
    return 0;
}

/* By the tag before the colon of a syslog line. */
static const struct {
    const char *program;
    uint32_t logs;
} programs[] = {
    {"sshd", HM_LOG_SSHD | HM_LOG_AUTH},
    {"sshd-session", HM_LOG_SSHD | HM_LOG_AUTH},
    {"sshd-auth", HM_LOG_SSHD | HM_LOG_AUTH},
    {"sudo", HM_LOG_SUDO | HM_LOG_AUTH},
    {"su", HM_LOG_AUTH},
    {"pkexec", HM_LOG_AUTH},
    {"polkitd", HM_LOG_AUTH},
    {"login", HM_LOG_AUTH},
    {"systemd-logind", HM_LOG_AUTH},
    {"useradd", HM_LOG_AUTH},
    {"usermod", HM_LOG_AUTH},
    {"userdel", HM_LOG_AUTH},
    {"groupadd", HM_LOG_AUTH},
    {"passwd", HM_LOG_AUTH},
    {"chage", HM_LOG_AUTH},
    {"CRON", HM_LOG_CRON | HM_LOG_AUTH}, /* Debian's cron; its PAM lines stand in auth.log */
    {"cron", HM_LOG_CRON},
    {"crond", HM_LOG_CRON},
    {"crontab", HM_LOG_CRON},
    {"anacron", HM_LOG_CRON},
    {"clamd", HM_LOG_CLAMAV},
    {"clamav", HM_LOG_CLAMAV},
    {"clamscan", HM_LOG_CLAMAV},
    {"freshclam", HM_LOG_CLAMAV},
    {"clamonacc", HM_LOG_CLAMAV},
    {"vsftpd", HM_LOG_VSFTPD},
    {"guacd", HM_LOG_GUACAMOLE},
    {"guacamole", HM_LOG_GUACAMOLE},
};

/* By the file's name: services that write a file of their own have no tag. `part` is looked for
 * anywhere in the path, so that rotated and distribution-specific names are found as well. */
static const struct {
    const char *part;
    uint32_t logs;
} files[] = {
    {"/auth.log", HM_LOG_AUTH | HM_LOG_SYSLOG},
    {"/secure", HM_LOG_AUTH | HM_LOG_SYSLOG},
    {"/cron", HM_LOG_CRON | HM_LOG_SYSLOG},
    {"/clamav", HM_LOG_CLAMAV},
    {"/clamd", HM_LOG_CLAMAV},
    {"/vsftpd", HM_LOG_VSFTPD},
    {"/guacamole", HM_LOG_GUACAMOLE},
    {"/guacd", HM_LOG_GUACAMOLE},
    {"/catalina", HM_LOG_GUACAMOLE}, /* guacamole's web half logs through Tomcat */
    {"/syslog", HM_LOG_SYSLOG},
    {"/messages", HM_LOG_SYSLOG},
    {"/daemon.log", HM_LOG_SYSLOG},
    {"/kern.log", HM_LOG_SYSLOG},
};

uint32_t hm_logs_of_event(const struct hm_event *e)
{
    struct hm_slice source = hm_event_str(e, HM_F_FOREIGN_SOURCE),
                    program = hm_event_str(e, HM_F_FOREIGN_PROGRAM);
    uint32_t logs = 0;
    if (hm_slice_eq(source, hm_slice_str("audit")))
        return HM_LOG_AUDIT;
    if (hm_slice_eq(source, hm_slice_str("journal")))
        logs = HM_LOG_SYSLOG;
    for (size_t i = 0; source.len && i < HM_ARRAY_LEN(files); i++)
        if (memmem(source.p, source.len, files[i].part, strlen(files[i].part)))
            logs |= files[i].logs;
    for (size_t i = 0; program.len && i < HM_ARRAY_LEN(programs); i++)
        if (hm_slice_eq(program, hm_slice_str(programs[i].program)))
            logs |= programs[i].logs;
    return logs;
}
