/* The alert's state: where it can go from here (the server says), and who moved it and why. */
import { useState, type FormEvent } from 'react';
import { useChangeAlert } from '../../api/queries';
import type { AlertDetail, AlertState, HistoryItem } from '../../api/types';
import { useTexts } from '../../i18n';
import { oneLine } from '../../lib/triage';
import { useSession } from '../../shell/session';
import { AlertStateBadge } from '../../ui/badges';
import { Card, Field } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { FormError } from '../../ui/states';
import { Moment } from '../../ui/time';
import { ExceptButton } from './except';

const dismissals = new Set<string>(['FALSE_POSITIVE', 'BENIGN', 'DUPLICATE']);
const closed = new Set<string>(['FALSE_POSITIVE', 'BENIGN', 'DUPLICATE', 'CLOSED']);

/* A dismissal or a reopening must be explained. */
export function needsReason(from: string, to: string): boolean {
  return dismissals.has(to) || closed.has(from);
}

function History({ items }: { items: HistoryItem[] }) {
  const { t, name } = useTexts();
  if (items.length === 0) return <p className="small muted">{t('alert.historyNone')}</p>;
  return (
    <ol className="history">
      {items.map((h, i) => (
        <li key={i}>
          <div className="row small">
            <span className="muted">
              <Moment value={h.time} />
            </span>
            <span>
              {h.from && `${name('alertState', h.from)} → `}
              <strong>{name('alertState', h.to)}</strong>
            </span>
            <span className="muted">
              <Safe text={h.actor} />
            </span>
          </div>
          {h.reason && (
            <p className="small">
              <Safe text={h.reason} />
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}

export function StateCard({ alert }: { alert: AlertDetail }) {
  const { t, name } = useTexts();
  const { may } = useSession();
  const change = useChangeAlert(alert.id);
  const [to, setTo] = useState<AlertState | ''>('');
  const [reason, setReason] = useState('');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (to === '') return;
    change.mutate(
      { state: to, reason: oneLine(reason) },
      {
        onSuccess: () => {
          setTo('');
          setReason('');
        },
      },
    );
  };
  const must = to !== '' && needsReason(alert.state, to);
  return (
    <Card title={t('alerts.state')} aside={<AlertStateBadge state={alert.state} />}>
      <div className="stack">
        {may('triage') &&
          (alert.transitions.length === 0 ? (
            <p className="small muted">{t('alert.noTransitions')}</p>
          ) : (
            <form className="stack-tight" onSubmit={submit}>
              <Field label={t('alert.newState')}>
                {(p) => (
                  <select {...p} value={to} onChange={(e) => setTo(e.target.value as AlertState)}>
                    <option value="">–</option>
                    {alert.transitions.map((s) => (
                      <option key={s} value={s}>
                        {name('alertState', s)}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              {to !== '' && (
                <Field label={t('alert.stateReason')} hint={t('alert.stateReasonHint')}>
                  {(p) => <textarea {...p} rows={2} maxLength={250} required={must} value={reason} onChange={(e) => setReason(e.target.value)} />}
                </Field>
              )}
              <FormError error={change.error} />
              <div>
                <button type="submit" className="btn" disabled={to === '' || change.isPending || (must && reason.trim() === '')}>
                  {t('alert.changeState')}
                </button>
              </div>
            </form>
          ))}
        <div>
          <ExceptButton alert={alert} />
        </div>
        <div className="stack-tight">
          <h3>{t('alert.history')}</h3>
          <History items={alert.history} />
        </div>
      </div>
    </Card>
  );
}
