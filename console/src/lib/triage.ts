/* What comes first when somebody must decide, and how rules spell tactics. */
import type { Alert } from '../api/types';

export function byUrgency(a: Alert, b: Alert): number {
  return b.severity_id - a.severity_id || b.event_time.localeCompare(a.event_time);
}

/* "attack.credential_access", "Credential Access": one key of the catalogue. */
export function tacticKey(value: string): string {
  return value.trim().toLowerCase().replace(/^attack\./, '').replace(/[\s_]+/g, '-');
}

/* A reason as the server takes it: one line, however it was typed. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

export interface Group {
  first: Alert; /* the most urgent */
  more: Alert[];
}

/* Alerts of one process tree on one endpoint are one decision. Most urgent group first. */
export function groupByTree(alerts: Alert[]): Group[] {
  const groups = new Map<string, Group>();
  for (const a of [...alerts].sort(byUrgency)) {
    const id = a.tree_key ? `${a.endpoint.id}/${a.tree_key}` : a.id;
    const group = groups.get(id);
    if (group) group.more.push(a);
    else groups.set(id, { first: a, more: [] });
  }
  return [...groups.values()];
}
