/* The response bar: kill, isolate, release. Each asks first and then shows how it goes. */
import { useState } from 'react';
import { useEndpoint } from '../../api/queries';
import type { AlertDetail, Order, Tree } from '../../api/types';
import { useTexts } from '../../i18n';
import { liveBelow } from '../../lib/tree';
import { ConfirmOrder, type Target } from '../../respond/confirm';
import { Progress } from '../../respond/progress';
import { useSession } from '../../shell/session';
import { IsolationBadge } from '../../ui/badges';
import { Icon } from '../../ui/icons';

/* What a kill from this alert names: the root of its tree, else the process itself. */
export function killTarget(alert: AlertDetail, tree: Tree | undefined): string {
  return tree?.root || alert.tree_key || alert.process.key;
}

export function RespondBar({ alert, tree, title }: { alert: AlertDetail; tree: Tree | undefined; title: string }) {
  const { t } = useTexts();
  const { may } = useSession();
  const endpoint = useEndpoint(alert.endpoint.id);
  const [target, setTarget] = useState<Target | null>(null);
  const [given, setGiven] = useState<Order[]>([]);
  const isolation = endpoint.data?.isolation.state ?? 'none';
  const root = killTarget(alert, tree);
  const base = { endpoint: alert.endpoint, alert: alert.id, reason: title.slice(0, 250) };
  if (!may('respond')) return null;
  return (
    <>
      <section className="card respond" aria-label={t('alert.respond')}>
        <div className="row">
          <button type="button" className="btn btn-main" data-testid="kill" disabled={!root} onClick={() => setTarget({ ...base, kind: 'kill', processKey: root, processes: liveBelow(tree?.nodes ?? [], root) })}>
            <Icon name="stop" />
            {t('alert.kill')}
          </button>
          {isolation !== 'isolated' && (
            <button type="button" className="btn btn-danger" data-testid="isolate" onClick={() => setTarget({ ...base, kind: 'isolate' })}>
              <Icon name="shield" />
              {t('alert.isolate')}
            </button>
          )}
          {isolation !== 'none' && (
            <button type="button" className="btn" data-testid="release" onClick={() => setTarget({ ...base, kind: 'release' })}>
              <Icon name="unlock" />
              {t('alert.release')}
            </button>
          )}
          <span className="grow" />
          <IsolationBadge state={isolation} />
        </div>
      </section>
      {given.map((o) => (
        <Progress key={o.id} order={o} />
      ))}
      {target && (
        <ConfirmOrder
          target={target}
          onClose={() => setTarget(null)}
          onGiven={(o) => {
            setGiven((all) => [o, ...all].slice(0, 3));
            setTarget(null);
          }}
        />
      )}
    </>
  );
}
