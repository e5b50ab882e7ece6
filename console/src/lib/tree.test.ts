import { expect, it } from 'vitest';
import type { TreeNode } from '../api/types';
import { liveBelow, treeRows } from './tree';

const node = (key: string, parent: string, extra: Partial<TreeNode> = {}): TreeNode => ({
  key, parent, pid: 1, image: `/bin/${key}`, command_line: key, user: 'root', start: null, exit: null,
  alive: true, marked: false, sha256: '', stdio: '', connections: [], ...extra,
});
const tree = [node('a', ''), node('b', 'a'), node('c', 'b'), node('d', 'b'), node('e', 'a', { alive: false })];

it('puts parents before children and counts levels from one', () => {
  expect(treeRows(tree, new Set(), '').map((r) => [r.node.key, r.level])).toEqual([['a', 1], ['b', 2], ['c', 3], ['d', 3], ['e', 2]]);
});
it('hides what is folded, and opens it for a search', () => {
  expect(treeRows(tree, new Set(['b']), '').map((r) => r.node.key)).toEqual(['a', 'b', 'e']);
  const rows = treeRows(tree, new Set(['b']), '/bin/D');
  expect(rows.filter((r) => r.hit).map((r) => r.node.key)).toEqual(['d']);
});
it('tells position and set size', () => {
  const d = treeRows(tree, new Set(), '').find((r) => r.node.key === 'd');
  expect([d?.position, d?.siblings]).toEqual([2, 2]);
});
it('survives a cycle and a missing parent', () => {
  const odd = [node('x', 'gone'), node('y', 'z'), node('z', 'y')];
  expect(treeRows(odd, new Set(), '').map((r) => r.node.key)).toEqual(['x', 'y', 'z']);
  expect(liveBelow(odd, 'y').map((n) => n.key)).toEqual(['y', 'z']);
});
it('lists what a kill would end: only the living, only below the root', () => {
  expect(liveBelow(tree, 'b').map((n) => n.key)).toEqual(['b', 'c', 'd']);
  expect(liveBelow(tree, 'e')).toEqual([]);
});
it('tells a socket that was inherited from one that was opened', () => {
  const nodes = [node('a', '', { stdio: 'socket x:1' }), node('b', 'a', { stdio: 'socket x:1' }), node('c', 'a', { stdio: 'socket y:2' })];
  expect(treeRows(nodes, new Set(), '').map((r) => r.inheritsStdio)).toEqual([false, true, false]);
});
