/* Other alerts that the same process tree raised: one attack, several signs. */
import { Link } from 'react-router-dom';
import { useAlerts } from '../../api/queries';
import type { AlertDetail } from '../../api/types';
import { useTexts } from '../../i18n';
import { SeverityBadge } from '../../ui/badges';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { Moment } from '../../ui/time';

export function Related({ alert }: { alert: AlertDetail }) {
  const { t, lang } = useTexts();
  const near = useAlerts({ endpoint: alert.endpoint.id, limit: 200 });
  const items = alert.tree_key ? (near.data?.items ?? []).filter((a) => a.tree_key === alert.tree_key && a.id !== alert.id) : [];
  if (items.length === 0) return null;
  return (
    <Card title={t('alert.related')}>
      {alert.story && (
        <p className="small">
          <Link to={`/stories/${alert.story}`}>{t('story.open')}</Link>
        </p>
      )}
      <ul className="stack-tight">
        {items.map((a) => (
          <li key={a.id} className="row small">
            <SeverityBadge severity={a.severity} />
            <span className="muted">
              <Moment value={a.event_time} style="millis" />
            </span>
            <Link className="related-link" to={`/alerts/${a.id}`}>
              <Safe text={lang === 'ja' ? a.title_ja || a.title : a.title} />
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
