/* How an order went, from its state and the endpoint's own account: what died, what survived, which
 * probes agreed. Used wherever an order is shown. */
import type { Order } from '../api/types';
import { useTexts } from '../i18n';
import { Icon } from '../ui/icons';
import { Probes } from '../ui/parts';
import { Code, Safe } from '../ui/safe';

type Processes = { pid?: number; key?: string; image?: string }[];

function ProcessList({ items }: { items: Processes }) {
  const { t } = useTexts();
  return (
    <ul className="proc-list">
      {items.map((p, i) => (
        <li key={i}>
          <Code text={p.image} /> <span className="small muted num">{t('alert.pid', { pid: p.pid ?? '?' })}</span>
        </li>
      ))}
    </ul>
  );
}

function Note({ good, text }: { good: boolean; text: string }) {
  return (
    <p className={good ? 'note tone-ok' : 'note tone-bad'}>
      <Icon name={good ? 'check' : 'alert'} />
      <span>
        <Safe text={text} />
      </span>
    </p>
  );
}

function KillOutcome({ order }: { order: Order }) {
  const { t } = useTexts();
  const killed = order.detail?.killed ?? [];
  const survived = order.detail?.survived ?? [];
  return (
    <>
      {killed.length > 0 && (
        <div>
          <h3>{t('order.killed', { count: killed.length })}</h3>
          <ProcessList items={killed} />
        </div>
      )}
      {survived.length > 0 && (
        <div>
          <h3>{t('order.survived', { count: survived.length })}</h3>
          <ProcessList items={survived} />
        </div>
      )}
      {survived.length > 0 ? <Note good={false} text={t('order.someSurvived')} /> : <Note good text={killed.length > 0 ? t('order.allKilled') : t('order.killedNone')} />}
    </>
  );
}

function NetworkOutcome({ order }: { order: Order }) {
  const { t } = useTexts();
  const detail = order.detail;
  const good = order.kind === 'isolate' ? detail?.isolated !== false : true;
  return (
    <>
      <Note good={good} text={order.kind === 'release' ? t('order.releasedNow') : good ? t('order.isolatedNow') : t('order.notIsolated')} />
      <Probes probes={detail?.probes} />
      {detail?.layers && detail.layers.length > 0 && <p className="small muted">{t('order.layers', { layers: detail.layers.join(', ') })}</p>}
    </>
  );
}

export function Outcome({ order }: { order: Order }) {
  const { t } = useTexts();
  const error = order.detail?.error ?? '';
  if (order.state === 'refused') return <Note good={false} text={t('order.refusedWhy', { error })} />;
  if (order.state === 'expired') return <Note good={false} text={t('order.expiredWhy')} />;
  if (order.state === 'failed') {
    return (
      <>
        <Note good={false} text={t('order.failedWhy', { error })} />
        {order.kind === 'kill' ? <KillOutcome order={order} /> : <Probes probes={order.detail?.probes} />}
      </>
    );
  }
  if (order.state !== 'done') return null;
  if (order.kind === 'kill') return <KillOutcome order={order} />;
  if (order.kind === 'drill') return <Note good={order.detail?.started !== false} text={order.detail?.started !== false ? t('order.drillStarted') : t('order.drillNotStarted')} />;
  return <NetworkOutcome order={order} />;
}
