/* The decisions that pages make on data, without drawing anything. */
import { describe, expect, it } from 'vitest';
import type { Alert, Endpoint, EventJson } from '../api/types';
import { minutesAxis } from '../lib/time';
import { byUrgency, groupByTree, tacticKey } from '../lib/triage';
import { durations, requestFor } from '../respond/confirm';
import { passwordProblem } from '../shell/signin';
import { needsReason } from './alert/state';
import { newcomers } from './endpoints/add';
import { findEndpoints, sortEndpoints } from './endpoints/list';
import { changes } from './endpoints/ownership';
import { plainValue } from './events/details';
import { freshAlert } from './overview/drill';

const alert = (id: string, severity_id: number, event_time: string) => ({ id, severity_id, event_time }) as Alert;
const endpoint = (id: string, extra: Partial<Endpoint>) =>
  ({ id, name: id, owner: '', department: '', asset_no: '', group: 'default', os: 'Debian', state: 'healthy', isolation: { state: 'none' }, last_seen: null, ...extra }) as Endpoint;

describe('overview', () => {
  it('puts the worst first, the newest among equals', () => {
    const sorted = [alert('a', 3, '2025-01-01'), alert('b', 5, '2025-01-01'), alert('c', 3, '2025-01-02')].sort(byUrgency);
    expect(sorted.map((a) => a.id)).toEqual(['b', 'c', 'a']);
  });
  it('makes one decision of the alerts of one process tree', () => {
    const of = (id: string, severity: number, tree_key: string, ep = 'e') => ({ ...alert(id, severity, '2025'), tree_key, endpoint: { id: ep } }) as Alert;
    const groups = groupByTree([of('a', 3, 't'), of('b', 5, 't'), of('c', 4, ''), of('d', 4, ''), of('e', 3, 't', 'other')]);
    expect(groups.map((g) => [g.first.id, ...g.more.map((m) => m.id)])).toEqual([['b', 'a'], ['c'], ['d'], ['e']]);
  });
  it('reads tactics however a rule spells them', () => {
    expect(['attack.credential_access', 'Command and Control', 'execution'].map(tacticKey)).toEqual(['credential-access', 'command-and-control', 'execution']);
  });
  it('takes the gravest new alert as the drill\u2019s, never an old one', () => {
    const items = [alert('old', 5, ''), alert('new', 2, ''), alert('worse', 4, '')];
    expect(freshAlert(items, new Set(['old']))?.id).toBe('worse');
    expect(freshAlert(items, new Set(['old', 'new', 'worse']))).toBeUndefined();
  });
  it('ends the axis at the present minute', () => {
    expect(minutesAxis(3, 10 * 60_000 + 30_000)).toEqual([480, 540, 600]);
  });
});

describe('endpoints', () => {
  const all = [endpoint('web', { department: '\u7dcf\u52d9' }), endpoint('db', { state: 'silent', asset_no: 'A-7' }), endpoint('cut', { isolation: { state: 'isolated' } as Endpoint['isolation'] })];
  it('are found by any word that people know them by', () => {
    expect(findEndpoints(all, 'a-7', '').map((e) => e.id)).toEqual(['db']);
    expect(findEndpoints(all, '\u7dcf', '').map((e) => e.id)).toEqual(['web']);
    expect(findEndpoints(all, '', 'silent').map((e) => e.id)).toEqual(['db']);
    expect(findEndpoints(all, '', 'isolated').map((e) => e.id)).toEqual(['cut']);
  });
  it('show trouble first when sorted by state', () => {
    expect(sortEndpoints(all, 'state', false).map((e) => e.id)).toEqual(['db', 'cut', 'web']);
    expect(sortEndpoints(all, 'name', true).map((e) => e.id)).toEqual(['web', 'db', 'cut']);
  });
  it('are newcomers only when they were not there before', () => {
    expect(newcomers(all, new Set(['web', 'cut'])).map((e) => e.id)).toEqual(['db']);
  });
  it('send only what was changed', () => {
    const before = { owner: 'a', department: 'b', asset_no: '', group: 'g' };
    expect(changes(before, { ...before, asset_no: ' 7 ' })).toEqual({ asset_no: '7' });
  });
});

describe('orders', () => {
  const base = { endpoint: { id: 'e', name: 'n' }, alert: 'x', reason: '' };
  it('say only what their kind needs', () => {
    expect(requestFor({ ...base, kind: 'kill', processKey: 'k' }, 'why', 60)).toEqual({ kind: 'kill', endpoint: 'e', alert: 'x', reason: 'why', process_key: 'k', tree: true });
    expect(requestFor({ ...base, kind: 'isolate' }, 'why', 3600)).toEqual({ kind: 'isolate', endpoint: 'e', alert: 'x', reason: 'why', expires_s: 3600 });
    expect(requestFor({ ...base, kind: 'release' }, 'why', 3600)).not.toHaveProperty('expires_s');
  });
  it('offer no isolation without an end', () => {
    expect(durations.every(([s]) => s >= 60 && s <= 2592000)).toBe(true);
  });
});

it('asks for a reason when an alert is dismissed or reopened', () => {
  expect([needsReason('NEW', 'TRIAGE'), needsReason('NEW', 'BENIGN'), needsReason('CLOSED', 'TRIAGE')]).toEqual([false, true, true]);
});

it('refuses weak new passwords in the order people can mend them', () => {
  expect(passwordProblem('old', 'short', 'short')).toBe('password.short');
  expect(passwordProblem('same same same', 'same same same', 'same same same')).toBe('password.same');
  expect(passwordProblem('old', 'long enough one', 'long enough two')).toBe('password.differ');
  expect(passwordProblem('old', '\u3042'.repeat(12), '\u3042'.repeat(12))).toBeNull();
});

it('says values as people do', () => {
  const name = (prefix: string, value: string) => `${prefix}.${value}`;
  const e = { class: 'network', action: 'connect', 'net.protocol': 6, 'net.direction': 2, 'process.flags': 10, 'file.mode': 0o100755 } as unknown as EventJson;
  expect(['net.protocol', 'net.direction', 'process.flags', 'file.mode', 'action'].map((f) => plainValue(e, f, { name }))).toEqual(['TCP', 'direction.2', 'flag.2, flag.8', '0755', 'action.network.connect']);
});
