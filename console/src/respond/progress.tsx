/* An order under way: its steps as they happen, then the outcome. */
import { finished, useOrder } from '../api/queries';
import type { Order, OrderState } from '../api/types';
import { useTexts } from '../i18n';
import { OrderStateBadge } from '../ui/badges';
import { Icon } from '../ui/icons';
import { useNow } from '../ui/time';
import { Outcome } from './outcome';

const steps: OrderState[] = ['requested', 'signed', 'sent', 'begun', 'done'];
const SLOW_MS = 15_000;

export function Progress({ order: first }: { order: Order }) {
  const { t, name } = useTexts();
  const order = useOrder(first.id).data ?? first;
  const now = useNow(1000).getTime();
  const over = finished(order);
  const reached = over ? steps.length - 1 : steps.indexOf(order.state);
  return (
    <section className="progress" aria-label={t('order.progress', { kind: name('orderKind', order.kind) })} data-order={order.kind} data-state={order.state} aria-live="polite">
      <div className="row">
        <strong>{name('orderKind', order.kind)}</strong>
        <OrderStateBadge state={order.state} />
      </div>
      <ol className="steps">
        {steps.map((s, i) => {
          const last = i === steps.length - 1;
          const label = last && over ? order.state : s;
          return (
            <li key={s} data-reached={i <= reached} data-bad={last && over && order.state !== 'done'}>
              <span className="step-dot" aria-hidden="true">
                {i <= reached && <Icon name={last && over && order.state !== 'done' ? 'close' : 'check'} size={12} />}
              </span>
              {name('orderState', label)}
            </li>
          );
        })}
      </ol>
      {over ? <Outcome order={order} /> : now - Date.parse(first.created) > SLOW_MS ? <p className="note tone-warn">{t('order.slow')}</p> : null}
    </section>
  );
}
