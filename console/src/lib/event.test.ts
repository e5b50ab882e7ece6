import { describe, expect, it } from 'vitest';
import type { EventJson } from '../api/types';
import { address, fieldOrder, flagKeys, isSupporting, moment, newPeers, stdioPeer, summary } from './event';

const rows: [string, Record<string, unknown>, string][] = [
  ['exec shows the command line', { class: 'process', action: 'exec', 'process.command_line': 'sh -i', 'process.image': '/bin/sh' }, 'sh -i'],
  ['exec without arguments shows the image', { class: 'process', action: 'exec', 'process.image': '/bin/sh' }, '/bin/sh'],
  ['rename shows both names', { class: 'file', action: 'rename', 'file.source_path': '/a', 'file.path': '/b' }, '/a → /b'],
  ['chmod shows the mode in octal', { class: 'file', action: 'attrib', 'file.path': '/a', 'file.mode': 0o100755 }, '/a  0755'],
  ['connect shows both ends', { class: 'network', action: 'connect', 'src.ip': '192.0.2.10', 'src.port': 5000, 'dst.ip': '198.51.100.7', 'dst.port': 4444 }, '192.0.2.10:5000 → 198.51.100.7:4444'],
  ['a name that led there is told', { class: 'network', action: 'connect', 'dst.ip': '2001:db8::1', 'dst.port': 443, 'dst.domain': 'example.test' }, '? → [2001:db8::1]:443 (example.test)'],
  ['an unknown kind says something', { class: 'foreign', action: 'log', 'foreign.text': 'x' }, 'x'],
];

describe('summary', () => {
  it.each(rows)('%s', (_n, e, expected) => {
    expect(summary(e as EventJson, 'en')).toBe(expected);
  });
});

it('puts machine numbers last and never loses a field', () => {
  const e = { class: 'process', action: 'exec', seq: 4, 'process.cwd': '/', '@time': '2025-01-01T00:00:00Z', new_field: 'x' } as unknown as EventJson;
  expect(fieldOrder(e)).toEqual(['@time', 'class', 'action', 'process.cwd', 'new_field', 'seq']);
});
it('reads the moment from either form', () => {
  expect(moment({ class: 'file', action: 'open', time: '1000000000' } as EventJson)?.getTime()).toBe(1000);
});
it('spells peers and flags', () => {
  expect(stdioPeer({ class: 'process', action: 'exec', 'process.stdio_ip': '198.51.100.7', 'process.stdio_port': 4444 } as EventJson)).toBe('198.51.100.7:4444');
  expect(address('', '1')).toBe('');
  expect(flagKeys(10)).toEqual(['2', '8']);
});
it('knows what may be left out of a first reading', () => {
  const kinds = ['exec', 'fork', 'image', 'exit'].map((action) => isSupporting({ class: 'process', action } as EventJson));
  expect(kinds).toEqual([false, true, true, false]);
});
it('tells a peer once', () => {
  const e = (ip: string) => ({ class: 'process', action: 'exec', 'process.stdio_ip': ip, 'process.stdio_port': 1 }) as EventJson;
  expect(newPeers([e(''), e('a'), e('a'), e('b')])).toEqual(['', 'a:1', '', 'b:1']);
});
it('titles a finding in the language of the reader, if there is one', () => {
  const e = { class: 'finding', action: 'alert', 'rule.title': 'Shell', 'rule.title_ja': '\u30b7\u30a7\u30eb' } as EventJson;
  expect([summary(e, 'en'), summary(e, 'ja'), summary({ class: 'finding', action: 'alert', 'rule.title': 'x' } as EventJson, 'ja')]).toEqual(['Shell', '\u30b7\u30a7\u30eb', 'x']);
});
