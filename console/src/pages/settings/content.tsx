/* Detection content: which versions there are, which ring has which and how it bears it, where
 * content comes from. Publishing and taking back are asked for twice. */
import { useState } from 'react';
import { useContent, useContentSources, usePullSource } from '../../api/queries';
import type { Content, ContentSource, ContentVersion } from '../../api/types';
import { useTexts } from '../../i18n';
import { PageHead } from '../../shell/layout';
import { useSession } from '../../shell/session';
import { Badge } from '../../ui/badges';
import { Card } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { Empty, Loaded } from '../../ui/states';
import { Moment } from '../../ui/time';
import { PublishDialog, TakeBackDialog } from './content_dialogs';

function VersionName({ version }: { version: number }) {
  const { t } = useTexts();
  return <span className="num">{version === 0 ? t('content.packaged') : version}</span>;
}

function State({ content, onTakeBack }: { content: Content; onTakeBack: () => void }) {
  const { t, name } = useTexts();
  const { may } = useSession();
  const r = content.rollout;
  const stage = r.stage ?? 'idle';
  const something = (r.stable ?? 0) > 0 || (r.candidate ?? 0) > 0;
  return (
    <Card
      title={t('content.stage')}
      aside={
        something && stage !== 'returning' && may('manage') ? (
          <button type="button" className="btn btn-small" onClick={onTakeBack}>
            {t('content.rollback')}
          </button>
        ) : undefined
      }
    >
      <p className="row">
        <Badge tone={stage === 'idle' ? 'ok' : stage === 'returning' ? 'bad' : 'info'}>{name('contentStage', stage)}</Badge>
        <span>
          {t('content.stable')}: <VersionName version={r.stable ?? 0} />
        </span>
        <span>
          {t('content.candidate')}: <span className="num">{r.candidate ? r.candidate : t('content.none')}</span>
        </span>
      </p>
      {r.reason && (
        <p className="small" data-testid="content-reason">
          {t('content.reason')}: <Safe text={r.reason} />
        </p>
      )}
    </Card>
  );
}

function Rings({ rings }: { rings: Content['rings'] }) {
  const { t, name } = useTexts();
  return (
    <Card title={t('content.rings')} flush>
      <div className="table-wrap">
        <table className="table" aria-label={t('content.rings')}>
          <thead>
            <tr>
              {(['content.ring', 'content.version', 'content.endpoints', 'content.current', 'content.unhealthy'] as const).map((h) => (
                <th key={h} scope="col">
                  {t(h)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rings.map((r) => (
              <tr key={r.name}>
                <td>{name('ring', r.name ?? 'all')}</td>
                <td>
                  <VersionName version={r.target ?? 0} />
                </td>
                <td className="num">{r.endpoints}</td>
                <td className="num">{r.current}</td>
                <td>{r.unhealthy ? <Badge tone="bad">{r.unhealthy}</Badge> : <span className="num">0</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function VersionRow({ v, content, onPublish }: { v: ContentVersion; content: Content; onPublish: () => void }) {
  const { t } = useTexts();
  const { may } = useSession();
  const newest = Math.max(content.rollout.stable ?? 0, content.rollout.candidate ?? 0);
  return (
    <tr>
      <td className="num">{v.version}</td>
      <td>
        <Safe text={v.origin} />
        {v.note && (
          <div className="small muted">
            <Safe text={v.note} />
          </div>
        )}
        <div className="only-narrow tiny muted">
          <Moment value={v.created} />
        </div>
      </td>
      <td className="num">{v.rules}</td>
      <td>{v.refused > 0 ? <Badge tone="warn">{v.refused}</Badge> : <span className="num">0</span>}</td>
      <td className="col-wide">
        <Moment value={v.created} />
      </td>
      <td>
        {v.version > newest && content.rollout.stage !== 'returning' && may('manage') && (
          <button type="button" className="btn btn-small btn-main" onClick={onPublish}>
            {t('content.publish')}
          </button>
        )}
      </td>
    </tr>
  );
}

function Versions({ content, onPublish }: { content: Content; onPublish: (version: number) => void }) {
  const { t } = useTexts();
  if (content.versions.length === 0)
    return (
      <div className="card">
        <Empty icon="rules" title={t('content.noVersions')} hint={t('content.noVersionsHint')} />
      </div>
    );
  return (
    <Card title={t('content.versions')} flush>
      <div className="table-wrap">
        <table className="table" aria-label={t('content.versions')}>
          <thead>
            <tr>
              {(['content.version', 'content.origin', 'content.rules', 'content.refused'] as const).map((h) => (
                <th key={h} scope="col">
                  {t(h)}
                </th>
              ))}
              <th scope="col" className="col-wide">
                {t('content.created')}
              </th>
              <th scope="col">
                <span className="sr-only">{t('content.publish')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {content.versions.map((v) => (
              <VersionRow key={v.version} v={v} content={content} onPublish={() => onPublish(v.version)} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Source({ s }: { s: ContentSource }) {
  const { t } = useTexts();
  const { may } = useSession();
  const pull = usePullSource();
  return (
    <li className="stack-tight">
      <div className="row">
        <strong className="grow">
          <Safe text={s.name} />
        </strong>
        <span className="num small">{t('content.items', { count: s.items })}</span>
        {may('manage') && (
          <button type="button" className="btn btn-small" disabled={pull.isPending} onClick={() => pull.mutate(s.name)}>
            {t('content.pull')}
          </button>
        )}
      </div>
      <p className="small muted">
        {s.kind} · <Safe text={s.url} />
      </p>
      <p className="small muted row">
        <span>
          {t('content.lastPull')}: <Moment value={s.good ?? null} />
        </span>
        <span>
          {t('content.nextPull')}: <Moment value={s.next ?? null} />
        </span>
      </p>
      {s.error && (
        <p className="small">
          <Badge tone="bad">{s.failures}</Badge> <Safe text={s.error} />
        </p>
      )}
    </li>
  );
}

function Sources() {
  const { t } = useTexts();
  const query = useContentSources();
  return (
    <Card title={t('content.sources')}>
      <Loaded query={query}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="network" title={t('content.noSources')} hint={t('content.noSourcesHint')} />
          ) : (
            <ul className="stack plain-list">
              {items.map((s) => (
                <Source key={s.name} s={s} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

function Log({ log }: { log: Content['log'] }) {
  const { t, name } = useTexts();
  return (
    <Card title={t('content.log')}>
      {log.length === 0 && <p className="muted small">{t('content.noLog')}</p>}
      <ul className="stack-tight plain-list">
        {log.slice(0, 15).map((l, i) => (
          <li key={i} className="small">
            <Moment value={l.time ?? null} /> · {l.version ? <span className="num">{l.version} </span> : null}
            {name('contentEvent', l.event ?? 'built')} {l.text && <Safe text={l.text} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function ContentPage() {
  const { t } = useTexts();
  const query = useContent();
  const [version, setVersion] = useState<number | null>(null);
  const [back, setBack] = useState(false);
  return (
    <>
      <PageHead title={t('content.title')} titleText={t('content.title')} />
      <p className="muted small">{t('content.hint')}</p>
      <Loaded query={query}>
        {(content) => (
          <div className="stack">
            <State content={content} onTakeBack={() => setBack(true)} />
            <Rings rings={content.rings} />
            <Versions content={content} onPublish={setVersion} />
            <Sources />
            <Log log={content.log} />
          </div>
        )}
      </Loaded>
      {version !== null && <PublishDialog version={version} onClose={() => setVersion(null)} />}
      {back && <TakeBackDialog onClose={() => setBack(false)} />}
    </>
  );
}
