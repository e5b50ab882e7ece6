/* The queue of attacks: related alerts are one item, with its risk. Filters live in the address. */
import { Link, useSearchParams } from 'react-router-dom';
import { useInfiniteQuery } from '@tanstack/react-query';
import { get } from '../../api/client';
import type { Story } from '../../api/types';
import { useTexts } from '../../i18n';
import { tacticKey } from '../../lib/triage';
import { PageHead } from '../../shell/layout';
import { Badge, PracticeTag } from '../../ui/badges';
import { Safe } from '../../ui/safe';
import { Empty, Failed, Loading } from '../../ui/states';
import { Ago } from '../../ui/time';
import { RiskBadge } from './risk';

export function Steps({ tactics }: { tactics: string[] }) {
  const { name } = useTexts();
  return <>{tactics.map((x) => name('tactic', tacticKey(x))).join(' · ')}</>;
}

function Row({ s }: { s: Story }) {
  const { t, lang } = useTexts();
  return (
    <tr className="link-row" data-severity={s.severity ?? 'informational'}>
      <td className="col-severity">
        <RiskBadge risk={s.risk} />
      </td>
      <td>
        <Link className="row-link" to={`/stories/${s.id}`}>
          <Safe text={lang === 'ja' ? s.title_ja || s.title : s.title} />
        </Link>
        <div className="small muted clamp">
          <Steps tactics={s.tactics} />
        </div>
        <div className="only-narrow small muted row">
          <Safe text={s.endpoint.name} />
          <span>{t('story.alerts', { count: s.alerts })}</span>
          <Ago value={s.last_time ?? ''} />
        </div>
      </td>
      <td className="col-wide">
        <Link to={`/endpoints/${s.endpoint.id}`}>
          <Safe text={s.endpoint.name} />
        </Link>{' '}
        {s.endpoint.practice && <PracticeTag />}
      </td>
      <td className="col-wide num">
        {t('story.alerts', { count: s.alerts })}
        <div className="small muted">{s.open_alerts ? t('story.openAlerts', { count: s.open_alerts }) : <Badge>{t('story.closed')}</Badge>}</div>
      </td>
      <td className="col-wide">
        <Ago value={s.last_time ?? ''} />
      </td>
    </tr>
  );
}

function Table({ items }: { items: Story[] }) {
  const { t } = useTexts();
  return (
    <div className="table-wrap">
      <table className="table" aria-label={t('story.title')}>
        <thead>
          <tr>
            <th scope="col">{t('story.risk')}</th>
            <th scope="col">{t('alerts.what')}</th>
            <th scope="col" className="col-wide">
              {t('alerts.endpoint')}
            </th>
            <th scope="col" className="col-wide">
              {t('alerts.title')}
            </th>
            <th scope="col" className="col-wide">
              {t('story.last')}
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((s) => (
            <Row key={s.id} s={s} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function StoriesPage() {
  const { t } = useTexts();
  const [params, setParams] = useSearchParams();
  const state = params.get('state') ?? 'open';
  const query = useInfiniteQuery({
    queryKey: ['stories', 'pages', state],
    queryFn: ({ pageParam }) => get<{ items: Story[]; next: string | null }>('/stories', { state, limit: 50, before: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 20_000,
  });
  const items = (query.data?.pages ?? []).flatMap((p) => p.items);
  return (
    <>
      <PageHead title={t('story.title')} titleText={t('story.title')} />
      <p className="muted">{t('story.intro')}</p>
      <div className="filters">
        <select className="input" aria-label={t('alerts.state')} value={state} onChange={(e) => setParams({ state: e.target.value }, { replace: true })}>
          <option value="open">{`${t('alerts.state')}: ${t('alerts.open')}`}</option>
          <option value="all">{`${t('alerts.state')}: ${t('common.all')}`}</option>
        </select>
      </div>
      <div className="card">
        {query.isPending && <Loading />}
        {query.isError && !query.data && <Failed error={query.error} retry={() => void query.refetch()} />}
        {query.isSuccess && items.length === 0 && <Empty icon="shield" title={t('story.empty')} hint={t('alerts.emptyHint')} />}
        {items.length > 0 && <Table items={items} />}
        {query.hasNextPage && (
          <p className="card-more">
            <button type="button" className="btn btn-small" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t('common.more')}
            </button>
          </p>
        )}
      </div>
    </>
  );
}
