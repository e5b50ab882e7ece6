/* The live list between the wire and the screen: newest first, bounded, steady under a flood. Owns
 * pausing and the ceiling; draws nothing. */
import type { EventJson } from '../../api/types';

export const KEEP = 5000;
const HOLD = 5000;

export interface Numbered {
  id: number;
  event: EventJson;
}

export interface Buffer {
  rows: Numbered[]; /* newest first */
  held: Numbered[]; /* arrived while paused, newest first */
  received: number;
  paused: boolean;
}

export const emptyBuffer: Buffer = { rows: [], held: [], received: 0, paused: false };

/* batch is oldest first, as it came. */
export function take(b: Buffer, batch: EventJson[]): Buffer {
  if (batch.length === 0) return b;
  const numbered = batch.map((event, i) => ({ id: b.received + i + 1, event })).reverse();
  const received = b.received + batch.length;
  if (b.paused) return { ...b, received, held: [...numbered, ...b.held].slice(0, HOLD) };
  return { ...b, received, rows: [...numbered, ...b.rows].slice(0, KEEP) };
}

export function setPaused(b: Buffer, paused: boolean): Buffer {
  if (paused) return { ...b, paused };
  return { ...b, paused, rows: [...b.held, ...b.rows].slice(0, KEEP), held: [] };
}
