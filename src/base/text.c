/* Which language a person reads. The catalogues themselves belong to each program. */
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum hm_lang hm_lang_from_env(void)
{
    static const char *const names[] = {"HINOMI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *v = getenv(names[i]);
        if (v && *v)
            return strncmp(v, "ja", 2) == 0 ? HM_LANG_JA : HM_LANG_EN;
    }
    return HM_LANG_EN;
}
