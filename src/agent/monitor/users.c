/* Owns the eye on /etc/passwd: the engine, which sees no file system, is handed the file whenever
 * it was changed, so that a user made by an intruder has a name in the events. */
#include "agent/messages.h"
#include "agent/monitor/state.h"
#include <fcntl.h>
#include <sys/stat.h>

void hm_mon_users_tick(struct hm_monitor *m)
{
    struct stat st;
    hm_autoclose int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !m->child[HM_AGENT_ENGINE].pid)
        return;
    /* The change time, not the content's: a rename into place, as tools do it, sets it too. */
    uint64_t changed = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
    if (changed == m->users_changed_ns)
        return;
    m->users_changed_ns = changed;
    struct hm_msg_users u = {.changed_ns = changed};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_users, &u, &fd, 1);
}
