/* How complete the evidence is, said before anybody relies on it. */
import type { Completeness } from '../api/types';
import { useTexts } from '../i18n';
import { Icon } from './icons';
import { Safe } from './safe';

export function Statement({ completeness: c }: { completeness: Completeness }) {
  const { t } = useTexts();
  if (c.complete)
    return (
      <p className="note tone-ok">
        <Icon name="check" />
        {t('alert.complete')}
      </p>
    );
  const notes = [...(c.losses > 0 ? [t('alert.lossCount', { count: c.losses })] : []), ...(c.journal_lag > 0 ? [t('alert.lag', { count: c.journal_lag })] : []), ...c.notes];
  return (
    <div className="note tone-warn">
      <Icon name="alert" />
      <div>
        <strong>{t('alert.incomplete')}</strong>
        <ul>
          {notes.map((n, i) => (
            <li key={i}>
              <Safe text={n} />
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
