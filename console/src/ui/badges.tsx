/* States as words with a shape and a colour, never colour alone. */
import type { ReactNode } from 'react';
import type { Endpoint, Order, Severity } from '../api/types';
import { useTexts } from '../i18n';

type Tone = 'bad' | 'warn' | 'ok' | 'info' | 'ember' | 'calm' | 'solid';

export function Badge({ tone = 'calm', children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`badge tone-${tone}`}>{children}</span>;
}

const bars: Record<Severity, number> = { informational: 1, low: 2, medium: 3, high: 4, critical: 5 };
const severityTone: Record<Severity, Tone> = { critical: 'solid', high: 'bad', medium: 'warn', low: 'info', informational: 'calm' };

export function SeverityBadge({ severity }: { severity: Severity }) {
  const { name } = useTexts();
  const level = bars[severity] ?? 1;
  return (
    <Badge tone={severityTone[severity] ?? 'calm'}>
      <svg width="15" height="10" viewBox="0 0 15 10" aria-hidden="true">
        {[1, 2, 3, 4, 5].map((i) => (
          <rect key={i} x={(i - 1) * 3} y={10 - i * 2} width="2" height={i * 2} fill="currentColor" opacity={i <= level ? 1 : 0.25} />
        ))}
      </svg>
      {name('severity', severity)}
    </Badge>
  );
}

const waiting = new Set(['NEW', 'TRIAGE']);
const settled = new Set(['FALSE_POSITIVE', 'BENIGN', 'DUPLICATE', 'CLOSED', 'VERIFIED', 'RECOVERED', 'ERADICATED']);

export function AlertStateBadge({ state }: { state: string }) {
  const { name } = useTexts();
  const tone: Tone = waiting.has(state) ? 'ember' : state === 'CONFIRMED' || state === 'NOTIFIED' ? 'warn' : settled.has(state) ? 'calm' : 'info';
  return <Badge tone={tone}>{name('alertState', state)}</Badge>;
}

const endpointTone: Record<Endpoint['state'], Tone> = { healthy: 'ok', stale: 'warn', silent: 'bad', revoked: 'calm' };
const shapes: Record<Endpoint['state'], ReactNode> = {
  healthy: <circle cx="5" cy="5" r="4" fill="currentColor" />,
  stale: <path d="M5 1 9.5 9h-9z" fill="currentColor" />,
  silent: <path d="m1.5 1.5 7 7m0-7-7 7" stroke="currentColor" strokeWidth="2" />,
  revoked: <path d="M1 5h8" stroke="currentColor" strokeWidth="2" />,
};

export function EndpointStateBadge({ state }: { state: Endpoint['state'] }) {
  const { name } = useTexts();
  return (
    <Badge tone={endpointTone[state] ?? 'calm'}>
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">{shapes[state]}</svg>
      {name('endpointState', state)}
    </Badge>
  );
}

const isolationTone: Record<Endpoint['isolation']['state'], Tone> = { none: 'calm', pending: 'warn', isolated: 'ember', failed: 'bad' };

export function IsolationBadge({ state, quiet = false }: { state: Endpoint['isolation']['state']; quiet?: boolean }) {
  const { name } = useTexts();
  if (quiet && state === 'none') return <span className="muted">–</span>;
  return <Badge tone={isolationTone[state] ?? 'calm'}>{name('isolation', state)}</Badge>;
}

const orderTone: Record<Order['state'], Tone> = { requested: 'calm', signed: 'calm', sent: 'info', begun: 'info', done: 'ok', refused: 'bad', failed: 'bad', expired: 'warn' };

export function OrderStateBadge({ state }: { state: Order['state'] }) {
  const { name } = useTexts();
  return <Badge tone={orderTone[state] ?? 'calm'}>{name('orderState', state)}</Badge>;
}

export function PracticeTag() {
  const { t } = useTexts();
  return <span className="tag">{t('common.practice')}</span>;
}
