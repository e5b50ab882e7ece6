/* The events that travelled with the alert itself: the deciding one, then the process and its
 * ancestors. They are there even when the rest of the record is not. */
import { useState } from 'react';
import type { EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { eventKey, summary, text } from '../../lib/event';
import { Code } from '../../ui/safe';
import { EventDrawer } from '../events/details';

function Item({ event, onOpen }: { event: EventJson; onOpen: () => void }) {
  const { name, lang } = useTexts();
  return (
    <li>
      <button type="button" className="tl-open" onClick={onOpen}>
        {name('action', `${text(event, 'class')}.${text(event, 'action')}`)}
      </button>
      <div className="cmd">
        <Code text={summary(event, lang)} />
      </div>
    </li>
  );
}

export function Evidence({ events }: { events: EventJson[] }) {
  const { t } = useTexts();
  const [open, setOpen] = useState<EventJson | null>(null);
  const [deciding, ...ancestors] = events;
  if (!deciding) return <p className="muted">{t('alert.evidenceNone')}</p>;
  return (
    <div className="stack-tight">
      <h3>{t('alert.evidenceFirst')}</h3>
      <ul className="stack-tight">
        <Item event={deciding} onOpen={() => setOpen(deciding)} />
      </ul>
      {ancestors.length > 0 && (
        <>
          <h3>{t('alert.evidenceProcess')}</h3>
          <ul className="stack-tight">
            {ancestors.map((e, i) => (
              <Item key={`${eventKey(e)}/${i}`} event={e} onOpen={() => setOpen(e)} />
            ))}
          </ul>
        </>
      )}
      {open && <EventDrawer event={open} onClose={() => setOpen(null)} />}
    </div>
  );
}
