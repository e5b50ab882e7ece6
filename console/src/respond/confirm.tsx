/* The question before an order: what will happen, how it is undone, what it does not touch. Nothing
 * is sent without a reason. */
import { useState, type ReactNode } from 'react';
import { useGiveOrder } from '../api/queries';
import type { Order, OrderRequest, TreeNode } from '../api/types';
import { useTexts, type TextKey } from '../i18n';
import { oneLine } from '../lib/triage';
import { Dialog } from '../ui/dialog';
import { Field } from '../ui/parts';
import { Code, Safe } from '../ui/safe';
import { FormError } from '../ui/states';

export interface Target {
  kind: 'kill' | 'isolate' | 'release';
  endpoint: { id: string; name: string };
  alert?: string;
  processKey?: string;
  processes?: TreeNode[];
  reason: string;
}

const texts: Record<Target['kind'], { title: TextKey; what: TextKey; undo: TextKey; not: TextKey; act: TextKey }> = {
  kill: { title: 'order.confirmKill', what: 'order.killWhat', undo: 'order.killUndo', not: 'order.killNot', act: 'order.doKill' },
  isolate: { title: 'order.confirmIsolate', what: 'order.isolateWhat', undo: 'order.isolateUndo', not: 'order.isolateNot', act: 'order.doIsolate' },
  release: { title: 'order.confirmRelease', what: 'order.releaseWhat', undo: 'order.releaseUndo', not: 'order.releaseNot', act: 'order.doRelease' },
};

export const durations: [number, TextKey][] = [
  [3600, 'enroll.1h'],
  [86400, 'enroll.24h'],
  [604800, 'enroll.7d'],
];

export function requestFor(target: Target, reason: string, seconds: number): OrderRequest {
  return {
    kind: target.kind,
    endpoint: target.endpoint.id,
    reason,
    ...(target.alert ? { alert: target.alert } : {}),
    ...(target.kind === 'kill' ? { process_key: target.processKey ?? '', tree: true } : {}),
    ...(target.kind === 'isolate' ? { expires_s: seconds } : {}),
  } as OrderRequest;
}

function Plan({ children, kind, title }: { children: ReactNode; kind: string; title: string }) {
  return (
    <div className={kind}>
      <h3>{title}</h3>
      {children}
    </div>
  );
}

function Processes({ nodes }: { nodes: TreeNode[] }) {
  const { t } = useTexts();
  return (
    <>
      <ul className="proc-list">
        {nodes.slice(0, 8).map((n) => (
          <li key={n.key}>
            <Code text={n.command_line || n.image} /> <span className="small muted num">{t('alert.pid', { pid: n.pid })}</span>
          </li>
        ))}
      </ul>
      <p className="small muted">{t('order.killLive', { count: nodes.length })}</p>
    </>
  );
}

export function ConfirmOrder({ target, onClose, onGiven }: { target: Target; onClose: () => void; onGiven: (order: Order) => void }) {
  const { t } = useTexts();
  const [reason, setReason] = useState(target.reason);
  const [seconds, setSeconds] = useState(86400);
  const give = useGiveOrder();
  const k = texts[target.kind];
  const name = target.endpoint.name;
  const send = () => give.mutate(requestFor(target, oneLine(reason), seconds), { onSuccess: onGiven });
  return (
    <Dialog
      title={<Safe text={t(k.title, { name })} />}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            {t('common.cancel')}
          </button>
          <button type="button" className="btn btn-main" data-testid="confirm-order" disabled={give.isPending || reason.trim() === ''} onClick={send}>
            {give.isPending ? t('order.sending') : t(k.act)}
          </button>
        </>
      }
    >
      <div className="plan">
        <Plan kind="plan-act" title={t('order.what')}>
          <p>
            <Safe text={t(k.what, { name })} />
          </p>
          {target.kind === 'kill' && <Processes nodes={target.processes ?? []} />}
        </Plan>
        <Plan kind="plan-undo" title={t('order.undo')}>
          <p>{t(k.undo)}</p>
        </Plan>
        <Plan kind="plan-safe" title={t('order.not')}>
          <p>{t(k.not)}</p>
        </Plan>
      </div>
      {target.kind === 'isolate' && (
        <Field label={t('order.isolateFor')}>
          {(p) => (
            <select {...p} value={seconds} onChange={(e) => setSeconds(Number(e.target.value))}>
              {durations.map(([s, label]) => (
                <option key={s} value={s}>
                  {t(label)}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label={t('common.reason')} hint={t('order.reasonHint')}>
        {(p) => <textarea {...p} rows={2} maxLength={250} required value={reason} onChange={(e) => setReason(e.target.value)} />}
      </Field>
      <FormError error={give.error} />
    </Dialog>
  );
}
