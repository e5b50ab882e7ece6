/* The drill: says calmly what will happen, starts it, and waits for the alert with a clock. */
import { useEffect, useRef, useState } from 'react';
import { Link } from 'react-router-dom';
import { ApiError } from '../../api/client';
import { finished, useAlerts, useOrder, useStartDrill } from '../../api/queries';
import type { Alert, Endpoint, Order } from '../../api/types';
import { useTexts } from '../../i18n';
import { Outcome } from '../../respond/outcome';
import { Dialog } from '../../ui/dialog';
import { Icon } from '../../ui/icons';
import { FormError } from '../../ui/states';
import { Safe } from '../../ui/safe';
import { useNow } from '../../ui/time';

const SLOW_MS = 30_000;

/* The first alert of the practice endpoint that was not there when the drill began. */
export function freshAlert(items: Alert[], known: ReadonlySet<string>): Alert | undefined {
  return items.filter((a) => !known.has(a.id)).sort((a, b) => b.severity_id - a.severity_id)[0];
}

function Waiting({ order, endpoint, known, started }: { order: Order; endpoint: string; known: ReadonlySet<string>; started: number }) {
  const { t } = useTexts();
  const live = useOrder(order.id).data ?? order;
  const alerts = useAlerts({ endpoint, limit: 100 });
  const alert = freshAlert(alerts.data?.items ?? [], known);
  const now = useNow(1000).getTime();
  const seenAt = useRef<number | null>(null);
  if (alert && seenAt.current === null) seenAt.current = Date.now();
  const bad = finished(live) && live.state !== 'done';
  if (alert) {
    return (
      <div className="stack-tight" role="status">
        <p className="note tone-ember">
          <Icon name="alert" />
          {t('drill.seen', { seconds: (((seenAt.current ?? now) - started) / 1000).toFixed(1) })}
        </p>
        <Link className="btn btn-main" to={`/alerts/${alert.id}`}>
          {t('drill.open')}
        </Link>
      </div>
    );
  }
  return (
    <div className="stack-tight" role="status">
      {bad ? (
        <Outcome order={live} />
      ) : (
        <p className="note">
          <span className="pulse" aria-hidden="true" />
          {live.state === 'done' || live.state === 'begun' ? t('drill.waiting') : t('drill.starting')}
        </p>
      )}
      {!bad && now - started > SLOW_MS && <p className="note tone-warn">{t('drill.slow')}</p>}
    </div>
  );
}

export function DrillCard({ practice }: { practice: Endpoint }) {
  const { t } = useTexts();
  const [asking, setAsking] = useState(false);
  const [run, setRun] = useState<{ order: Order; known: Set<string>; started: number } | null>(null);
  const start = useStartDrill();
  const before = useAlerts({ endpoint: practice.id, limit: 100 });
  const reset = start.reset;
  useEffect(() => {
    if (!asking) reset();
  }, [asking, reset]);

  const go = () => {
    const known = new Set((before.data?.items ?? []).map((a) => a.id));
    const started = Date.now();
    start.mutate('reverse-shell', {
      onSuccess: (order) => {
        setRun({ order, known, started });
        setAsking(false);
      },
    });
  };

  return (
    <section className="card drill" aria-labelledby="drill-title">
      <div className="card-body stack-tight">
        <h2 id="drill-title">{t('drill.title')}</h2>
        <p className="small">
          <Safe text={t('drill.text', { name: practice.name })} />
        </p>
        {run && <Waiting key={run.order.id} order={run.order} endpoint={practice.id} known={run.known} started={run.started} />}
        <button type="button" className={run ? 'btn' : 'btn btn-main'} onClick={() => setAsking(true)}>
          <Icon name="play" />
          {t('drill.button')}
        </button>
      </div>
      {asking && (
        <Dialog
          title={t('drill.dialog')}
          onClose={() => setAsking(false)}
          footer={
            <>
              <button type="button" className="btn" onClick={() => setAsking(false)}>
                {t('common.cancel')}
              </button>
              <button type="button" className="btn btn-main" disabled={start.isPending || !before.isSuccess} onClick={go}>
                {start.isPending ? t('drill.starting') : t('drill.start')}
              </button>
            </>
          }
        >
          <div className="plan">
            <div className="plan-act">
              <h3>{t('drill.what')}</h3>
              <ul>
                <li>{t('drill.what1')}</li>
                <li>{t('drill.what2')}</li>
                <li>{t('drill.what3')}</li>
              </ul>
            </div>
            <div className="plan-safe">
              <h3>{t('drill.not')}</h3>
              <ul>
                <li>{t('drill.not1')}</li>
                <li>{t('drill.not2')}</li>
              </ul>
            </div>
          </div>
          <p>{t('drill.next')}</p>
          <FormError error={start.error instanceof ApiError && start.error.status === 409 ? t('drill.none') : start.error} />
        </Dialog>
      )}
    </section>
  );
}
