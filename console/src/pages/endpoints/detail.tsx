/* One endpoint: whose it is, what is seen and not seen there, whether it is cut off, what was ordered. */
import { useState } from 'react';
import { Link, useParams } from 'react-router-dom';
import { useAlerts, useEndpoint, useOrders, useRevokeEndpoint } from '../../api/queries';
import type { Endpoint, Order } from '../../api/types';
import { useTexts } from '../../i18n';
import { oneLine } from '../../lib/triage';
import { dateTimeText, parseTime } from '../../lib/time';
import { ConfirmOrder, type Target } from '../../respond/confirm';
import { Progress } from '../../respond/progress';
import { OrderHistory } from '../../respond/table';
import { PageHead } from '../../shell/layout';
import { useSession } from '../../shell/session';
import { AlertStateBadge, EndpointStateBadge, IsolationBadge, PracticeTag, SeverityBadge } from '../../ui/badges';
import { Dialog } from '../../ui/dialog';
import { Icon } from '../../ui/icons';
import { Card, Field, Probes } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { FormError, Loaded } from '../../ui/states';
import { Ago, Moment } from '../../ui/time';
import { Ownership } from './ownership';
import { Sensors } from './sensors';

function Identity({ e }: { e: Endpoint }) {
  const { t } = useTexts();
  return (
    <Card title={t('endpoint.identity')}>
      <dl className="facts">
        <dt>{t('endpoints.os')}</dt>
        <dd>
          <Safe text={e.os || t('common.unknown')} />
        </dd>
        <dt>{t('endpoint.kernel')}</dt>
        <dd className="mono">
          <Safe text={e.kernel || t('common.unknown')} />
        </dd>
        <dt>{t('endpoint.agent')}</dt>
        <dd className="mono">
          <Safe text={e.agent_version || t('common.unknown')} />
        </dd>
        <dt>{t('endpoints.lastSeen')}</dt>
        <dd>
          <Ago value={e.last_seen} /> <span className="small muted">({e.connected ? t('endpoint.connected') : t('endpoint.notConnected')})</span>
        </dd>
        <dt>{t('endpoint.enrolled')}</dt>
        <dd>
          <Moment value={e.enrolled_at} />
        </dd>
        <dt>{t('endpoint.id')}</dt>
        <dd className="mono small">{e.id}</dd>
      </dl>
    </Card>
  );
}

const isolationText = { none: 'endpoint.isolationNone', pending: 'endpoint.isolationPending', isolated: 'endpoint.isolationOn', failed: 'endpoint.isolationFailed' } as const;

function IsolationCard({ e }: { e: Endpoint }) {
  const { t, lang } = useTexts();
  const since = parseTime(e.isolation.since);
  const until = parseTime(e.isolation.until);
  return (
    <Card title={t('endpoints.isolation')} aside={<IsolationBadge state={e.isolation.state} />}>
      <div className="stack-tight">
        <p>{t(isolationText[e.isolation.state])}</p>
        {e.isolation.state !== 'none' && (since || until) && (
          <p className="small muted num">{[since && t('endpoint.since', { time: dateTimeText(since, lang) }), until && t('endpoint.until', { time: dateTimeText(until, lang) })].filter(Boolean).join(' · ')}</p>
        )}
        <Probes probes={e.isolation.probes} />
      </div>
    </Card>
  );
}

function Losses({ e }: { e: Endpoint }) {
  const { t, lang } = useTexts();
  const last = parseTime(e.losses.last);
  return (
    <Card title={t('endpoints.losses')}>
      {e.losses.count === 0 ? (
        <p className="note tone-ok">
          <Icon name="check" />
          {t('endpoint.lossesNone')}
        </p>
      ) : (
        <p className="note tone-warn">
          <Icon name="alert" />
          {t('endpoint.lossesSome', { count: e.losses.count, time: last ? dateTimeText(last, lang) : t('common.unknown') })}
        </p>
      )}
    </Card>
  );
}

function ContentOf({ e }: { e: Endpoint }) {
  const { t, name } = useTexts();
  const c = e.content;
  if (!c || c.state === 'unknown') return null;
  return (
    <Card title={t('content.title')}>
      <p className={`note tone-${c.state === 'active' ? 'ok' : 'warn'}`}>
        <Icon name={c.state === 'active' ? 'check' : 'alert'} />
        <span>
          {t('content.version')} <span className="num">{c.version === 0 ? t('content.packaged') : c.version}</span> · {name('contentState', c.state)} ·{' '}
          {t('content.endpointRules', { count: c.rules, refused: c.refused })}
        </span>
      </p>
    </Card>
  );
}

