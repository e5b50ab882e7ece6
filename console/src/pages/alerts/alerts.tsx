/* The queue: which alerts wait, worst and newest at a glance. Filters live in the address. */
import { Link, useSearchParams } from 'react-router-dom';
import { useInfiniteQuery } from '@tanstack/react-query';
import { get } from '../../api/client';
import { useEndpoints } from '../../api/queries';
import { alertStates, severities, type Alert } from '../../api/types';
import { useTexts } from '../../i18n';
import { visible } from '../../lib/visible';
import { PageHead } from '../../shell/layout';
import { AlertStateBadge, PracticeTag, SeverityBadge } from '../../ui/badges';
import { Safe } from '../../ui/safe';
import { Empty, Failed, Loading } from '../../ui/states';
import { Ago } from '../../ui/time';

function Row({ a }: { a: Alert }) {
  const { t, lang } = useTexts();
  return (
    <tr className="link-row" data-severity={a.severity}>
      <td className="col-severity">
        <SeverityBadge severity={a.severity} />
      </td>
      <td>
        <Link className="row-link" to={`/alerts/${a.id}`}>
          <Safe text={lang === 'ja' ? a.title_ja || a.title : a.title} />
        </Link>
        <div className="small muted clamp">
          <Safe text={lang === 'ja' ? a.reason_ja || a.reason : a.reason} />
        </div>
        <div className="only-narrow small muted row">
          <AlertStateBadge state={a.state} />
          <Safe text={a.endpoint.name} />
          <Ago value={a.event_time} />
        </div>
      </td>
      <td className="col-wide">
        <Link to={`/endpoints/${a.endpoint.id}`}>
          <Safe text={a.endpoint.name} />
        </Link>{' '}
        {a.endpoint.practice && <PracticeTag />}
      </td>
      <td className="col-wide">
        <AlertStateBadge state={a.state} />
      </td>
      <td className="col-wide">
        <Ago value={a.event_time} />
        {a.count > 1 && <div className="small muted">{t('alerts.count', { count: a.count })}</div>}
      </td>
    </tr>
  );
}

export function AlertTable({ items }: { items: Alert[] }) {
  const { t } = useTexts();
  return (
    <div className="table-wrap">
      <table className="table" aria-label={t('alerts.title')}>
        <thead>
          <tr>
            <th scope="col">{t('severity.label')}</th>
            <th scope="col">{t('alerts.what')}</th>
            <th scope="col" className="col-wide">
              {t('alerts.endpoint')}
            </th>
            <th scope="col" className="col-wide">
              {t('alerts.state')}
            </th>
            <th scope="col" className="col-wide">
              {t('alerts.time')}
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((a) => (
            <Row key={a.id} a={a} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Filters({ state, severity, endpoint, set }: { state: string; severity: string; endpoint: string; set: (key: string, value: string) => void }) {
  const { t, name } = useTexts();
  const endpoints = useEndpoints();
  return (
    <div className="filters">
      <select className="input" aria-label={t('alerts.state')} value={state} onChange={(e) => set('state', e.target.value)}>
        <option value="open">{`${t('alerts.state')}: ${t('alerts.open')}`}</option>
        <option value="all">{`${t('alerts.state')}: ${t('common.all')}`}</option>
        {alertStates.map((s) => (
          <option key={s} value={s}>
            {name('alertState', s)}
          </option>
        ))}
      </select>
      <select className="input" aria-label={t('alerts.minSeverity')} value={severity} onChange={(e) => set('severity', e.target.value)}>
        <option value="">{`${t('alerts.minSeverity')}: ${t('common.all')}`}</option>
        {severities.map((s) => (
          <option key={s} value={s}>
            {name('severity', s)}
          </option>
        ))}
      </select>
      <select className="input" aria-label={t('alerts.endpoint')} value={endpoint} onChange={(e) => set('endpoint', e.target.value)}>
        <option value="">{`${t('alerts.endpoint')}: ${t('common.all')}`}</option>
        {(endpoints.data ?? []).map((e) => (
          <option key={e.id} value={e.id}>
            {visible(e.name)}
          </option>
        ))}
      </select>
    </div>
  );
}

export function AlertsPage() {
  const { t } = useTexts();
  const [params, setParams] = useSearchParams();
  const state = params.get('state') ?? 'open';
  const severity = params.get('severity') ?? '';
  const endpoint = params.get('endpoint') ?? '';
  const query = useInfiniteQuery({
    queryKey: ['alerts', 'list', 'pages', state, severity, endpoint],
    queryFn: ({ pageParam }) => get<{ items: Alert[]; next: string | null }>('/alerts', { state: state === 'all' ? '' : state, severity, endpoint, limit: 50, before: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 20_000,
  });
  const items = (query.data?.pages ?? []).flatMap((p) => p.items);
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
      <PageHead title={t('alerts.title')} titleText={t('alerts.title')} />
      <Filters state={state} severity={severity} endpoint={endpoint} set={set} />
      <div className="card">
        {query.isPending && <Loading />}
        {query.isError && !query.data && <Failed error={query.error} retry={() => void query.refetch()} />}
        {query.isSuccess && items.length === 0 && <Empty icon="shield" title={t('alerts.empty')} hint={t('alerts.emptyHint')} />}
        {items.length > 0 && <AlertTable items={items} />}
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
