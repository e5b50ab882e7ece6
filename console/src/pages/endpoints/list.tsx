/* All endpoints: sortable, searchable, one line each. */
import { useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router-dom';
import { useEndpoints } from '../../api/queries';
import type { Endpoint } from '../../api/types';
import { useTexts, type TextKey } from '../../i18n';
import { numberText } from '../../lib/time';
import { PageHead } from '../../shell/layout';
import { EndpointStateBadge, IsolationBadge, PracticeTag } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Safe } from '../../ui/safe';
import { Empty, Loaded } from '../../ui/states';
import { Ago } from '../../ui/time';

type Column = 'name' | 'state' | 'group' | 'department' | 'last_seen';
const trouble: Record<Endpoint['state'], number> = { silent: 0, stale: 1, healthy: 2, revoked: 3 };

export function findEndpoints(all: Endpoint[], text: string, state: string): Endpoint[] {
  const q = text.trim().toLowerCase();
  return all.filter(
    (e) =>
      (state === '' || (state === 'isolated' ? e.isolation.state === 'isolated' : e.state === state)) &&
      (q === '' || [e.name, e.owner, e.department, e.asset_no, e.group, e.os].some((s) => s.toLowerCase().includes(q))),
  );
}

export function sortEndpoints(items: Endpoint[], by: Column, down: boolean): Endpoint[] {
  const sign = down ? -1 : 1;
  return [...items].sort((a, b) => {
    const order = by === 'state' ? trouble[a.state] - trouble[b.state] : (a[by] ?? '').localeCompare(b[by] ?? '');
    return sign * (order || a.name.localeCompare(b.name));
  });
}

function Row({ e }: { e: Endpoint }) {
  const { t, lang } = useTexts();
  return (
    <tr className="link-row">
      <td>
        <Link className="row-link" to={`/endpoints/${e.id}`}>
          <Safe text={e.name} />
        </Link>{' '}
        {e.practice && <PracticeTag />}
        <div className="small muted">
          <Safe text={[e.owner, e.asset_no].filter(Boolean).join(' · ') || e.os} />
        </div>
        <div className="only-narrow small muted">
          <IsolationBadge state={e.isolation.state} quiet /> <Ago value={e.last_seen} />
        </div>
      </td>
      <td>
        <EndpointStateBadge state={e.state} />
      </td>
      <td className="col-wide">
        <IsolationBadge state={e.isolation.state} quiet />
      </td>
      <td className="col-wide">
        <Safe text={e.group} />
      </td>
      <td className="col-wide">
        <Safe text={e.department || '–'} />
      </td>
      <td className="col-wide">{e.tier > 0 ? t('endpoints.tierShort', { tier: e.tier }) : '–'}</td>
      <td className="col-wide">
        <Ago value={e.last_seen} />
      </td>
      <td className="col-wide num">{numberText(e.losses.count, lang)}</td>
    </tr>
  );
}

function EndpointTable({ items }: { items: Endpoint[] }) {
  const { t } = useTexts();
  const [sort, setSort] = useState<{ by: Column; down: boolean }>({ by: 'name', down: false });
  const rows = useMemo(() => sortEndpoints(items, sort.by, sort.down), [items, sort]);
  const head = (by: Column, label: TextKey, wide = false) => (
    <th scope="col" className={wide ? 'col-wide' : ''} aria-sort={sort.by === by ? (sort.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" className="btn-sort" title={t('endpoints.sortBy', { column: t(label) })} onClick={() => setSort({ by, down: sort.by === by && !sort.down })}>
        {t(label)} <span aria-hidden="true">{sort.by === by ? (sort.down ? '↓' : '↑') : ''}</span>
      </button>
    </th>
  );
  const plain = (label: TextKey) => (
    <th scope="col" className="col-wide">
      {t(label)}
    </th>
  );
  return (
    <div className="table-wrap">
      <table className="table" aria-label={t('endpoints.title')}>
        <thead>
          <tr>
            {head('name', 'endpoints.name')}
            {head('state', 'endpoints.state')}
            {plain('endpoints.isolation')}
            {head('group', 'endpoints.group', true)}
            {head('department', 'endpoints.department', true)}
            {plain('endpoints.tier')}
            {head('last_seen', 'endpoints.lastSeen', true)}
            {plain('endpoints.losses')}
          </tr>
        </thead>
        <tbody>
          {rows.map((e) => (
            <Row key={e.id} e={e} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function EndpointsPage() {
  const { t, name } = useTexts();
  const query = useEndpoints();
  const [params, setParams] = useSearchParams();
  const text = params.get('q') ?? '';
  const state = params.get('state') ?? '';
  const set = (key: string, value: string) =>
    setParams(
      (p) => {
        if (value) p.set(key, value);
        else p.delete(key);
        return p;
      },
      { replace: true },
    );
  return (
    <>
      <PageHead title={t('endpoints.title')} titleText={t('endpoints.title')}>
        <Link className="btn btn-main" to="/endpoints/add">
          <Icon name="add" />
          {t('endpoints.add')}
        </Link>
      </PageHead>
      <div className="filters">
        <input className="input" type="search" aria-label={t('common.search')} placeholder={t('endpoints.search')} value={text} onChange={(e) => set('q', e.target.value)} />
        <select className="input" aria-label={t('endpoints.state')} value={state} onChange={(e) => set('state', e.target.value)}>
          <option value="">{`${t('endpoints.state')}: ${t('common.all')}`}</option>
          {(['healthy', 'stale', 'silent', 'revoked'] as const).map((s) => (
            <option key={s} value={s}>
              {name('endpointState', s)}
            </option>
          ))}
          <option value="isolated">{t('isolation.isolated')}</option>
        </select>
      </div>
      <div className="card">
        <Loaded query={query}>
          {(items) => {
            if (items.length === 0)
              return (
                <Empty icon="endpoint" title={t('endpoints.empty')} hint={t('endpoints.emptyHint')}>
                  <Link className="btn" to="/endpoints/add">
                    {t('endpoints.add')}
                  </Link>
                </Empty>
              );
            const found = findEndpoints(items, text, state);
            return found.length === 0 ? <Empty icon="endpoint" title={t('endpoints.noMatch')} /> : <EndpointTable items={found} />;
          }}
        </Loaded>
      </div>
    </>
  );
}
