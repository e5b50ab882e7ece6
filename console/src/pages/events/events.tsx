/* Live events and their history, with one set of filters kept in the address. */
import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { useEndpoints } from '../../api/queries';
import { eventClasses, type EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { visible } from '../../lib/visible';
import { PageHead } from '../../shell/layout';
import { useSession } from '../../shell/session';
import { EventDrawer } from './details';
import { HistoryEvents } from './history';
import { LiveEvents } from './live';

const TYPING_MS = 400;

/* The text filter as typed, and as settled enough to ask the server for. */
function useSettled(value: string): string {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export function EventsPage() {
  const { t, name } = useTexts();
  const { may } = useSession();
  const [params, setParams] = useSearchParams();
  const endpoints = useEndpoints();
  const [open, setOpen] = useState<EventJson | null>(null);
  const read = (k: string) => params.get(k) ?? '';
  const q = useSettled(read('q'));
  const history = read('mode') === 'history' && may('hunt');
  const set = (key: string, value: string) =>
    setParams(
      (p) => {
        if (value) p.set(key, value);
        else p.delete(key);
        if (key === 'mode') p.delete('process');
        return p;
      },
      { replace: true },
    );
  return (
    <>
      <PageHead title={t('events.title')} titleText={t('events.title')}>
        {may('hunt') && (
          <div className="switch" role="group" aria-label={t('events.title')}>
            <button type="button" aria-pressed={!history} onClick={() => set('mode', '')}>
              {t('events.live')}
            </button>
            <button type="button" aria-pressed={history} onClick={() => set('mode', 'history')}>
              {t('events.history')}
            </button>
          </div>
        )}
      </PageHead>
      <div className="filters">
        <input className="input" type="search" aria-label={t('events.text')} placeholder={t('events.textHint')} maxLength={256} value={read('q')} onChange={(e) => set('q', e.target.value)} />
        <select className="input" aria-label={t('events.endpoint')} value={read('endpoint')} onChange={(e) => set('endpoint', e.target.value)}>
          <option value="">{`${t('events.endpoint')}: ${t('common.all')}`}</option>
          {(endpoints.data ?? []).map((e) => (
            <option key={e.id} value={e.id}>
              {visible(e.name)}
            </option>
          ))}
        </select>
        <select className="input" aria-label={t('events.class')} value={read('class')} onChange={(e) => set('class', e.target.value)}>
          <option value="">{`${t('events.class')}: ${t('common.all')}`}</option>
          {eventClasses.map((c) => (
            <option key={c} value={c}>
              {name('class', c)}
            </option>
          ))}
        </select>
      </div>
      {history ? (
        <HistoryEvents endpoint={read('endpoint')} cls={read('class')} q={q} process={read('process')} onOpen={setOpen} />
      ) : (
        <LiveEvents endpoint={read('endpoint')} cls={read('class')} q={q} onOpen={setOpen} />
      )}
      {open && <EventDrawer event={open} onClose={() => setOpen(null)} />}
    </>
  );
}
