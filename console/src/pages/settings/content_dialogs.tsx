/* Publishing content and taking it back are asked for twice: what happens then is said here. */
import { useState } from 'react';
import { usePublish, useRollback } from '../../api/queries';
import { useTexts } from '../../i18n';
import { Dialog } from '../../ui/dialog';
import { Field } from '../../ui/parts';
import { FormError } from '../../ui/states';

const SOAK_MINUTES = 60;

export function PublishDialog({ version, onClose }: { version: number; onClose: () => void }) {
  const { t } = useTexts();
  const publish = usePublish();
  const [minutes, setMinutes] = useState(String(SOAK_MINUTES));
  const [atOnce, setAtOnce] = useState(false);
  const soak = Math.round(Number(minutes) * 60);
  return (
    <Dialog
      title={t('content.publishTitle', { version })}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            {t('common.cancel')}
          </button>
          <button
            type="button"
            className="btn btn-main"
            disabled={publish.isPending || !(soak >= 1)}
            onClick={() => publish.mutate({ version, at_once: atOnce, soak_s: soak }, { onSuccess: onClose })}
          >
            {t('content.publish')}
          </button>
        </>
      }
    >
      <p>{t('content.publishWhat')}</p>
      <Field label={t('content.soak')}>{(p) => <input {...p} inputMode="numeric" value={minutes} onChange={(e) => setMinutes(e.target.value)} />}</Field>
      <label className="row">
        <input type="checkbox" checked={atOnce} onChange={(e) => setAtOnce(e.target.checked)} /> {t('content.atOnce')}
      </label>
      <FormError error={publish.error} />
    </Dialog>
  );
}

export function TakeBackDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const rollback = useRollback();
  const [reason, setReason] = useState('');
  return (
    <Dialog
      title={t('content.rollbackTitle')}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            {t('common.cancel')}
          </button>
          <button type="button" className="btn btn-main" disabled={rollback.isPending || reason.trim() === ''} onClick={() => rollback.mutate(reason.trim(), { onSuccess: onClose })}>
            {t('content.rollback')}
          </button>
        </>
      }
    >
      <p>{t('content.rollbackWhat')}</p>
      <Field label={t('content.rollbackReason')}>{(p) => <input {...p} value={reason} maxLength={500} onChange={(e) => setReason(e.target.value)} />}</Field>
      <FormError error={rollback.error} />
    </Dialog>
  );
}
