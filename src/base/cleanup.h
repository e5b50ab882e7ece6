/* Cleanup attributes and explicit moves. Owns nothing; knows nothing. */
#pragma once
#include <stdlib.h>
#include <unistd.h>

#define hm_steal(p)                                                                                \
    ({                                                                                             \
        __typeof__(*(p)) *hm_steal_p_ = (p);                                                       \
        __typeof__(*(p)) hm_steal_v_ = *hm_steal_p_;                                               \
        *hm_steal_p_ = (__typeof__(*(p))){0};                                                      \
        hm_steal_v_;                                                                               \
    })

static inline void hm_cleanup_free_(void *p)
{
    free(*(void **)p);
}
static inline void hm_cleanup_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
/* A descriptor variable starts at -1 and is moved out with hm_steal_fd(). */
static inline int hm_steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}
#define hm_autofree  __attribute__((cleanup(hm_cleanup_free_)))
#define hm_autoclose __attribute__((cleanup(hm_cleanup_close_)))
#define hm_auto(fn)  __attribute__((cleanup(fn)))
#define HM_CHECK     __attribute__((warn_unused_result))
#ifdef __MINGW32__ /* "printf" means Microsoft's there; ours is the C standard's */
#define HM_PRINTF(f, a) __attribute__((format(gnu_printf, f, a)))
#else
#define HM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#endif
#define HM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
