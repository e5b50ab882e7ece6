/* Language: which catalogue, and where the choice is kept. Every text for people comes from here.
 * Keys are flat ("alert.kill"), so that a plain search finds them. */
import i18next from 'i18next';
import { initReactI18next, useTranslation } from 'react-i18next';
import { setAnswerLanguage } from '../api/client';
import type { Lang } from '../lib/time';
import { readPref, writePref } from '../lib/prefs';
import en from './en.json';
import ja from './ja.json';

export type TextKey = keyof typeof ja;

function firstLanguage(): Lang {
  const kept = readPref('language');
  if (kept === 'ja' || kept === 'en') return kept;
  return navigator.language.toLowerCase().startsWith('ja') ? 'ja' : 'en';
}

export function hasChosenLanguage(): boolean {
  return readPref('language') !== null;
}

export async function startLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: { ja: { translation: ja }, en: { translation: en } },
    lng: firstLanguage(),
    fallbackLng: 'en',
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
  });
  apply(i18next.language as Lang);
}

function apply(lang: Lang): void {
  document.documentElement.lang = lang;
  setAnswerLanguage(lang);
}

/* keep: false when the server suggests it, true when a person chose it. */
export async function setLanguage(lang: Lang, keep = true): Promise<void> {
  if (keep) writePref('language', lang);
  await i18next.changeLanguage(lang);
  apply(lang);
}

export type Translate = (key: TextKey, values?: Record<string, string | number>) => string;

export interface Texts {
  t: Translate;
  /* A text whose key is made from data; falls back to the data itself when there is none. */
  name: (prefix: string, value: string) => string;
  lang: Lang;
}

export function useTexts(): Texts {
  const { t, i18n } = useTranslation();
  return {
    t: (key, values) => t(key, values ?? {}),
    name: (prefix, value) => (i18n.exists(`${prefix}.${value}`) ? t(`${prefix}.${value}`) : value),
    lang: i18n.language === 'ja' ? 'ja' : 'en',
  };
}
