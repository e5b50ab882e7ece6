/* Owns status.json: what `hinomi-agent status` shows, written whole or not at all. */
#include "agent/monitor/state.h"
#include <fcntl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_text(struct hm_buf *b, const char *name, struct hm_slice s)
{
    hm_buf_printf(b, ",\"%s\":\"", name);
    hm_json_escape(s, b);
    hm_buf_puts(b, "\"");
}

static void put_children(const struct hm_monitor *m, struct hm_buf *b)
{
    hm_buf_puts(b, ",\"processes\":{");
    bool first = true;
    for (int role = 0; role < HM_AGENT_ROLES; role++) {
        if (!m->child[role].pid)
            continue;
        hm_buf_printf(b, "%s\"%s\":%d", first ? "" : ",", hm_agent_roles[role].name,
                      (int)m->child[role].pid);
        first = false;
    }
    hm_buf_puts(b, "}");
}

static void encode(struct hm_monitor *m, struct hm_buf *b)
{
    char now[40], started[40], id[33] = "";
    for (int i = 0; m->enrolled && i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", m->id.endpoint[i]);
    hm_buf_printf(b, "{\"running\":%s,\"pid\":%d", m->stop ? "false" : "true", (int)getpid());
    put_text(b, "version", hm_slice_str(HM_VERSION));
    put_text(b, "started",
             hm_slice_str(hm_clock_format(m->started_wall_ns, started, sizeof started)));
    put_text(b, "written", hm_slice_str(hm_clock_format(hm_clock_wall_ns(), now, sizeof now)));
    put_text(b, "endpoint", hm_slice_str(id));
    put_text(b, "tenant", hm_slice_str(m->id.tenant));
    put_text(b, "group", hm_slice_str(m->id.group));
    put_text(b, "server", hm_slice_str(m->o->offline ? "" : m->id.server));
    put_text(b, "link",
             hm_slice_str(m->o->offline ? "offline"
                          : m->link_up  ? "connected"
                                        : "not connected"));
    put_text(b, "scope", hm_slice_str(m->o->scope));
    hm_buf_printf(b, ",\"practice\":%s,\"tier\":%d,\"restarts\":%llu",
                  m->id.practice ? "true" : "false", hm_sensor_tier(m->sensor),
                  (unsigned long long)m->restarts);
    put_children(m, b);
    hm_buf_puts(b, ",\"files\":");
    hm_watch_report(m->watch, b);
    hm_mon_orders_report(m, b);
    hm_mon_content_report(m, b);
    hm_buf_puts(b, "}\n");
}

/* The file is written every second: its age is how long nobody watched. */
int hm_mon_status_before(const struct hm_monitor *m, uint64_t *ret_away_ns)
{
    char text[4096];
    struct stat st;
    hm_autoclose int fd = openat(m->state_fd, "status.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0)
        return -errno;
    text[n] = 0;
    uint64_t then = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
    uint64_t now = hm_clock_wall_ns();
    *ret_away_ns = then < now ? now - then : 0;
    return strstr(text, "\"running\":true") != NULL;
}

void hm_mon_status_write(struct hm_monitor *m)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(64 * 1024);
    if (!m->sensor || !m->watch || !m->orders || !m->content)
        return;
    encode(m, &b);
    hm_autoclose int fd = openat(m->state_fd, "status.json.new",
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || b.error || write(fd, b.data, b.len) != (ssize_t)b.len ||
        renameat(m->state_fd, "status.json.new", m->state_fd, "status.json") < 0)
        hm_debug("status.json could not be written");
}
