/* The first page: what needs a decision now, then how the fleet is, then what is not seen. */
import { lazy, Suspense } from 'react';
import { Link } from 'react-router-dom';
import { useAlerts, useEndpoints, useOverview } from '../../api/queries';
import type { Alert, Endpoint, Overview } from '../../api/types';
import { useTexts } from '../../i18n';
import { numberText } from '../../lib/time';
import { groupByTree, tacticKey, type Group } from '../../lib/triage';
import { PageHead } from '../../shell/layout';
import { AlertStateBadge, Badge, PracticeTag, SeverityBadge } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { Empty, Loaded } from '../../ui/states';
import { Ago, Moment } from '../../ui/time';
import { Blind } from './blind';
import { DrillCard } from './drill';

const EventsChart = lazy(() => import('./chart').then((m) => ({ default: m.EventsChart })));

function DecisionRow({ group }: { group: Group }) {
  const { t, lang } = useTexts();
  const alert = group.first;
  const title = (a: Alert) => (lang === 'ja' ? a.title_ja || a.title : a.title);
  return (
    <li className="decision" data-severity={alert.severity}>
      <div className="row">
        <SeverityBadge severity={alert.severity} />
        <AlertStateBadge state={alert.state} />
        <span className="small muted grow">
          <Safe text={alert.endpoint.name} /> {alert.endpoint.practice && <PracticeTag />}
        </span>
        <span className="small muted">
          <Ago value={alert.event_time} />
        </span>
      </div>
      <Link className="row-link" to={`/alerts/${alert.id}`}>
        <Safe text={title(alert)} />
      </Link>
      <p className="small clamp">
        <Safe text={lang === 'ja' ? alert.reason_ja || alert.reason : alert.reason} />
      </p>
      {group.more.length > 0 && (
        <details className="small">
          <summary className="muted">{t('overview.sameTree', { count: group.more.length })}</summary>
          <ul className="stack-tight more-list">
            {group.more.map((a) => (
              <li key={a.id} className="row">
                <SeverityBadge severity={a.severity} />
                <Link to={`/alerts/${a.id}`}>
                  <Safe text={title(a)} />
                </Link>
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function Decisions({ overview }: { overview: Overview | undefined }) {
  const { t } = useTexts();
  const alerts = useAlerts({ state: 'open', limit: 100 });
  const open = overview?.alerts.open ?? alerts.data?.items.length ?? 0;
  return (
    <Card flush title={t('overview.decide')} aside={open > 0 ? <Badge tone="ember">{t('overview.openCount', { count: open })}</Badge> : undefined}>
      <Loaded query={alerts}>
        {({ items }) =>
          items.length === 0 ? (
            overview?.endpoints.total === 0 ? (
              <Empty icon="endpoint" title={t('overview.decideNoEndpoints')} hint={t('overview.decideNoEndpointsHint')}>
                <Link className="btn btn-main" to="/endpoints/add">
                  {t('endpoints.add')}
                </Link>
              </Empty>
            ) : (
              <Empty icon="shield" title={t('overview.decideNone')} hint={t('overview.decideNoneHint')} />
            )
          ) : (
            <>
              <ul>
                {groupByTree(items).slice(0, 6).map((g) => (
                  <DecisionRow key={g.first.id} group={g} />
                ))}
              </ul>
              <p className="card-more">
                <Link to="/alerts">{t('overview.allAlerts')}</Link>
              </p>
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

function Fleet({ endpoints }: { endpoints: Overview['endpoints'] }) {
  const { t, lang } = useTexts();
  const tiles = [
    ['total', endpoints.total, ''],
    ['healthy', endpoints.healthy, 'ok'],
    ['stale', endpoints.stale, 'warn'],
    ['silent', endpoints.silent, 'bad'],
    ['isolated', endpoints.isolated, 'ember'],
  ] as const;
  return (
    <Card title={t('overview.fleet')}>
      <dl className="tiles">
        {tiles.map(([key, count, tone]) => (
          <div key={key} className="tile" data-tone={count > 0 ? tone : ''}>
            <dt>{t(`overview.${key}`)}</dt>
            <dd className="num">
              <Link to={key === 'total' || key === 'isolated' ? '/endpoints' : `/endpoints?state=${key}`}>{numberText(count, lang)}</Link>
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Tactics({ tactics }: { tactics: Overview['tactics'] }) {
  const { t, name, lang } = useTexts();
  const max = Math.max(1, ...tactics.map((x) => x.count));
  return (
    <Card title={t('overview.tactics')}>
      {tactics.length === 0 ? (
        <p className="muted">{t('overview.tacticsNone')}</p>
      ) : (
        <ul className="bars">
          {tactics.map((x) => (
            <li key={x.name}>
              <span>{name('tactic', tacticKey(x.name))}</span>
              <span className="num">{numberText(x.count, lang)}</span>
              <meter min={0} max={max} value={x.count} aria-hidden="true" />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Numbers({ data, endpoints }: { data: Overview; endpoints: Endpoint[] }) {
  const { t, lang } = useTexts();
  return (
    <>
      <div className="two-one">
        <Card title={t('overview.events')} aside={<span className="small muted num">{t('overview.eventsSummary', { hour: numberText(data.events.last_hour, lang), total: numberText(data.events.total, lang) })}</span>}>
          <Suspense fallback={<div className="chart" />}>
            <EventsChart perMinute={data.events.per_minute} />
          </Suspense>
        </Card>
        <Tactics tactics={data.tactics} />
      </div>
      <Blind overview={data} endpoints={endpoints} />
      <p className="tiny muted num server-line">
        {t('overview.server', { version: data.server.version, lag: data.server.journal_lag })} <Moment value={data.server.started} />
      </p>
    </>
  );
}

export function OverviewPage() {
  const { t } = useTexts();
  const overview = useOverview();
  const endpoints = useEndpoints();
  const practice = endpoints.data?.find((e) => e.practice && e.connected);
  return (
    <>
      <PageHead title={t('overview.title')} titleText={t('overview.title')}>
        <Link className="btn" to="/endpoints/add">
          <Icon name="add" />
          {t('endpoints.add')}
        </Link>
      </PageHead>
      <div className="two-one">
        <Decisions overview={overview.data} />
        <div className="stack">
          {practice && <DrillCard practice={practice} />}
          {overview.data && <Fleet endpoints={overview.data.endpoints} />}
        </div>
      </div>
      <Loaded query={overview} lines={6}>
        {(data) => <Numbers data={data} endpoints={endpoints.data ?? []} />}
      </Loaded>
    </>
  );
}
