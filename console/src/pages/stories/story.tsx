/* One attack: how bad, where, which steps, and its alerts; the worst one leads to tree and response. */
import { Link, Navigate, useParams } from 'react-router-dom';
import { useStory } from '../../api/queries';
import type { StoryDetail } from '../../api/types';
import { useTexts } from '../../i18n';
import { AlertTable } from '../alerts/alerts';
import { PageHead } from '../../shell/layout';
import { Badge, PracticeTag, SeverityBadge } from '../../ui/badges';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';
import { Code, Safe } from '../../ui/safe';
import { Loaded } from '../../ui/states';
import { Moment } from '../../ui/time';
import { RiskBadge } from './risk';
import { Steps } from './stories';

function Facts({ story }: { story: StoryDetail }) {
  const { t } = useTexts();
  return (
    <dl className="alert-facts">
      <div>
        <dt>{t('alert.where')}</dt>
        <dd>
          <Link to={`/endpoints/${story.endpoint.id}`}>
            <Safe text={story.endpoint.name} />
          </Link>{' '}
          {story.endpoint.practice && <PracticeTag />}
        </dd>
      </div>
      <div>
        <dt>{t('alert.who')}</dt>
        <dd>
          <Safe text={story.user || t('common.unknown')} />
        </dd>
      </div>
      <div>
        <dt>{t('story.span')}</dt>
        <dd>
          <Moment value={story.first_time ?? ''} />
          <div className="small muted">
            <Moment value={story.last_time ?? ''} />
          </div>
        </dd>
      </div>
      <div>
        <dt>{t('story.steps')}</dt>
        <dd>{story.tactics.length ? <Steps tactics={story.tactics} /> : t('common.none')}</dd>
      </div>
      <div className="fact-wide">
        <dt>{t('alert.process')}</dt>
        <dd>
          <Code text={story.image || t('common.unknown')} />
        </dd>
      </div>
      <div className="fact-wide">
        <dt>{t('alert.techniques')}</dt>
        <dd className="row">
          {story.techniques.map((x) => (
            <Badge key={x} tone="info">
              {x}
            </Badge>
          ))}
          {story.techniques.length === 0 && t('common.none')}
        </dd>
      </div>
    </dl>
  );
}

function Page({ story }: { story: StoryDetail }) {
  const { t, lang } = useTexts();
  const title = lang === 'ja' ? story.title_ja || story.title : story.title;
  if (story.merged_into) return <Navigate to={`/stories/${story.merged_into}`} replace />;
  return (
    <>
      <Link className="back" to="/stories">
        <Icon name="back" size={16} />
        {t('story.back')}
      </Link>
      <PageHead title={<Safe text={title} />} titleText={title}>
        <RiskBadge risk={story.risk} />
        {story.severity && <SeverityBadge severity={story.severity} />}
        <Badge tone={story.open_alerts ? 'ember' : 'calm'}>{story.open_alerts ? t('story.openAlerts', { count: story.open_alerts }) : t('story.closed')}</Badge>
      </PageHead>
      <section className="card why" data-severity={story.severity ?? 'informational'}>
        <div className="card-body stack">
          <Facts story={story} />
          <p>
            <Link className="btn btn-primary" to={`/alerts/${story.lead}`}>
              <Icon name="target" />
              {t('story.lead')}
            </Link>
          </p>
        </div>
      </section>
      <Card flush title={t('story.alerts', { count: story.alerts })}>
        <AlertTable items={story.items} />
      </Card>
      <p className="small muted">{t('story.riskHint')}</p>
    </>
  );
}

export function StoryPage() {
  const id = useParams()['id'] ?? '';
  const query = useStory(id);
  return <Loaded query={query}>{(story) => <Page key={story.id} story={story} />}</Loaded>;
}
