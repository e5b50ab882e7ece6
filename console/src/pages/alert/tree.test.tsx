// The tree grid as a keyboard and a screen reader meet it.
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { Tree, TreeNode } from '../../api/types';
import { startLanguage } from '../../i18n';
import { ProcessTree } from './tree';

const node = (key: string, parent: string, extra: Partial<TreeNode> = {}): TreeNode => ({
  key, parent, pid: 7, image: `/bin/${key}`, command_line: `${key} --run`, user: 'root', start: null, exit: null,
  alive: true, marked: false, sha256: '', stdio: '', connections: [], ...extra,
});
const tree: Tree = {
  root: 'sh',
  nodes: [node('init', ''), node('sh', 'init', { marked: true, stdio: 'socket 198.51.100.7:4444' }), node('evil', 'sh', { command_line: 'a\u202eb' })],
  completeness: { complete: true, journal_lag: 0, losses: 0, notes: [] },
};
const rows = () => screen.getAllByRole('row').slice(1);

beforeAll(startLanguage);
afterEach(cleanup);

it('tells levels, the marked process and where its input comes from', () => {
  render(<ProcessTree tree={tree} />);
  expect(rows().map((r) => r.getAttribute('aria-level'))).toEqual(['1', '2', '3']);
  expect(rows()[1]?.textContent).toContain('198.51.100.7:4444');
  expect(rows()[1]?.dataset['marked']).toBe('true');
  expect(rows()[2]?.textContent).toContain('U+202E');
  expect(rows()[2]?.textContent).not.toContain('\u202e');
});

it('is folded and walked with the arrow keys, with one stop for the tab key', () => {
  render(<ProcessTree tree={tree} />);
  const first = rows()[0] as HTMLElement;
  first.focus();
  fireEvent.keyDown(first, { key: 'ArrowDown' });
  const second = rows()[1] as HTMLElement;
  expect(document.activeElement).toBe(second);
  fireEvent.keyDown(second, { key: 'ArrowLeft' });
  expect(rows().length).toBe(2);
  expect(rows()[1]?.getAttribute('aria-expanded')).toBe('false');
  fireEvent.keyDown(rows()[1] as HTMLElement, { key: 'ArrowRight' });
  expect(rows().length).toBe(3);
  expect(rows().filter((r) => r.tabIndex === 0).length).toBe(1);
});

it('finds a process by its command line', () => {
  render(<ProcessTree tree={tree} />);
  fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'sh --run' } });
  expect(rows().filter((r) => r.dataset['hit'] === 'true').length).toBe(1);
});
