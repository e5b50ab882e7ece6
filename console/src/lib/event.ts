/* An event read for people: one line of what it says, and its fields in plain order. Owns which
 * field says most for a kind of event; knows no page. */
import type { EventJson } from '../api/types';
import { fromNanos, parseTime, type Lang } from './time';

type Loose = Record<string, unknown>;

export function text(e: EventJson, field: string): string {
  const v = (e as Loose)[field];
  return typeof v === 'string' ? v : typeof v === 'number' ? String(v) : '';
}

export function moment(e: EventJson): Date | null {
  return parseTime(text(e, '@time')) ?? fromNanos(text(e, 'time'));
}

export function eventKey(e: EventJson): string {
  return [text(e, 'endpoint'), text(e, 'epoch'), text(e, 'boot'), text(e, 'seq'), text(e, 'time')].join('/');
}

export function address(ip: string, port: string): string {
  if (!ip) return '';
  return port ? (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`) : ip;
}

export function stdioPeer(e: EventJson): string {
  return address(text(e, 'process.stdio_ip'), text(e, 'process.stdio_port'));
}

const octal = (mode: string) => (mode ? (Number(mode) & 0o7777).toString(8).padStart(4, '0') : '');

/* The one line that stands for the event in a list. */
export function summary(e: EventJson, lang: Lang): string {
  const f = (name: string) => text(e, name);
  switch (f('class')) {
    case 'process':
      return f('process.command_line') || f('process.image') || f('process.name');
    case 'file':
      if (f('action') === 'rename') return `${f('file.source_path')} → ${f('file.path')}`;
      if (f('action') === 'attrib') return [f('file.path'), octal(f('file.mode'))].filter(Boolean).join('  ');
      return f('file.path');
    case 'network':
      return networkLine(e);
    case 'dns':
      return [f('dns.query'), f('dns.answers')].filter(Boolean).join(' → ');
    case 'finding':
      return (lang === 'ja' && f('rule.title_ja')) || f('rule.title');
    case 'loss':
      return f('loss.count');
    case 'auth':
      return [f('user.target_name') || f('user.name'), f('auth.method')].filter(Boolean).join(' · ');
    case 'agent':
      return f('agent.detail') || f('order.detail') || f('agent.process');
    default:
      return f('script.text') || f('module.path') || f('service.name') || f('registry.key') || f('target.image') || f('foreign.text') || f('device.name') || f('process.image');
  }
}

function networkLine(e: EventJson): string {
  const from = address(text(e, 'src.ip'), text(e, 'src.port'));
  const to = address(text(e, 'dst.ip'), text(e, 'dst.port'));
  const name = text(e, 'dst.domain');
  if (text(e, 'action') === 'listen') return from || to;
  return `${from || '?'} → ${to || '?'}${name ? ` (${name})` : ''}`;
}

/* What the summary already names is first; envelope and machine numbers last. */
const first = ['@time', 'class', 'action', 'host', 'process.image', 'process.command_line', 'process.pid', 'user.name', 'file.path', 'dst.ip', 'dst.port', 'parent.image', 'parent.command_line'];
const last = new Set(['endpoint', 'tenant', 'epoch', 'boot', 'boot_ns', 'time', 'received', 'seq', 'batch', 'process.key', 'parent.key']);

export function fieldOrder(e: EventJson): string[] {
  const names = Object.keys(e).filter((n) => n !== 'alert.evidence');
  const middle = names.filter((n) => !first.includes(n) && !last.has(n));
  return [...first.filter((n) => names.includes(n)), ...middle, ...names.filter((n) => last.has(n))];
}

/* Flag bits as their keys in the catalogue ("flag.2"). */
export function flagKeys(value: number): string[] {
  return [1, 2, 4, 8, 16, 32, 64].filter((bit) => (value & bit) !== 0).map(String);
}

/* Events that support others and tell nothing by themselves: a fork before its exec, a hash after it. */
export function isSupporting(e: EventJson): boolean {
  const action = text(e, 'action');
  return text(e, 'class') === 'process' && (action === 'fork' || action === 'image');
}

/* For each event, the peer behind its standard descriptors, where it is news: the first time in the list. */
export function newPeers(events: EventJson[]): string[] {
  const seen = new Set<string>();
  return events.map((e) => {
    const peer = stdioPeer(e);
    if (peer === '' || seen.has(peer)) return '';
    seen.add(peer);
    return peer;
  });
}
