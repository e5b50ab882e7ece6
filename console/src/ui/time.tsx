/* A moment on the screen: local time, UTC on hover and for screen readers' title. */
import { useEffect, useState } from 'react';
import { useTexts } from '../i18n';
import { agoText, clockText, dateTimeText, parseTime, utcText } from '../lib/time';

type Value = string | number | Date | null | undefined;
const asDate = (v: Value): Date | null => (v instanceof Date ? v : parseTime(v));

export function Moment({ value, style = 'full' }: { value: Value; style?: 'full' | 'clock' | 'millis' }) {
  const { t, lang } = useTexts();
  const date = asDate(value);
  if (!date) return <span className="muted">–</span>;
  const text = style === 'full' ? dateTimeText(date, lang) : clockText(date, lang, style === 'millis');
  return (
    <time className="num" dateTime={date.toISOString()} title={t('common.utc', { time: utcText(date) })}>
      {text}
    </time>
  );
}

export function useNow(everyMs: number): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function Ago({ value }: { value: Value }) {
  const { t, lang } = useTexts();
  const now = useNow(10_000);
  const date = asDate(value);
  if (!date) return <span className="muted">–</span>;
  const shown = date.getTime() > now.getTime() ? now : date;
  return (
    <time className="num" dateTime={date.toISOString()} title={`${dateTimeText(date, lang)}\n${t('common.utc', { time: utcText(date) })}`}>
      {agoText(shown, now, lang)}
    </time>
  );
}
