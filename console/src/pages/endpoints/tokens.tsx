/* Enrolment tokens that exist, without their secret; each can be made void. */
import { useState } from 'react';
import { useDropToken, useTokens } from '../../api/queries';
import type { EnrollmentToken } from '../../api/types';
import { useTexts } from '../../i18n';
import { Badge } from '../../ui/badges';
import { Dialog } from '../../ui/dialog';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { FormError, Loaded } from '../../ui/states';
import { Moment } from '../../ui/time';

function Token({ token, onDrop }: { token: EnrollmentToken; onDrop: () => void }) {
  const { t, name } = useTexts();
  return (
    <li className="stack-tight token">
      <div className="row">
        <strong className="grow">
          <Safe text={token.group} />
        </strong>
        <Badge tone={token.state === 'usable' ? 'ok' : 'calm'}>{name('tokenState', token.state)}</Badge>
      </div>
      <div className="row small muted num">
        <span>{t('enroll.used', { used: token.used, uses: token.uses })}</span>
        <span className="grow">
          <Moment value={token.expires} />
        </span>
        {token.state === 'usable' && (
          <button type="button" className="btn btn-small" onClick={onDrop}>
            {t('enroll.drop')}
          </button>
        )}
      </div>
    </li>
  );
}

export function Tokens() {
  const { t } = useTexts();
  const tokens = useTokens();
  const drop = useDropToken();
  const [asked, setAsked] = useState<string | null>(null);
  const close = () => {
    setAsked(null);
    drop.reset();
  };
  return (
    <Card title={t('enroll.tokens')}>
      <Loaded query={tokens} lines={3}>
        {(items) =>
          items.length === 0 ? (
            <p className="muted">{t('enroll.tokensNone')}</p>
          ) : (
            <ul className="token-list">
              {items.slice(0, 12).map((x) => (
                <Token key={x.id} token={x} onDrop={() => setAsked(x.id)} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {asked && (
        <Dialog
          title={t('enroll.dropTitle')}
          onClose={close}
          footer={
            <>
              <button type="button" className="btn" onClick={close}>
                {t('common.cancel')}
              </button>
              <button type="button" className="btn btn-main" disabled={drop.isPending} onClick={() => drop.mutate(asked, { onSuccess: close })}>
                {t('enroll.drop')}
              </button>
            </>
          }
        >
          <p>{t('enroll.dropWhat')}</p>
          <FormError error={drop.error} />
        </Dialog>
      )}
    </Card>
  );
}
