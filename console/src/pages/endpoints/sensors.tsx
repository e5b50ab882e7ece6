/* What is watched on an endpoint and what is not, as the agent itself probed it. */
import type { Endpoint } from '../../api/types';
import { useTexts } from '../../i18n';
import { Badge } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';

const tiers = { 0: 'endpoint.tier0', 1: 'endpoint.tier1', 2: 'endpoint.tier2', 3: 'endpoint.tier3' } as const;

export function Sensors({ e }: { e: Endpoint }) {
  const { t } = useTexts();
  const tier = tiers[e.tier as keyof typeof tiers] ?? 'endpoint.tier0';
  return (
    <>
      <Card title={t('endpoint.sees')} aside={e.tier > 0 ? <Badge tone="info">{t('endpoints.tierShort', { tier: e.tier })}</Badge> : undefined}>
        <div className="stack-tight">
          <p className="small muted">{t(tier)}</p>
          {e.sensors.active.length === 0 ? (
            <p className="muted">{t('endpoint.sensorsNone')}</p>
          ) : (
            <ul className="checks">
              {e.sensors.active.map((s, i) => (
                <li key={i}>
                  <Icon name="check" size={16} />
                  <span>
                    <Safe text={s.detail || s.name} />{' '}
                    {s.detail && (
                      <span className="tiny muted mono">
                        <Safe text={s.name} />
                      </span>
                    )}
                  </span>
                </li>
              ))}
            </ul>
          )}
        </div>
      </Card>
      <Card title={t('endpoint.blind')}>
        {e.sensors.blind.length === 0 ? (
          <p className="muted">{t('endpoint.blindNone')}</p>
        ) : (
          <ul className="checks checks-not">
            {e.sensors.blind.map((b, i) => (
              <li key={i}>
                <Icon name="eyeOff" size={16} />
                <Safe text={b} />
              </li>
            ))}
          </ul>
        )}
      </Card>
    </>
  );
}
