/* The alert page, read from the top: why, who and where, what to do, then the proof. */
import { Link, useParams } from 'react-router-dom';
import { useAlert, useAlertTimeline, useAlertTree, useEndpoint } from '../../api/queries';
import type { AlertDetail } from '../../api/types';
import { useTexts } from '../../i18n';
import { dateTimeText, parseTime } from '../../lib/time';
import { OrderHistory } from '../../respond/table';
import { PageHead } from '../../shell/layout';
import { AlertStateBadge, Badge, PracticeTag, SeverityBadge } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';
import { Code, Safe } from '../../ui/safe';
import { Loaded } from '../../ui/states';
import { Statement } from '../../ui/statement';
import { Ago, Moment } from '../../ui/time';
import { tacticKey } from '../../lib/triage';
import { text } from '../../lib/event';
import { Evidence } from './evidence';
import { Related } from './related';
import { RespondBar } from './respond';
import { StateCard } from './state';
import { Timeline } from './timeline';
import { ProcessTree } from './tree';

function Owner({ id }: { id: string }) {
  const e = useEndpoint(id).data;
  const known = [e?.owner, e?.department, e?.asset_no].filter(Boolean).join(' · ');
  return known ? (
    <div className="small muted">
      <Safe text={known} />
    </div>
  ) : null;
}

function Facts({ alert }: { alert: AlertDetail }) {
  const { t, lang } = useTexts();
  const received = parseTime(alert.received_time);
  return (
    <dl className="alert-facts">
      <div>
        <dt>{t('alert.where')}</dt>
        <dd>
          <Link to={`/endpoints/${alert.endpoint.id}`}>
            <Safe text={alert.endpoint.name} />
          </Link>{' '}
          {alert.endpoint.practice && <PracticeTag />}
          <Owner id={alert.endpoint.id} />
        </dd>
      </div>
      <div>
        <dt>{t('alert.who')}</dt>
        <dd>
          <Safe text={alert.process.user || t('common.unknown')} />
        </dd>
      </div>
      <div>
        <dt>{t('alert.when')}</dt>
        <dd>
          <Moment value={alert.event_time} />
          <div className="small muted num">
            <Ago value={alert.event_time} />
            {' · '}
            {received && t('alert.received', { time: dateTimeText(received, lang) })}
            {alert.count > 1 && ` · ${t('alert.repeats', { count: alert.count })}`}
          </div>
        </dd>
      </div>
      <div className="fact-wide">
        <dt>{t('alert.process')}</dt>
        <dd>
          <span className="codebox">
            <Safe text={alert.process.command_line || alert.process.image} />
          </span>
          <div className="small muted">
            <Code text={alert.process.image} /> <span className="num">{t('alert.pid', { pid: alert.process.pid })}</span>
          </div>
        </dd>
      </div>
    </dl>
  );
}

function Techniques({ alert }: { alert: AlertDetail }) {
  const { t, name } = useTexts();
  return (
    <Card title={t('alert.techniques')}>
      <div className="stack-tight">
        <div className="row">
          {alert.techniques.map((x) => (
            <Badge key={x} tone="info">
              {x}
            </Badge>
          ))}
          {alert.techniques.length === 0 && <span className="muted">{t('common.none')}</span>}
        </div>
        <p className="small">{alert.tactics.map((x) => name('tactic', tacticKey(x))).join(' · ')}</p>
        <p className="tiny muted">
          {t('alert.rule')} <code>{alert.rule_id}</code>
        </p>
      </div>
    </Card>
  );
}

/* The sequence number of the event that decided, so that the time line can mark it. */
function decidingSeq(alert: AlertDetail): string {
  const first = alert.evidence[0];
  return first ? text(first, 'seq') : '';
}

function Page({ alert }: { alert: AlertDetail }) {
  const { t, lang } = useTexts();
  const tree = useAlertTree(alert.id);
  const timeline = useAlertTimeline(alert.id);
  const title = lang === 'ja' ? alert.title_ja || alert.title : alert.title;
  const advice = lang === 'ja' ? alert.advice_ja || alert.advice : alert.advice;
  const completeness = timeline.data?.completeness ?? tree.data?.completeness;
  return (
    <>
      <Link className="back" to="/alerts">
        <Icon name="back" size={16} />
        {t('alert.back')}
      </Link>
      <PageHead title={<Safe text={title} />} titleText={title}>
        <SeverityBadge severity={alert.severity} />
        <AlertStateBadge state={alert.state} />
      </PageHead>
      <section className="card why" aria-labelledby="why" data-severity={alert.severity}>
        <div className="card-body stack">
          <div>
            <h2 id="why" className="why-label">
              {t('alert.why')}
            </h2>
            <p className="reason" data-testid="reason">
              <Safe text={lang === 'ja' ? alert.reason_ja || alert.reason : alert.reason} />
            </p>
          </div>
          {advice && (
            <div>
              <h2 id="advice" className="why-label">
                {t('alert.advice')}
              </h2>
              <p className="reason" data-testid="advice">
                <Safe text={advice} />
              </p>
            </div>
          )}
          <Facts alert={alert} />
        </div>
      </section>
      <RespondBar alert={alert} tree={tree.data} title={title} />
      {completeness && <Statement completeness={completeness} />}
      <Card flush title={t('alert.tree')} aside={<span className="small muted">{t('alert.treeHint')}</span>}>
        <Loaded query={tree}>{(data) => <ProcessTree tree={data} />}</Loaded>
      </Card>
      <div className="two-one">
        <Card title={t('alert.timeline')}>
          <Loaded query={timeline}>{(data) => <Timeline events={data.items} decidingSeq={decidingSeq(alert)} />}</Loaded>
        </Card>
        <div className="stack">
          <StateCard alert={alert} />
          <Card title={t('alert.orders')}>
            <OrderHistory orders={alert.orders} empty={t('alert.ordersNone')} />
          </Card>
          <Related alert={alert} />
          <Techniques alert={alert} />
          <Card title={t('alert.evidence')}>
            <Evidence events={alert.evidence} />
          </Card>
        </div>
      </div>
    </>
  );
}

export function AlertPage() {
  const id = useParams()['id'] ?? '';
  const query = useAlert(id);
  return <Loaded query={query}>{(alert) => <Page key={alert.id} alert={alert} />}</Loaded>;
}
