/* What the watch does not see: silent endpoints, losses, blind spots. Said as plainly as the alerts. */
import { Link } from 'react-router-dom';
import type { Endpoint, Overview } from '../../api/types';
import { useTexts } from '../../i18n';
import { dateTimeText, numberText, parseTime } from '../../lib/time';
import { EndpointStateBadge, PracticeTag } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';

function Line({ endpoint, silent }: { endpoint: Endpoint; silent: boolean }) {
  const { t, lang } = useTexts();
  const seen = parseTime(endpoint.last_seen);
  return (
    <li className="row blind-line">
      <Link className="row-link" to={`/endpoints/${endpoint.id}`}>
        <Safe text={endpoint.name} />
      </Link>
      {endpoint.practice && <PracticeTag />}
      {silent && <EndpointStateBadge state={endpoint.state} />}
      <span className="small muted grow">
        {silent && (seen ? t('overview.blindSilent', { time: dateTimeText(seen, lang) }) : t('overview.blindNever'))}
        {!silent && t('overview.blindSpots', { count: endpoint.sensors.blind.length })}
      </span>
    </li>
  );
}

export function Blind({ overview, endpoints }: { overview: Overview; endpoints: Endpoint[] }) {
  const { t, lang } = useTexts();
  const silent = endpoints.filter((e) => overview.completeness.silent.includes(e.id));
  const blind = endpoints.filter((e) => e.state !== 'revoked' && e.sensors.blind.length > 0 && !silent.includes(e));
  const losses = overview.completeness.losses;
  return (
    <Card title={t('overview.blind')}>
      <div className="stack-tight">
        {silent.length === 0 && losses === 0 && (
          <p className="note tone-ok">
            <Icon name="check" />
            {t('overview.blindNone')}
          </p>
        )}
        {losses > 0 && (
          <p className="note tone-warn">
            <Icon name="alert" />
            {t('overview.losses', { count: numberText(losses, lang) })}
          </p>
        )}
        <ul>
          {silent.map((e) => (
            <Line key={e.id} endpoint={e} silent />
          ))}
          {blind.slice(0, 8).map((e) => (
            <Line key={e.id} endpoint={e} silent={false} />
          ))}
        </ul>
      </div>
    </Card>
  );
}
