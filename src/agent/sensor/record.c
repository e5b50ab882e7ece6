/* Validator and accessors of sensor records. Owns the meaning of a well-formed record; knows
 * nothing of rings, libbpf or events. The kernel wrote these bytes, yet a wrong length here would
 * be a read out of bounds there: nothing is cast before it was checked. */
#include "agent/sensor/record.h"
#include "agent/sensor/calls.h"
#include "agent/sensor/flags.h"
#include "agent/sensor/limits.h"
#include "event/event.h"
#include <errno.h>

HM_REC_ASSERT((int)HM_REC_PROC_ARGS_TRUNCATED == (int)HM_PROC_ARGS_TRUNCATED);
HM_REC_ASSERT((int)HM_REC_PROC_MEMFD == (int)HM_PROC_MEMFD);
HM_REC_ASSERT((int)HM_REC_PROC_DELETED == (int)HM_PROC_DELETED);
HM_REC_ASSERT((int)HM_REC_PROC_SETUID == (int)HM_PROC_SETUID);
HM_REC_ASSERT((int)HM_REC_PROC_SCRIPT == (int)HM_PROC_SCRIPT);
HM_REC_ASSERT((int)HM_REC_PROC_KERNEL_THREAD == (int)HM_PROC_KERNEL_THREAD);
HM_REC_ASSERT((int)HM_REC_PROC_PATH_TRUNCATED == (int)HM_PROC_PATH_TRUNCATED);
HM_REC_ASSERT((int)HM_REC_STDIO_FILE == (int)HM_STDIO_FILE);
HM_REC_ASSERT((int)HM_REC_STDIO_PIPE == (int)HM_STDIO_PIPE);
HM_REC_ASSERT((int)HM_REC_STDIO_SOCKET == (int)HM_STDIO_SOCKET);
HM_REC_ASSERT((int)HM_REC_STDIO_TTY == (int)HM_STDIO_TTY);
HM_REC_ASSERT((int)HM_REC_STDIO_OTHER == (int)HM_STDIO_OTHER);

static size_t fixed_size(uint16_t type)
{
    switch (type) {
    case HM_REC_EXEC:
    case HM_REC_SNAPSHOT:
        return sizeof(struct hm_rec_exec);
    case HM_REC_FORK:
        return sizeof(struct hm_rec_fork);
    case HM_REC_EXIT:
        return sizeof(struct hm_rec_exit);
    case HM_REC_CONNECT:
    case HM_REC_ACCEPT:
    case HM_REC_LISTEN:
    case HM_REC_CLOSE:
        return sizeof(struct hm_rec_net);
    case HM_REC_CALL:
        return sizeof(struct hm_rec_call);
    case HM_REC_DNS:
        return sizeof(struct hm_rec_dns);
    default:
        return 0;
    }
}

static bool string_inside(struct hm_rec_str s, size_t fixed, size_t len)
{
    return s.len == 0 || (s.off >= fixed && (size_t)s.off + s.len <= len);
}

static bool exec_good(const struct hm_rec_exec *e, size_t len)
{
    const struct hm_rec_str all[] = {e->path, e->args,     e->cwd,    e->interp,
                                     e->env,  e->filename, e->cgroup, e->reserved2};
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        if (!string_inside(all[i], sizeof *e, len))
            return false;
    for (size_t i = 0; i < HM_ARRAY_LEN(e->stdio); i++)
        if (e->stdio[i] > HM_STDIO_OTHER)
            return false;
    return e->stdio_family == 0 || e->stdio_family == 4 || e->stdio_family == 6;
}

static bool net_good(const struct hm_rec_net *n, size_t len)
{
    return len == sizeof *n && (n->family == 4 || n->family == 6) &&
           n->direction >= HM_NET_INBOUND && n->direction <= HM_NET_LISTENING;
}

static bool call_good(const struct hm_rec_call *c, size_t len)
{
    return len == sizeof *c && c->call < hm_rare_count && c->arg_count <= HM_ARRAY_LEN(c->args);
}

int hm_record_check(struct hm_slice raw)
{
    struct hm_rec_header h;
    if (raw.len < sizeof h || raw.len > HM_SENSOR_RECORD_MAX)
        return -EBADMSG;
    memcpy(&h, raw.p, sizeof h);
    size_t fixed = fixed_size(h.type);
    if (h.version != HM_RECORD_VERSION || h.length != raw.len || fixed == 0 || raw.len < fixed)
        return -EBADMSG;
    if ((uintptr_t)raw.p % 8 != 0)
        return -EBADMSG;
    if (h.type == HM_REC_EXEC || h.type == HM_REC_SNAPSHOT)
        return exec_good((const void *)raw.p, raw.len) ? 0 : -EBADMSG;
    if (fixed == sizeof(struct hm_rec_net))
        return net_good((const void *)raw.p, raw.len) ? 0 : -EBADMSG;
    if (h.type == HM_REC_DNS)
        return string_inside(((const struct hm_rec_dns *)(const void *)raw.p)->payload, fixed,
                             raw.len)
                   ? 0
                   : -EBADMSG;
    if (h.type == HM_REC_CALL)
        return call_good((const void *)raw.p, raw.len) ? 0 : -EBADMSG;
    return raw.len == fixed ? 0 : -EBADMSG;
}

struct hm_slice hm_record_str(const struct hm_rec_header *h, struct hm_rec_str s)
{
    return s.len ? hm_slice((const uint8_t *)h + s.off, s.len) : (struct hm_slice){0};
}

const char *hm_record_type_name(uint16_t type)
{
    static const char *const names[] = {
        [HM_REC_EXEC] = "exec",         [HM_REC_FORK] = "fork",       [HM_REC_EXIT] = "exit",
        [HM_REC_SNAPSHOT] = "snapshot", [HM_REC_CONNECT] = "connect", [HM_REC_ACCEPT] = "accept",
        [HM_REC_LISTEN] = "listen",     [HM_REC_CLOSE] = "close",     [HM_REC_CALL] = "call",
        [HM_REC_DNS] = "dns",
    };
    return type < HM_ARRAY_LEN(names) && names[type] ? names[type] : "unknown";
}

static const struct {
    const char *name;
    uint64_t class;
} progs[HM_PROG_COUNT] = {
    [HM_PROG_EXEC] = {"exec", HM_CLASS_PROCESS},
    [HM_PROG_FORK] = {"fork", HM_CLASS_PROCESS},
    [HM_PROG_EXIT] = {"exit", HM_CLASS_PROCESS},
    [HM_PROG_SOCK_STATE] = {"sock_state", HM_CLASS_NETWORK},
    [HM_PROG_ACCEPT] = {"accept", HM_CLASS_NETWORK},
    [HM_PROG_SNAPSHOT] = {"snapshot", HM_CLASS_PROCESS},
    [HM_PROG_CALL] = {"call", HM_CLASS_SYSCALL},
    [HM_PROG_DNS] = {"dns", HM_CLASS_DNS},
};

uint64_t hm_sensor_prog_class(enum hm_sensor_prog p)
{
    return p < HM_PROG_COUNT ? progs[p].class : 0;
}

const char *hm_sensor_prog_name(enum hm_sensor_prog p)
{
    return p < HM_PROG_COUNT && progs[p].name ? progs[p].name : "";
}
