/* A modal of the browser's own <dialog>: focus is kept inside, Escape closes, and no library injects
 * styles that the content policy would refuse. */
import { useEffect, useId, useRef, type ReactNode } from 'react';
import { useTexts } from '../i18n';
import { Icon } from './icons';

interface Props {
  title: ReactNode;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  kind?: 'dialog' | 'drawer';
}

export function Dialog({ title, onClose, children, footer, kind = 'dialog' }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const { t } = useTexts();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={kind === 'drawer' ? 'dialog drawer' : 'dialog'}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
    >
      <div className="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" className="btn btn-quiet btn-icon btn-small" onClick={onClose} aria-label={t('common.close')}>
          <Icon name="close" />
        </button>
      </div>
      <div className="dialog-body">{children}</div>
      {footer && <div className="dialog-foot">{footer}</div>}
    </dialog>
  );
}
