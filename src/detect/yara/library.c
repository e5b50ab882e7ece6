/* Owns libyara's process-wide state and what is left out of it. The modules `magic` and `cuckoo`
 * would bring libmagic and jansson into the agent: their five entry points are defined here, so the
 * linker never takes theirs from the archive, and a rule that imports one is refused by name
 * (docs/adr: libyara). This object is always linked: everyone who scans calls hm_yara_begin(). */
#include "detect/yara/limits.h"
#include "detect/yara/yara.h"
#include <yara.h>

#define ABSENT(name)                                                                               \
    int name##__declarations(YR_OBJECT *module);                                                   \
    int name##__load(YR_SCAN_CONTEXT *context, YR_OBJECT *module, void *data, size_t size);        \
    int name##__unload(YR_OBJECT *module);                                                         \
    int name##__initialize(YR_MODULE *module);                                                     \
    int name##__finalize(YR_MODULE *module);                                                       \
    int name##__declarations(YR_OBJECT *module)                                                    \
    {                                                                                              \
        return ERROR_UNKNOWN_MODULE;                                                               \
    }                                                                                              \
    int name##__load(YR_SCAN_CONTEXT *context, YR_OBJECT *module, void *data, size_t size)         \
    {                                                                                              \
        return ERROR_UNKNOWN_MODULE;                                                               \
    }                                                                                              \
    int name##__unload(YR_OBJECT *module)                                                          \
    {                                                                                              \
        return ERROR_SUCCESS;                                                                      \
    }                                                                                              \
    int name##__initialize(YR_MODULE *module)                                                      \
    {                                                                                              \
        return ERROR_SUCCESS;                                                                      \
    }                                                                                              \
    int name##__finalize(YR_MODULE *module)                                                        \
    {                                                                                              \
        return ERROR_SUCCESS;                                                                      \
    }
ABSENT(magic)
ABSENT(cuckoo)

int hm_yara_begin(struct hm_error *err)
{
    if (yr_initialize() != ERROR_SUCCESS)
        return hm_fail(err, -ENOMEM, "libyara cannot be initialised");
    /* A match's bytes are never looked at: nothing of a file's content leaves the scanner. */
    if (yr_set_configuration_uint32(YR_CONFIG_STACK_SIZE, HM_YARA_STACK_SLOTS) != ERROR_SUCCESS ||
        yr_set_configuration_uint32(YR_CONFIG_MAX_STRINGS_PER_RULE, HM_YARA_RULE_STRINGS) !=
            ERROR_SUCCESS ||
        yr_set_configuration_uint32(YR_CONFIG_MAX_MATCH_DATA, 0) != ERROR_SUCCESS) {
        yr_finalize();
        return hm_fail(err, -EINVAL, "libyara takes no limits");
    }
    return 0;
}

void hm_yara_end(void)
{
    yr_finalize();
}
