/* The stream of events as it comes. Frames are gathered for 200 ms so that a flood costs one render. */
import { useEffect, useReducer, useRef, useState } from 'react';
import { withQuery } from '../../api/client';
import { openStream, type LinkState } from '../../api/stream';
import type { EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { numberText } from '../../lib/time';
import { Icon } from '../../ui/icons';
import { Empty } from '../../ui/states';
import { emptyBuffer, setPaused, take, type Buffer } from './buffer';
import { EventList } from './list';

const GATHER_MS = 200;

type Step = { kind: 'batch'; events: EventJson[] } | { kind: 'pause'; paused: boolean } | { kind: 'clear' };

function step(b: Buffer, s: Step): Buffer {
  if (s.kind === 'batch') return take(b, s.events);
  if (s.kind === 'pause') return setPaused(b, s.paused);
  return { ...emptyBuffer, received: b.received, paused: b.paused };
}

function useLiveEvents(endpoint: string, cls: string, q: string) {
  const [buffer, dispatch] = useReducer(step, emptyBuffer);
  const [dropped, setDropped] = useState(0);
  const [link, setLink] = useState<LinkState>('connecting');
  const waiting = useRef<EventJson[]>([]);
  useEffect(() => {
    dispatch({ kind: 'clear' });
    const flush = setInterval(() => {
      if (waiting.current.length === 0) return;
      dispatch({ kind: 'batch', events: waiting.current });
      waiting.current = [];
    }, GATHER_MS);
    const make = (url: string) => {
      const source = new EventSource(url, { withCredentials: true });
      source.addEventListener('dropped', (e) => {
        try {
          setDropped((n) => n + Number((JSON.parse((e as MessageEvent<string>).data) as { count?: number }).count ?? 0));
        } catch {
          setDropped((n) => n + 1);
        }
      });
      return source;
    };
    const stop = openStream({
      url: withQuery('/events/stream', { endpoint, class: cls, q }),
      event: 'event',
      make,
      onState: setLink,
      onData: (data) => {
        try {
          waiting.current.push(JSON.parse(data) as EventJson);
        } catch {
          setDropped((n) => n + 1);
        }
      },
    });
    return () => {
      stop();
      clearInterval(flush);
      waiting.current = [];
    };
  }, [endpoint, cls, q]);
  return { buffer, dispatch, dropped, link };
}

export function LiveEvents({ endpoint, cls, q, onOpen }: { endpoint: string; cls: string; q: string; onOpen: (e: EventJson) => void }) {
  const { t, lang } = useTexts();
  const { buffer, dispatch, dropped, link } = useLiveEvents(endpoint, cls, q);
  return (
    <section className="card events-card" aria-label={t('events.list')}>
      <div className="card-head">
        <div className="row small">
          <span className={`linkdot ${link}`} aria-hidden="true" />
          <span role="status">{buffer.paused ? t('events.paused', { count: numberText(buffer.held.length, lang) }) : t(`link.${link}`)}</span>
          <span className="muted num">{t('events.rate', { count: numberText(buffer.received, lang) })}</span>
        </div>
        <div className="row">
          <button type="button" className="btn btn-small" onClick={() => dispatch({ kind: 'pause', paused: !buffer.paused })}>
            <Icon name={buffer.paused ? 'play' : 'pause'} size={14} />
            {buffer.paused ? t('events.resume') : t('events.pause')}
          </button>
          <button type="button" className="btn btn-small btn-quiet" onClick={() => dispatch({ kind: 'clear' })}>
            {t('events.clear')}
          </button>
        </div>
      </div>
      {dropped > 0 && <p className="note tone-warn">{t('events.dropped', { count: numberText(dropped, lang) })}</p>}
      {buffer.rows.length === 0 ? <Empty icon="events" title={t('events.waiting')} hint={t('events.waitingHint')} /> : <EventList rows={buffer.rows} onOpen={onOpen} />}
    </section>
  );
}
