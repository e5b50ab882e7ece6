/* Which address shows which page. */
import { Link, Route, Routes } from 'react-router-dom';
import { useTexts } from './i18n';
import { AlertPage } from './pages/alert/alert';
import { AlertsPage } from './pages/alerts/alerts';
import { AddEndpointPage } from './pages/endpoints/add';
import { EndpointPage } from './pages/endpoints/detail';
import { EndpointsPage } from './pages/endpoints/list';
import { EventsPage } from './pages/events/events';
import { OverviewPage } from './pages/overview/overview';
import { StoriesPage } from './pages/stories/stories';
import { StoryPage } from './pages/stories/story';
import { ContentPage } from './pages/settings/content';
import { ExceptionsPage } from './pages/settings/exceptions';
import { AuditPage } from './pages/settings/audit';
import { RulesPage } from './pages/settings/rules';
import { Layout, PageHead } from './shell/layout';
import { LiveUpdates } from './shell/live';

function Missing() {
  const { t } = useTexts();
  return (
    <>
      <PageHead title={t('missing.title')} titleText={t('missing.title')} />
      <p>
        <Link to="/">{t('missing.home')}</Link>
      </p>
    </>
  );
}

export function App() {
  return (
    <LiveUpdates>
      <Routes>
        <Route element={<Layout />}>
          <Route index element={<OverviewPage />} />
          <Route path="stories" element={<StoriesPage />} />
          <Route path="stories/:id" element={<StoryPage />} />
          <Route path="alerts" element={<AlertsPage />} />
          <Route path="alerts/:id" element={<AlertPage />} />
          <Route path="endpoints" element={<EndpointsPage />} />
          <Route path="endpoints/add" element={<AddEndpointPage />} />
          <Route path="endpoints/:id" element={<EndpointPage />} />
          <Route path="events" element={<EventsPage />} />
          <Route path="rules" element={<RulesPage />} />
          <Route path="content" element={<ContentPage />} />
          <Route path="exceptions" element={<ExceptionsPage />} />
          <Route path="audit" element={<AuditPage />} />
          <Route path="*" element={<Missing />} />
        </Route>
      </Routes>
    </LiveUpdates>
  );
}
