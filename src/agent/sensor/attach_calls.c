/* Which rare system calls are watched. Owns their links: one a call, made when a rule asks for it
 * and gone when none does, so that nobody pays for what nobody asks. */
#include "agent/sensor/sensor_impl.h"
#include "sensor.skel.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>

void hm_sensor_set_calls(struct hm_sensor *s)
{
    for (uint32_t i = 0; i < hm_rare_count; i++)
        s->skel->rodata->rare_calls[i] = hm_rare_calls[i];
    s->skel->rodata->rare_count = hm_rare_count;
}

static void unwatch(struct hm_sensor *s, uint32_t i)
{
    bpf_link__destroy(s->call_links[i]);
    s->call_links[i] = NULL;
}

void hm_sensor_drop_calls(struct hm_sensor *s)
{
    for (uint32_t i = 0; i < HM_RARE_MAX; i++)
        unwatch(s, i);
}

static void watch(struct hm_sensor *s, uint32_t i)
{
    char name[64];
    int e = 0;
    snprintf(name, sizeof name, "sys_enter_%s", hm_rare_name(i));
    s->call_links[i] = hm_sensor_attach_syscall(s->skel->progs.hm_rare, name, &e);
    if (!s->call_links[i]) {
        s->error[HM_PART_CALLS] = e;
        hm_debug("sensor: %s cannot be watched: %s", name, strerror(-e));
    }
}

/* "tp/syscalls/sys_enter_{mknod,sysinfo}": what the report says. */
static void describe(struct hm_sensor *s)
{
    size_t n = (size_t)snprintf(s->calls_how, sizeof s->calls_how, "tp/syscalls/sys_enter_{");
    const char *comma = "";
    for (uint32_t i = 0; i < hm_rare_count && n < sizeof s->calls_how; i++) {
        if (!s->call_links[i])
            continue;
        n += (size_t)snprintf(s->calls_how + n, sizeof s->calls_how - n, "%s%s", comma,
                              hm_rare_name(i));
        comma = ",";
    }
    if (n < sizeof s->calls_how)
        snprintf(s->calls_how + n, sizeof s->calls_how - n, "}");
}

uint32_t hm_sensor_watch_calls(struct hm_sensor *s, uint32_t wanted)
{
    uint32_t now = 0;
    bool loaded = s->attached && bpf_program__autoload(s->skel->progs.hm_rare);
    for (uint32_t i = 0; i < hm_rare_count; i++) {
        bool want = loaded && wanted >> i & 1;
        if (!want && s->call_links[i])
            unwatch(s, i);
        if (want && !s->call_links[i])
            watch(s, i);
        now |= (uint32_t)(s->call_links[i] != NULL) << i;
    }
    s->active[HM_PART_CALLS] = now != 0;
    describe(s);
    return now;
}
