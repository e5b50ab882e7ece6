/* The process tree of an alert as rows of a tree grid. Owns order, depth, folding and search;
 * knows nothing of the page that draws it. */
import type { TreeNode } from '../api/types';

export interface TreeRow {
  node: TreeNode;
  level: number; /* 1 is the top, as aria-level counts */
  children: number;
  position: number; /* aria-posinset */
  siblings: number; /* aria-setsize */
  expanded: boolean;
  hit: boolean;
  inheritsStdio: boolean; /* the same socket as its parent's: said once, aloud, at the top */
}

function childrenOf(nodes: TreeNode[]): { tops: TreeNode[]; below: Map<string, TreeNode[]> } {
  const known = new Set(nodes.map((n) => n.key));
  const below = new Map<string, TreeNode[]>();
  const tops: TreeNode[] = [];
  for (const n of nodes) {
    if (!n.parent || n.parent === n.key || !known.has(n.parent)) {
      tops.push(n);
      continue;
    }
    const list = below.get(n.parent);
    if (list) list.push(n);
    else below.set(n.parent, [n]);
  }
  return { tops: tops.concat(cycleHeads(nodes, tops, below)), below };
}

/* Nodes that only a cycle of parents holds: one of each cycle becomes a top, so nothing vanishes. */
function cycleHeads(nodes: TreeNode[], tops: TreeNode[], below: Map<string, TreeNode[]>): TreeNode[] {
  const seen = new Set<string>();
  const reach = (from: TreeNode) => {
    const queue = [from];
    for (let n = queue.pop(); n; n = queue.pop()) {
      if (seen.has(n.key)) continue;
      seen.add(n.key);
      queue.push(...(below.get(n.key) ?? []));
    }
  };
  tops.forEach(reach);
  return nodes.filter((n) => {
    if (seen.has(n.key)) return false;
    reach(n);
    return true;
  });
}

export function matches(node: TreeNode, query: string): boolean {
  const q = query.trim().toLowerCase();
  if (!q) return false;
  return [node.image, node.command_line, node.user, String(node.pid)].some((s) => (s ?? '').toLowerCase().includes(q));
}

/* Visible rows, parents before children. A search opens every branch. A cycle in foreign data
 * cannot loop: each node is drawn once. */
export function treeRows(nodes: TreeNode[], folded: ReadonlySet<string>, query: string): TreeRow[] {
  const { tops, below } = childrenOf(nodes);
  const byKey = new Map(nodes.map((n) => [n.key, n]));
  const rows: TreeRow[] = [];
  const drawn = new Set<string>();
  const searching = query.trim() !== '';
  const stack: { node: TreeNode; level: number; position: number; siblings: number }[] = [];
  const push = (list: TreeNode[], level: number) => {
    for (let i = list.length - 1; i >= 0; i--) {
      const node = list[i];
      if (node) stack.push({ node, level, position: i + 1, siblings: list.length });
    }
  };
  push(tops, 1);
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (drawn.has(top.node.key)) continue;
    drawn.add(top.node.key);
    const kids = below.get(top.node.key) ?? [];
    const expanded = searching || !folded.has(top.node.key);
    rows.push({ ...top, children: kids.length, expanded, hit: matches(top.node, query), inheritsStdio: top.node.stdio !== '' && byKey.get(top.node.parent)?.stdio === top.node.stdio });
    if (expanded) push(kids, top.level + 1);
  }
  return rows;
}

/* All keys of the tree that a kill from root would end, as far as they still live. */
export function liveBelow(nodes: TreeNode[], root: string): TreeNode[] {
  const { below } = childrenOf(nodes);
  const found: TreeNode[] = [];
  const seen = new Set<string>();
  const queue = nodes.filter((n) => n.key === root);
  for (let n = queue.shift(); n; n = queue.shift()) {
    if (seen.has(n.key)) continue;
    seen.add(n.key);
    if (n.alive) found.push(n);
    queue.push(...(below.get(n.key) ?? []));
  }
  return found;
}
