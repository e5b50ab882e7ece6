/* What this browser remembers: language and theme. Storage may be forbidden; then nothing is kept. */

type Pref = 'language' | 'theme';

export function readPref(name: Pref): string | null {
  try {
    return localStorage.getItem(`hinomi.${name}`);
  } catch {
    return null;
  }
}

export function writePref(name: Pref, value: string): void {
  try {
    localStorage.setItem(`hinomi.${name}`, value);
  } catch {
    /* private window: the choice lasts as long as the page */
  }
}

export type Theme = 'system' | 'light' | 'dark';

export function currentTheme(): Theme {
  const kept = readPref('theme');
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

const dark = () => window.matchMedia('(prefers-color-scheme: dark)');

export function applyTheme(theme: Theme): void {
  const resolved = theme === 'system' ? (dark().matches ? 'dark' : 'light') : theme;
  document.documentElement.dataset['theme'] = resolved;
}

export function setTheme(theme: Theme): void {
  writePref('theme', theme);
  applyTheme(theme);
}

export function followSystemTheme(): void {
  applyTheme(currentTheme());
  dark().addEventListener('change', () => applyTheme(currentTheme()));
}
