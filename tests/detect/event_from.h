/* Builds an event from names and values as a rule's examples write them. Test support. */
#pragma once
#include "base/arena.h"
#include "detect/values.h"
#include <arpa/inet.h>
#include <stdio.h>

static inline void event_put(struct hm_event *e, struct hm_arena *a, const char *name,
                             const char *value)
{
    int f = hm_field_by_name(hm_slice_str(name));
    bool bits;
    if (f < 0)
        f = hm_field_by_sigma(hm_slice_str(name));
    if (f < 0) {
        fprintf(stderr, "no such field: %s\n", name);
        abort();
    }
    struct hm_slice v = hm_slice_str(hm_arena_strndup(a, value, strlen(value)));
    int64_t word = hm_value_word((enum hm_field)f, v, &bits);
    if (hm_fields[f].type == HM_TYPE_U64 || hm_fields[f].type == HM_TYPE_X64) {
        hm_event_set_u64(e, (enum hm_field)f,
                         word >= 0 ? (uint64_t)word : strtoull(value, NULL, 10));
    } else if (hm_fields[f].type == HM_TYPE_IP) {
        uint8_t *ip = hm_arena_alloc(a, 16);
        bool six = strchr(value, ':');
        if (inet_pton(six ? AF_INET6 : AF_INET, value, ip) != 1)
            abort();
        hm_event_set(e, (enum hm_field)f, hm_slice(ip, six ? 16 : 4));
    } else {
        hm_event_set(e, (enum hm_field)f, v);
    }
}