function AlertsOf({ id }: { id: string }) {
  const { t, lang } = useTexts();
  const alerts = useAlerts({ endpoint: id, limit: 10 });
  return (
    <Card title={t('endpoint.alerts')}>
      <Loaded query={alerts} lines={2}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="muted">{t('alerts.empty')}</p>
          ) : (
            <ul className="stack-tight">
              {items.map((a) => (
                <li key={a.id} className="row">
                  <SeverityBadge severity={a.severity} />
                  <Link className="row-link grow" to={`/alerts/${a.id}`}>
                    <Safe text={lang === 'ja' ? a.title_ja || a.title : a.title} />
                  </Link>
                  <AlertStateBadge state={a.state} />
                  <span className="small muted">
                    <Ago value={a.event_time} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

function Revoke({ e, onClose }: { e: Endpoint; onClose: () => void }) {
  const { t } = useTexts();
  const [reason, setReason] = useState('');
  const revoke = useRevokeEndpoint(e.id);
  return (
    <Dialog
      title={<Safe text={t('endpoint.revokeTitle', { name: e.name })} />}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            {t('common.cancel')}
          </button>
          <button type="button" className="btn btn-main" disabled={revoke.isPending || !reason.trim()} onClick={() => revoke.mutate(oneLine(reason), { onSuccess: onClose })}>
            {t('endpoint.revoke')}
          </button>
        </>
      }
    >
      <div className="plan">
        <div className="plan-act">
          <h3>{t('order.what')}</h3>
          <p>{t('endpoint.revokeWhat')}</p>
        </div>
        <div className="plan-undo">
          <h3>{t('order.undo')}</h3>
          <p>{t('endpoint.revokeUndo')}</p>
        </div>
      </div>
      <Field label={t('common.reason')} hint={t('order.reasonHint')}>
        {(p) => <textarea {...p} rows={2} maxLength={250} value={reason} onChange={(ev) => setReason(ev.target.value)} />}
      </Field>
      <FormError error={revoke.error} />
    </Dialog>
  );
}

function Actions({ e, onTarget, onRevoke }: { e: Endpoint; onTarget: (t: Target) => void; onRevoke: () => void }) {
  const { t } = useTexts();
  const { may } = useSession();
  const cut = e.isolation.state === 'isolated' || e.isolation.state === 'pending' || e.isolation.state === 'failed';
  const give = (kind: 'isolate' | 'release') => onTarget({ kind, endpoint: e, reason: '' });
  if (e.state === 'revoked') return null;
  return (
    <>
      {may('respond') && e.isolation.state !== 'isolated' && (
        <button type="button" className="btn btn-danger" onClick={() => give('isolate')}>
          <Icon name="shield" />
          {t('alert.isolate')}
        </button>
      )}
      {may('respond') && cut && (
        <button type="button" className="btn" onClick={() => give('release')}>
          <Icon name="unlock" />
          {t('alert.release')}
        </button>
      )}
      {may('manage') && (
        <button type="button" className="btn btn-quiet" onClick={onRevoke}>
          {t('endpoint.revoke')}
        </button>
      )}
    </>
  );
}

function Page({ e }: { e: Endpoint }) {
  const { t } = useTexts();
  const orders = useOrders({ endpoint: e.id });
  const [target, setTarget] = useState<Target | null>(null);
  const [given, setGiven] = useState<Order[]>([]);
  const [revoking, setRevoking] = useState(false);
  return (
    <>
      <PageHead
        titleText={e.name}
        title={
          <span className="row">
            <Safe text={e.name} /> {e.practice && <PracticeTag />} <EndpointStateBadge state={e.state} />
          </span>
        }
      >
        <Link className="btn btn-quiet" to={`/events?endpoint=${e.id}`}>
          <Icon name="events" />
          {t('endpoint.events')}
        </Link>
        <Actions e={e} onTarget={setTarget} onRevoke={() => setRevoking(true)} />
      </PageHead>
      {given.map((o) => (
        <Progress key={o.id} order={o} />
      ))}
      <div className="two-even">
        <div className="stack">
          <Identity e={e} />
          <IsolationCard e={e} />
          <Losses e={e} />
          <ContentOf e={e} />
        </div>
        <div className="stack">
          <Ownership e={e} />
          <Sensors e={e} />
        </div>
      </div>
      <AlertsOf id={e.id} />
      <Card title={t('endpoint.orders')}>
        <Loaded query={orders} lines={2}>
          {(items) => <OrderHistory orders={items} empty={t('endpoint.ordersNone')} />}
        </Loaded>
      </Card>
      {target && (
        <ConfirmOrder
          target={target}
          onClose={() => setTarget(null)}
          onGiven={(o) => {
            setGiven((all) => [o, ...all.filter((x) => x.kind !== o.kind)].slice(0, 3));
            setTarget(null);
          }}
        />
      )}
      {revoking && <Revoke e={e} onClose={() => setRevoking(false)} />}
    </>
  );
}

export function EndpointPage() {
  const id = useParams()['id'] ?? '';
  const query = useEndpoint(id);
  return <Loaded query={query}>{(e) => <Page key={e.id} e={e} />}</Loaded>;
}
