/* What a page shows when it has nothing, not yet, or cannot: said in words, with a way on. */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';
import { useTexts, type Texts } from '../i18n';
import { Icon, type IconName } from './icons';

export function errorText(error: unknown, { t }: Pick<Texts, 't'>): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.offline) return t('error.offline');
  const told = [error.title, error.detail].filter(Boolean).join(' ');
  if (error.status === 404) return t('error.notFound');
  if (told) return told;
  if (error.status === 403) return t('error.forbidden');
  if (error.status === 409) return t('error.conflict');
  return t('error.server', { status: error.status });
}

export function Empty({ icon = 'check', title, hint, children }: { icon?: IconName; title: string; hint?: string; children?: ReactNode }) {
  return (
    <div className="state">
      <Icon name={icon} size={26} />
      <strong>{title}</strong>
      {hint && <p>{hint}</p>}
      {children}
    </div>
  );
}

export function Loading({ lines = 4 }: { lines?: number }) {
  const { t } = useTexts();
  return (
    <div className="skeleton" role="status">
      <b className="sr-only">{t('common.loading')}</b>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTexts();
  return (
    <div className="state state-error" role="alert">
      <Icon name={error instanceof ApiError && error.offline ? 'offline' : 'alert'} size={26} />
      <strong>{t('error.title')}</strong>
      <p>{errorText(error, { t })}</p>
      {retry && (
        <button type="button" className="btn" onClick={retry}>
          {t('common.retry')}
        </button>
      )}
    </div>
  );
}

/* Data that was once there stays on screen when a refresh fails; the bar at the top says so. */
export function Loaded<T>({ query, children, lines }: { query: UseQueryResult<T>; children: (data: T) => ReactNode; lines?: number }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.isError) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Loading lines={lines ?? 4} />;
}

export function FormError({ error }: { error: unknown }) {
  const { t } = useTexts();
  if (!error) return null;
  return (
    <p className="form-error" role="alert">
      <Icon name="alert" />
      <span>{typeof error === 'string' ? error : errorText(error, { t })}</span>
    </p>
  );
}
