import { expect, it } from 'vitest';
import { agoText, fromNanos, parseTime, utcText } from './time';

it('reads nanoseconds without losing milliseconds', () => {
  expect(fromNanos('1763760000123456789')?.toISOString()).toBe('2025-11-21T21:20:00.123Z');
});
it('refuses what is no time', () => {
  expect(parseTime('yesterday')).toBeNull();
  expect(fromNanos('12x')).toBeNull();
  expect(fromNanos(undefined)).toBeNull();
});
it('spells UTC with milliseconds', () => {
  expect(utcText(new Date('2025-11-21T21:20:00.123Z'))).toBe('2025-11-21 21:20:00.123 UTC');
});
it('says how long ago in both languages', () => {
  const now = new Date('2025-11-21T12:00:00Z');
  expect(agoText(new Date('2025-11-21T11:57:00Z'), now, 'en')).toBe('3 minutes ago');
  expect(agoText(new Date('2025-11-21T11:57:00Z'), now, 'ja')).toBe('3 分前');
});
