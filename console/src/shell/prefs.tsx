/* Language and theme, as two plain selects. */
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { setLanguage, useTexts } from '../i18n';
import { currentTheme, setTheme, type Theme } from '../lib/prefs';
import type { Lang } from '../lib/time';

export function LanguageSelect() {
  const { t, lang } = useTexts();
  const client = useQueryClient();
  /* the server answers some texts in the language asked for, so what is shown is asked again */
  const choose = (next: Lang) => void setLanguage(next).then(() => client.invalidateQueries());
  return (
    <select aria-label={t('prefs.language')} value={lang} onChange={(e) => choose(e.target.value as Lang)}>
      <option value="ja" lang="ja">
        {t('prefs.ja')}
      </option>
      <option value="en" lang="en">
        {t('prefs.en')}
      </option>
    </select>
  );
}

export function ThemeSelect() {
  const { t } = useTexts();
  const [theme, set] = useState<Theme>(currentTheme);
  return (
    <select
      aria-label={t('prefs.theme')}
      value={theme}
      onChange={(e) => {
        const next = e.target.value as Theme;
        setTheme(next);
        set(next);
      }}
    >
      <option value="system">{t('prefs.system')}</option>
      <option value="light">{t('prefs.light')}</option>
      <option value="dark">{t('prefs.dark')}</option>
    </select>
  );
}
