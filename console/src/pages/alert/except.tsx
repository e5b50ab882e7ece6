/* From an alert to an exception: prefilled narrowly, shown what it would have dismissed, then made. */
import { useState, type FormEvent } from 'react';
import { useMakeException, usePreviewException } from '../../api/queries';
import type { AlertDetail, ExceptionRequest } from '../../api/types';
import { useTexts } from '../../i18n';
import { oneLine } from '../../lib/triage';
import { useSession } from '../../shell/session';
import { Dialog } from '../../ui/dialog';
import { Field } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { FormError } from '../../ui/states';

const DAY_S = 86_400;
const terms = [7, 30, 90, 365] as const;

/* A value as one quoted YAML scalar with Sigma's wildcards and escapes kept literal. */
export function literal(value: string): string {
  return `'${value.replace(/[\\*?]/g, '\\$&').replace(/'/g, "''")}'`;
}

export function suggestion(alert: AlertDetail): string {
  const lines = [];
  if (alert.process.image) lines.push(`process.image: ${literal(alert.process.image)}`);
  if (alert.process.command_line && !alert.process.command_line.includes('\n')) lines.push(`process.command_line: ${literal(alert.process.command_line)}`);
  return lines.join('\n');
}

function Form({ alert, onClose }: { alert: AlertDetail; onClose: () => void }) {
  const { t, lang } = useTexts();
  const make = useMakeException();
  const preview = usePreviewException();
  const [draft, setDraft] = useState({ title: lang === 'ja' ? alert.title_ja || alert.title : alert.title, owner: '', reason: '', where: suggestion(alert), here: true, days: 90 });
  const set = (part: Partial<typeof draft>) => {
    preview.reset();
    setDraft({ ...draft, ...part });
  };
  const body = (): ExceptionRequest => ({
    title: draft.title.trim(),
    owner: draft.owner.trim(),
    reason: oneLine(draft.reason),
    rule_id: alert.rule_id,
    where: draft.where,
    expires_s: draft.days * DAY_S,
    ...(draft.here ? { endpoint: alert.endpoint.id } : {}),
  });
  const ready = draft.title.trim() && draft.owner.trim() && draft.reason.trim();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (preview.data) make.mutate(body(), { onSuccess: onClose });
    else preview.mutate(body());
  };
  return (
    <form className="stack" onSubmit={submit} data-testid="except">
      <p className="small muted">{t('except.hint')}</p>
      <Field label={t('except.name')}>{(p) => <input {...p} required maxLength={200} value={draft.title} onChange={(e) => set({ title: e.target.value })} />}</Field>
      <div className="form-grid">
        <Field label={t('except.owner')}>{(p) => <input {...p} required maxLength={100} value={draft.owner} onChange={(e) => set({ owner: e.target.value })} />}</Field>
        <Field label={t('except.expires')}>
          {(p) => (
            <select {...p} value={draft.days} onChange={(e) => set({ days: Number(e.target.value) })}>
              {terms.map((d) => (
                <option key={d} value={d}>
                  {t('except.days', { count: d })}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Field label={t('except.reason')}>{(p) => <textarea {...p} rows={2} required maxLength={250} value={draft.reason} onChange={(e) => set({ reason: e.target.value })} />}</Field>
      <Field label={t('except.where')} hint={t('except.whereHint')}>
        {(p) => <textarea {...p} className="input mono small" rows={4} maxLength={8192} value={draft.where} onChange={(e) => set({ where: e.target.value })} />}
      </Field>
      <label className="row">
        <input type="checkbox" checked={draft.here} onChange={(e) => set({ here: e.target.checked })} />
        <span>
          {t('except.here')} <Safe text={alert.endpoint.name} />
        </span>
      </label>
      <FormError error={preview.error ?? make.error} />
      {preview.data && (
        <p role="status" data-testid="except-preview">
          <strong>{t('except.covered', { count: preview.data.covered, of: preview.data.looked_at, days: preview.data.days })}</strong>
        </p>
      )}
      <div className="row">
        <button type="submit" className="btn btn-main" disabled={!ready || preview.isPending || make.isPending}>
          {preview.data ? t('except.make') : t('except.preview')}
        </button>
        <button type="button" className="btn" onClick={onClose}>
          {t('common.cancel')}
        </button>
      </div>
    </form>
  );
}

export function ExceptButton({ alert }: { alert: AlertDetail }) {
  const { t } = useTexts();
  const { may } = useSession();
  const [open, setOpen] = useState(false);
  if (!may('manage')) return null;
  return (
    <>
      <button type="button" className="btn btn-small" onClick={() => setOpen(true)}>
        {t('except.button')}
      </button>
      {open && (
        <Dialog title={t('except.title')} onClose={() => setOpen(false)}>
          <Form alert={alert} onClose={() => setOpen(false)} />
        </Dialog>
      )}
    </>
  );
}
