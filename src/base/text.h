/* Message catalogues: every text for people exists in English and Japanese, in one table a program.
 */
#pragma once

enum hm_lang { HM_LANG_EN, HM_LANG_JA };
struct hm_text {
    const char *en, *ja;
};
/* From HINOMI_LANG, LC_ALL, LC_MESSAGES, LANG in that order; English when none says ja. */
enum hm_lang hm_lang_from_env(void);
static inline const char *hm_text(const struct hm_text *t, enum hm_lang lang)
{
    return lang == HM_LANG_JA ? t->ja : t->en;
}
