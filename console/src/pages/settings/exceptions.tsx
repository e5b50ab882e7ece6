/* What is known and accepted: by whom, until when, how often it counted. Ended ones stay listed. */
import { useState } from 'react';
import { useEndException, useExceptions } from '../../api/queries';
import type { Exception } from '../../api/types';
import { useTexts } from '../../i18n';
import { PageHead } from '../../shell/layout';
import { useSession } from '../../shell/session';
import { Badge } from '../../ui/badges';
import { Dialog } from '../../ui/dialog';
import { Safe } from '../../ui/safe';
import { Empty, FormError, Loaded } from '../../ui/states';
import { Moment } from '../../ui/time';

function Item({ x, onEnd }: { x: Exception; onEnd: () => void }) {
  const { t, name } = useTexts();
  const { may } = useSession();
  return (
    <li className="card">
      <div className="card-body stack-tight">
        <div className="row">
          <strong className="grow">
            <Safe text={x.title} />
          </strong>
          <Badge tone={x.state === 'active' ? 'ok' : 'calm'}>{name('exceptState', x.state)}</Badge>
          {x.state === 'active' && may('manage') && (
            <button type="button" className="btn btn-small" onClick={onEnd}>
              {t('except.end')}
            </button>
          )}
        </div>
        <p className="small">
          <Safe text={x.reason} />
        </p>
        {x.where && (
          <pre className="codebox small">
            <Safe text={x.where} />
          </pre>
        )}
        <p className="small muted row">
          <span>
            {t('except.owner')}: <Safe text={x.owner} />
          </span>
          <span>
            {t('except.expires')}: <Moment value={x.expires} />
          </span>
          <span className="num">{t('except.hits', { count: x.hits })}</span>
        </p>
        {x.rule_id && (
          <p className="tiny muted mono">
            <Safe text={x.rule_id} />
          </p>
        )}
      </div>
    </li>
  );
}

function EndDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTexts();
  const end = useEndException();
  return (
    <Dialog
      title={t('except.endTitle')}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            {t('common.cancel')}
          </button>
          <button type="button" className="btn btn-main" disabled={end.isPending} onClick={() => end.mutate(id, { onSuccess: onClose })}>
            {t('except.end')}
          </button>
        </>
      }
    >
      <p>{t('except.endWhat')}</p>
      <FormError error={end.error} />
    </Dialog>
  );
}

export function ExceptionsPage() {
  const { t } = useTexts();
  const query = useExceptions();
  const [asked, setAsked] = useState<string | null>(null);
  return (
    <>
      <PageHead title={t('except.list')} titleText={t('except.list')} />
      <p className="muted small">{t('except.hint')}</p>
      <Loaded query={query}>
        {(items) =>
          items.length === 0 ? (
            <div className="card">
              <Empty icon="check" title={t('except.none')} hint={t('except.noneHint')} />
            </div>
          ) : (
            <ul className="stack plain-list">
              {items.map((x) => (
                <Item key={x.id} x={x} onEnd={() => setAsked(x.id)} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {asked && <EndDialog id={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
