/* Times for people: local zone in the text, UTC beside it. Owns the formats; knows no event. */

export type Lang = 'ja' | 'en';

const locale = (lang: Lang) => (lang === 'ja' ? 'ja-JP' : 'en-GB');
const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(lang: Lang, key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = `${lang}:${key}`;
  let f = cache.get(id);
  if (!f) {
    f = new Intl.DateTimeFormat(locale(lang), options);
    cache.set(id, f);
  }
  return f;
}

const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false };

export function parseTime(value: string | number | null | undefined): Date | null {
  if (value === null || value === undefined || value === '') return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

/* An event's nanosecond decimal string. */
export function fromNanos(value: string | undefined): Date | null {
  if (!value || !/^\d{1,20}$/.test(value)) return null;
  return parseTime(Number(BigInt(value) / 1000000n));
}

export function clockText(date: Date, lang: Lang, millis = false): string {
  const base = formatter(lang, 'clock', clock).format(date);
  return millis ? `${base}.${String(date.getMilliseconds()).padStart(3, '0')}` : base;
}

export function dateTimeText(date: Date, lang: Lang): string {
  return formatter(lang, 'full', { year: 'numeric', month: lang === 'ja' ? '2-digit' : 'short', day: '2-digit', ...clock }).format(date);
}

export function minuteText(date: Date, lang: Lang): string {
  return formatter(lang, 'minute', { hour: '2-digit', minute: '2-digit', hour12: false }).format(date);
}

export function utcText(date: Date): string {
  return `${date.toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/* "3 minutes ago" in the largest fitting unit. */
export function agoText(date: Date, now: Date, lang: Lang): string {
  const s = Math.round((date.getTime() - now.getTime()) / 1000);
  const rtf = new Intl.RelativeTimeFormat(locale(lang), { numeric: 'auto' });
  const abs = Math.abs(s);
  if (abs < 60) return rtf.format(s, 'second');
  if (abs < 3600) return rtf.format(Math.round(s / 60), 'minute');
  if (abs < 86400) return rtf.format(Math.round(s / 3600), 'hour');
  return rtf.format(Math.round(s / 86400), 'day');
}

export function numberText(n: number, lang: Lang): string {
  return new Intl.NumberFormat(locale(lang)).format(n);
}

/* Seconds of the last `count` minutes, the present one last. */
export function minutesAxis(count: number, now: number): number[] {
  const last = Math.floor(now / 60_000) * 60;
  return Array.from({ length: count }, (_, i) => last - (count - 1 - i) * 60);
}
