import { expect, it } from 'vitest';
import type { EventJson } from '../../api/types';
import { emptyBuffer, KEEP, setPaused, take } from './buffer';

const ev = (n: number) => ({ class: 'process', action: 'exec', seq: n }) as EventJson;
const seqs = (rows: { event: EventJson }[]) => rows.map((r) => (r.event as Record<string, unknown>)['seq']);

it('shows the newest first', () => {
  expect(seqs(take(take(emptyBuffer, [ev(1), ev(2)]), [ev(3)]).rows)).toEqual([3, 2, 1]);
});
it('holds while paused and gives all back', () => {
  const paused = take(setPaused(take(emptyBuffer, [ev(1)]), true), [ev(2), ev(3)]);
  expect(seqs(paused.rows)).toEqual([1]);
  expect(paused.held.length).toBe(2);
  expect(seqs(setPaused(paused, false).rows)).toEqual([3, 2, 1]);
});
it('never grows without end, and numbers rows once', () => {
  let b = emptyBuffer;
  for (let i = 0; i < 3; i++) b = take(b, Array.from({ length: 3000 }, (_, n) => ev(i * 3000 + n)));
  expect(b.rows.length).toBe(KEEP);
  expect(b.received).toBe(9000);
  expect(new Set(b.rows.map((r) => r.id)).size).toBe(KEEP);
});
