/* One event with all its fields, each named in plain words beside its name in the event table. */
import { Link } from 'react-router-dom';
import type { EventJson } from '../../api/types';
import { useTexts, type Texts } from '../../i18n';
import { fieldOrder, flagKeys, moment, summary, text } from '../../lib/event';
import { Dialog } from '../../ui/dialog';
import { Safe } from '../../ui/safe';
import { Moment } from '../../ui/time';

const stdioFields = new Set(['process.stdin', 'process.stdout', 'process.stderr']);
const protocols: Record<string, string> = { '1': 'ICMP', '6': 'TCP', '17': 'UDP', '58': 'ICMPv6' };

/* The value as people say it; the raw value stays beside it when it was a number. */
export function plainValue(e: EventJson, field: string, { name }: Pick<Texts, 'name'>): string {
  const value = text(e, field);
  if (field === 'class') return name('class', value);
  if (field === 'action') return name('action', `${text(e, 'class')}.${value}`);
  if (stdioFields.has(field)) return name('stdio', value);
  if (field === 'net.direction') return name('direction', value);
  if (field === 'net.protocol') return protocols[value] ?? value;
  if (field === 'process.flags') {
    const flags = flagKeys(Number(value)).map((k) => name('flag', k));
    return flags.length > 0 ? flags.join(', ') : value;
  }
  if (field === 'file.mode') return `0${(Number(value) & 0o7777).toString(8)}`;
  return value || JSON.stringify((e as Record<string, unknown>)[field]);
}

export function EventFields({ event }: { event: EventJson }) {
  const texts = useTexts();
  return (
    <dl className="fields">
      {fieldOrder(event).map((f) => (
        <div key={f}>
          <dt>
            {texts.name('field', f)} <code className="tiny muted">{f}</code>
          </dt>
          <dd className="mono">{f === '@time' ? <Moment value={moment(event)} /> : <Safe text={plainValue(event, f, texts)} />}</dd>
        </div>
      ))}
    </dl>
  );
}

export function EventDrawer({ event, onClose }: { event: EventJson; onClose: () => void }) {
  const { t, name, lang } = useTexts();
  const process = text(event, 'process.key');
  return (
    <Dialog kind="drawer" title={name('action', `${text(event, 'class')}.${text(event, 'action')}`)} onClose={onClose}>
      <p className="codebox">
        <Safe text={summary(event, lang)} />
      </p>
      {process && (
        <p>
          <Link to={`/events?mode=history&process=${process}`} onClick={onClose}>
            {t('events.openProcess')}
          </Link>
        </p>
      )}
      <EventFields event={event} />
    </Dialog>
  );
}
