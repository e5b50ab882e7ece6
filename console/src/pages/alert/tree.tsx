/* The process tree as a tree grid: readable by eye, keyboard and screen reader. Arrow keys walk and
 * fold as the ARIA pattern says. */
import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { Connection, Tree, TreeNode } from '../../api/types';
import { useTexts } from '../../i18n';
import { address } from '../../lib/event';
import { treeRows, type TreeRow } from '../../lib/tree';
import { Badge } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Code, Safe } from '../../ui/safe';
import { Moment } from '../../ui/time';

const arrow = { outbound: 'alert.outbound', inbound: 'alert.inbound', listening: 'alert.listening' } as const;

function Connections({ items }: { items: Connection[] }) {
  const { t } = useTexts();
  return (
    <>
      {items.map((c, i) => (
        <span key={i} className="conn">
          <Icon name="network" size={14} />
          {t(arrow[c.direction])} <code>{address(c.ip, c.port ? String(c.port) : '')}</code>
          {c.domain && (
            <>
              {' '}
              <Safe text={c.domain} />
            </>
          )}
        </span>
      ))}
    </>
  );
}

function Process({ row, root, onFold }: { row: TreeRow; root: string; onFold: () => void }) {
  const { t } = useTexts();
  const n = row.node;
  return (
    <div className="tree-proc" data-level={Math.min(row.level, 10)}>
      {row.children > 0 ? (
        <button type="button" tabIndex={-1} className="fold" data-open={row.expanded} aria-label={row.expanded ? t('alert.collapse') : t('alert.expand')} onClick={onFold}>
          <Icon name="chevron" size={14} />
        </button>
      ) : (
        <span className="fold" aria-hidden="true" />
      )}
      <div className="grow">
        <div className="row tree-line">
          <strong>
            <Safe text={n.image.slice(n.image.lastIndexOf('/') + 1) || n.image || t('common.unknown')} />
          </strong>
          <span className="small muted num">{t('alert.pid', { pid: n.pid })}</span>
          {n.marked && (
            <Badge tone="ember">
              <Icon name="target" size={12} />
              {t('alert.marked')}
            </Badge>
          )}
          {n.key === root && <Badge tone="info">{t('alert.killRoot')}</Badge>}
        </div>
        <div className="cmd">
          <Code text={n.command_line || n.image} />
        </div>
        {row.inheritsStdio && <div className="small muted">{t('alert.stdioInherited')}</div>}
        {n.stdio && !row.inheritsStdio && (
          <div className="conn conn-stdio">
            <Icon name="plug" size={14} />
            <Safe text={t('alert.stdio', { peer: n.stdio.replace(/^socket\s*/, '') })} />
          </div>
        )}
        <Connections items={n.connections} />
        {n.marked && n.sha256 && (
          <div className="tiny muted">
            {t('alert.sha256')} <code>{n.sha256}</code>
          </div>
        )}
      </div>
    </div>
  );
}

function State({ n }: { n: TreeNode }) {
  const { t } = useTexts();
  return n.alive ? (
    <Badge tone="ok">{t('alert.alive')}</Badge>
  ) : (
    <span className="small muted">
      {t('alert.ended')}
      {n.exit && (
        <>
          <br />
          <Moment value={n.exit} style="clock" />
        </>
      )}
    </span>
  );
}

/* Where the keyboard goes: up, down, home, end; right opens or enters; left folds or leaves. */
export function nextIndex(rows: TreeRow[], at: number, key: string): number {
  const row = rows[at];
  if (key === 'ArrowDown') return Math.min(rows.length - 1, at + 1);
  if (key === 'ArrowUp') return Math.max(0, at - 1);
  if (key === 'Home') return 0;
  if (key === 'End') return rows.length - 1;
  if (key === 'ArrowRight' && row && row.expanded && row.children > 0) return at + 1;
  if (key === 'ArrowLeft' && row) {
    for (let i = at - 1; i >= 0; i--) if ((rows[i]?.level ?? 0) < row.level) return i;
  }
  return at;
}

export function ProcessTree({ tree }: { tree: Tree }) {
  const { t } = useTexts();
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const body = useRef<HTMLTableSectionElement>(null);
  const rows = useMemo(() => treeRows(tree.nodes, folded, query), [tree.nodes, folded, query]);
  const hits = rows.filter((r) => r.hit).length;

  const fold = (key: string, close: boolean) =>
    setFolded((old) => {
      const next = new Set(old);
      if (close) next.add(key);
      else next.delete(key);
      return next;
    });
  const onKey = (e: KeyboardEvent, index: number) => {
    const row = rows[index];
    if (!row || e.target !== e.currentTarget) return;
    if (e.key === 'ArrowRight' && row.children > 0 && !row.expanded) fold(row.node.key, false);
    else if (e.key === 'ArrowLeft' && row.children > 0 && row.expanded && !query) fold(row.node.key, true);
    else {
      const next = nextIndex(rows, index, e.key);
      if (next === index) return;
      setAt(next);
      (body.current?.rows[next] as HTMLElement | undefined)?.focus();
    }
    e.preventDefault();
  };

  if (tree.nodes.length === 0) return <p className="muted card-body">{t('alert.treeEmpty')}</p>;
  const current = Math.min(at, rows.length - 1);
  return (
    <>
      <div className="row tree-tools">
        <input className="input" type="search" aria-label={t('alert.treeSearch')} placeholder={t('alert.treeSearch')} value={query} onChange={(e) => setQuery(e.target.value)} />
        <span className="small muted" role="status">
          {query ? t('alert.treeHits', { count: hits }) : ''}
        </span>
        {folded.size > 0 && (
          <button type="button" className="btn btn-small btn-quiet" onClick={() => setFolded(new Set())}>
            {t('alert.expandAll')}
          </button>
        )}
      </div>
      <div className="table-wrap">
        {/* the ARIA authoring guide's tree grid is a table with this role */}
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-to-interactive-role */}
        <table className="table tree" role="treegrid" aria-label={t('alert.tree')}>
          <thead>
            <tr>
              <th scope="col">{t('alert.colProcess')}</th>
              <th scope="col" className="col-wide">
                {t('alert.colUser')}
              </th>
              <th scope="col" className="col-wide">
                {t('alert.colStart')}
              </th>
              <th scope="col">{t('alert.colState')}</th>
            </tr>
          </thead>
          <tbody ref={body}>
            {rows.map((row, i) => (
              <tr
                key={row.node.key}
                tabIndex={i === current ? 0 : -1}
                aria-level={row.level}
                aria-posinset={row.position}
                aria-setsize={row.siblings}
                aria-expanded={row.children > 0 ? row.expanded : undefined}
                data-marked={row.node.marked}
                data-dead={!row.node.alive}
                data-hit={row.hit}
                data-key={row.node.key}
                onFocus={() => setAt(i)}
                onKeyDown={(e) => onKey(e, i)}
              >
                <td role="gridcell">
                  <Process row={row} root={tree.root} onFold={() => fold(row.node.key, row.expanded)} />
                </td>
                <td role="gridcell" className="col-wide">
                  <Safe text={row.node.user} />
                </td>
                <td role="gridcell" className="col-wide nowrap">
                  <Moment value={row.node.start} style="millis" />
                </td>
                <td role="gridcell" className="nowrap">
                  <State n={row.node} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
