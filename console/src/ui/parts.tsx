/* Small pieces that most pages share: card, labelled input, copy button, probes. */
import { useId, useState, type ReactNode } from 'react';
import type { Probe } from '../api/types';
import { useTexts } from '../i18n';
import { Badge } from './badges';
import { Icon } from './icons';
import { Safe } from './safe';

export function Card({ title, aside, flush = false, children, className = '' }: { title: ReactNode; aside?: ReactNode; flush?: boolean; children: ReactNode; className?: string }) {
  const id = useId();
  return (
    <section className={`card ${className}`} aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      <div className={flush ? 'card-body flush' : 'card-body'}>{children}</div>
    </section>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  children: (props: { id: string; 'aria-describedby'?: string; className: string }) => ReactNode;
}

export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const hintId = `${id}h`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, className: 'input', ...(hint ? { 'aria-describedby': hintId } : {}) })}
      {hint && (
        <p id={hintId} className="small muted">
          {hint}
        </p>
      )}
    </div>
  );
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTexts();
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState('done');
    } catch {
      setState('failed');
    }
    setTimeout(() => setState('idle'), 4000);
  };
  return (
    <>
      <button type="button" className="btn" onClick={() => void copy()}>
        <Icon name={state === 'done' ? 'check' : 'copy'} />
        {state === 'done' ? t('common.copied') : (label ?? t('common.copy'))}
      </button>
      <span className="sr-only" role="status">
        {state === 'done' ? t('common.copied') : ''}
      </span>
      {state === 'failed' && <span role="alert">{t('common.copyFailed')}</span>}
    </>
  );
}

export function Probes({ probes }: { probes: Probe[] | undefined }) {
  const { t, name } = useTexts();
  if (!probes || probes.length === 0) return null;
  return (
    <ul className="probes" aria-label={t('probe.title')}>
      {probes.map((p, i) => {
        const good = p.expect === p.result;
        return (
          <li key={i} data-good={good}>
            <Icon name={good ? 'check' : 'alert'} />
            <span className="grow">
              <Safe text={name('probe', p.name)} />
            </span>
            <Badge tone={good ? 'ok' : 'bad'}>
              <Safe text={name('probe', p.result)} />
            </Badge>
            <span className="small muted">{good ? t('probe.ok') : t('probe.expected', { expect: name('probe', p.expect) })}</span>
          </li>
        );
      })}
    </ul>
  );
}
