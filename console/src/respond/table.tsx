/* Orders as history: when, what, who, how it ended; the outcome unfolds below. */
import type { Order } from '../api/types';
import { useTexts } from '../i18n';
import { Badge, OrderStateBadge } from '../ui/badges';
import { Safe } from '../ui/safe';
import { Moment } from '../ui/time';
import { Outcome } from './outcome';

export function OrderHistory({ orders, empty }: { orders: Order[]; empty: string }) {
  const { t, name } = useTexts();
  if (orders.length === 0) return <p className="muted">{empty}</p>;
  return (
    <ul className="order-list">
      {orders.map((o) => (
        <li key={o.id}>
          <details>
            <summary>
              <strong>{name('orderKind', o.kind)}</strong>
              <OrderStateBadge state={o.state} />
              {o.d3fend && <Badge>{o.d3fend}</Badge>}
              <span className="small muted grow">
                <Safe text={t('order.by', { actor: o.actor })} />
              </span>
              <span className="small muted">
                <Moment value={o.created} />
              </span>
            </summary>
            <div className="stack-tight">
              <p className="small">
                <span className="muted">{t('common.reason')}: </span>
                <Safe text={o.reason} />
              </p>
              <Outcome order={o} />
            </div>
          </details>
        </li>
      ))}
    </ul>
  );
}
