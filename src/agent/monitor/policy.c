/* Which files are watched when nobody says otherwise: one table. A row is a prefix (`*` stands for
 * one component); READ rows also record who opens them, by a mark on each such file or folder. */
#include "agent/monitor/policy.h"
#include <stddef.h>

const struct hm_watch_row hm_watch_rows[] = {
    /* where payloads land */
    {"/tmp", false},
    {"/var/tmp", false},
    {"/dev/shm", false},
    /* where they stay */
    {"/etc", false},
    {"/usr/local", false},
    {"/usr/lib/systemd", false},
    {"/lib/systemd", false},
    {"/var/spool/cron", false},
    {"/root/.bashrc", false},
    {"/root/.profile", false},
    {"/root/.config", false},
    {"/home/*/.bashrc", false},
    {"/home/*/.profile", false},
    {"/home/*/.config", false},
    {"/home/*/Documents", false},
    /* what they look for */
    {"/etc/shadow", true},
    {"/etc/gshadow", true},
    {"/root/.ssh", true},
    {"/root/.aws", true},
    {"/root/.kube", true},
    {"/root/.gnupg", true},
    {"/home/*/.ssh", true},
    {"/home/*/.aws", true},
    {"/home/*/.kube", true},
    {"/home/*/.gnupg", true},
    {"/home/*/.mozilla", true},
    {NULL, false},
};
