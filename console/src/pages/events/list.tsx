/* Many events in a window of few rows. Each row is one button, so the keyboard can walk and open it. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import type { EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { moment, summary, text } from '../../lib/event';
import { Safe } from '../../ui/safe';
import { Moment } from '../../ui/time';
import type { Numbered } from './buffer';

const ROW_PX = 34;
const NARROW_ROW_PX = 62;

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

function Line({ event }: { event: EventJson }) {
  const { name, lang } = useTexts();
  const cls = text(event, 'class');
  return (
    <>
      <span className="ev-time">
        <Moment value={moment(event)} style="millis" />
      </span>
      <span className="ev-action" data-class={cls}>
        {name('action', `${cls}.${text(event, 'action')}`)}
      </span>
      <span className="ev-host">
        <Safe text={text(event, 'host')} />
      </span>
      <span className="ev-proc">
        <Safe text={baseName(text(event, 'process.image') || text(event, 'process.name'))} />
      </span>
      <span className="ev-what mono">
        <Safe text={summary(event, lang)} />
      </span>
    </>
  );
}

export function EventList({ rows, onOpen }: { rows: Numbered[]; onOpen: (e: EventJson) => void }) {
  const { t } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const narrow = window.matchMedia('(max-width: 860px)').matches;
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => (narrow ? NARROW_ROW_PX : ROW_PX),
    overscan: 12,
    getItemKey: (i) => rows[i]?.id ?? i,
  });
  return (
    <div>
      <div className="ev-head" aria-hidden="true">
        <span>{t('events.time')}</span>
        <span>{t('events.class')}</span>
        <span>{t('events.endpoint')}</span>
        <span>{t('events.who')}</span>
        <span>{t('events.what')}</span>
      </div>
      {/* a scrolling region must be reachable by keyboard */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div ref={box} className="ev-box" role="region" aria-label={t('events.list')} tabIndex={0}>
        <ul className="ev-list" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return row ? (
              <li key={item.key} style={{ transform: `translateY(${item.start}px)`, height: item.size }}>
                <button type="button" className="ev-row" onClick={() => onOpen(row.event)}>
                  <Line event={row.event} />
                </button>
              </li>
            ) : null;
          })}
        </ul>
      </div>
    </div>
  );
}
