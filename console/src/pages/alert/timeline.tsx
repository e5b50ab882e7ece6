/* What the processes of the tree did, in order: process, file, network. Long quiet runs are paged. */
import { useState } from 'react';
import type { EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { eventKey, isSupporting, moment, newPeers, summary, text } from '../../lib/event';
import { Icon, type IconName } from '../../ui/icons';
import { Code, Safe } from '../../ui/safe';
import { Moment } from '../../ui/time';
import { EventDrawer } from '../events/details';

const PAGE = 60;
const icons: Record<string, IconName> = { process: 'process', file: 'file', network: 'network', dns: 'network', finding: 'alert', agent: 'shield', auth: 'user' };

function Entry({ event, peer, deciding, onOpen }: { event: EventJson; peer: string; deciding: boolean; onOpen: () => void }) {
  const { t, name, lang } = useTexts();
  const cls = text(event, 'class');
  return (
    <li className="tl" data-class={cls} data-deciding={deciding}>
      <span className="tl-time">
        <Moment value={moment(event)} style="millis" />
      </span>
      <span className="tl-dot" aria-hidden="true">
        <Icon name={icons[cls] ?? 'events'} size={14} />
      </span>
      <div className="grow">
        <button type="button" className="tl-open" onClick={onOpen}>
          {name('action', `${cls}.${text(event, 'action')}`)}
        </button>{' '}
        <span className="small muted">
          <Safe text={text(event, 'process.image')} /> {text(event, 'process.pid') && <span className="num">{t('alert.pid', { pid: text(event, 'process.pid') })}</span>}
        </span>
        <div className="cmd">
          <Code text={summary(event, lang)} />
        </div>
        {peer && (
          <div className="conn conn-stdio">
            <Icon name="plug" size={14} />
            {t('alert.stdio', { peer })}
          </div>
        )}
      </div>
    </li>
  );
}

export function Timeline({ events, decidingSeq }: { events: EventJson[]; decidingSeq: string }) {
  const { t } = useTexts();
  const [shown, setShown] = useState(PAGE);
  const [all, setAll] = useState(false);
  const [open, setOpen] = useState<EventJson | null>(null);
  const supporting = events.filter(isSupporting).length;
  const told = all ? events : events.filter((e) => !isSupporting(e));
  const peers = newPeers(told);
  if (events.length === 0) return <p className="muted">{t('alert.timelineEmpty')}</p>;
  return (
    <>
      {supporting > 0 && (
        <label className="check small">
          <input type="checkbox" checked={all} onChange={(e) => setAll(e.target.checked)} />
          {t('alert.timelineQuiet', { count: supporting })}
        </label>
      )}
      <ol className="timeline" aria-label={t('alert.timeline')}>
        {told.slice(0, shown).map((e, i) => (
          <Entry key={`${eventKey(e)}/${i}`} event={e} peer={peers[i] ?? ''} deciding={decidingSeq !== '' && text(e, 'seq') === decidingSeq} onOpen={() => setOpen(e)} />
        ))}
      </ol>
      {told.length > shown && (
        <p className="card-more">
          <button type="button" className="btn btn-small" onClick={() => setShown(shown + PAGE * 4)}>
            {t('alert.timelineMore', { count: told.length - shown })}
          </button>
        </p>
      )}
      {open && <EventDrawer event={open} onClose={() => setOpen(null)} />}
    </>
  );
}
