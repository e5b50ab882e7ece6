import { afterEach, expect, it, vi } from 'vitest';
import { nextWait, openStream, type LinkState } from './stream';

class Source extends EventTarget {
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  close() {
    this.closed = true;
  }
}

afterEach(() => vi.useRealTimers());

it('waits longer each time, up to a ceiling', () => {
  expect([0, 1000, 2000, 8000, 15000].map(nextWait)).toEqual([1000, 2000, 4000, 15000, 15000]);
});

it('reopens after an error and stops when told', () => {
  vi.useFakeTimers();
  const made: Source[] = [];
  const states: LinkState[] = [];
  const got: string[] = [];
  const stop = openStream({
    url: '/x',
    event: 'changed',
    onData: (d) => got.push(d),
    onState: (s) => states.push(s),
    make: () => {
      const s = new Source();
      made.push(s);
      return s as unknown as EventSource;
    },
  });
  made[0]?.onopen?.();
  made[0]?.dispatchEvent(new MessageEvent('changed', { data: '{"kind":"alert"}' }));
  made[0]?.onerror?.();
  expect(made[0]?.closed).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(made.length).toBe(2);
  stop();
  made[1]?.onerror?.();
  vi.advanceTimersByTime(60_000);
  expect(made.length).toBe(2);
  expect(got).toEqual(['{"kind":"alert"}']);
  expect(states).toEqual(['connecting', 'live', 'lost', 'connecting']);
});
