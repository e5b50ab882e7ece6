/* Add endpoint: a form, one line to run, and the news that the machine has come. */
import { useRef, useState, type FormEvent } from 'react';
import { Link } from 'react-router-dom';
import { useEndpoints, useMakeToken } from '../../api/queries';
import type { Endpoint, EnrollmentTokenCreated } from '../../api/types';
import { useTexts, type TextKey } from '../../i18n';
import { dateTimeText, parseTime } from '../../lib/time';
import { PageHead } from '../../shell/layout';
import { Icon } from '../../ui/icons';
import { Card, CopyButton, Field } from '../../ui/parts';
import { Safe } from '../../ui/safe';
import { FormError } from '../../ui/states';
import { useNow } from '../../ui/time';
import { Tokens } from './tokens';

const lifetimes: [number, TextKey][] = [
  [3600, 'enroll.1h'],
  [86400, 'enroll.24h'],
  [604800, 'enroll.7d'],
];

interface Made {
  token: EnrollmentTokenCreated;
  known: Set<string>;
  at: number;
}

export function newcomers(all: Endpoint[], known: ReadonlySet<string>): Endpoint[] {
  return all.filter((e) => !known.has(e.id));
}

function TokenForm({ onMade }: { onMade: (m: Made) => void }) {
  const { t } = useTexts();
  const endpoints = useEndpoints();
  const make = useMakeToken();
  const [group, setGroup] = useState('default');
  const [uses, setUses] = useState(1);
  const [seconds, setSeconds] = useState(3600);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const known = new Set((endpoints.data ?? []).map((x) => x.id));
    make.mutate({ group: group.trim(), uses, expires_s: seconds }, { onSuccess: (token) => onMade({ token, known, at: Date.now() }) });
  };
  return (
    <form className="stack" onSubmit={submit}>
      <div className="form-grid">
        <Field label={t('enroll.group')} hint={t('enroll.groupHint')}>
          {(p) => <input {...p} name="group" required maxLength={64} value={group} onChange={(e) => setGroup(e.target.value)} />}
        </Field>
        <Field label={t('enroll.uses')}>{(p) => <input {...p} name="uses" type="number" min={1} max={100000} required value={uses} onChange={(e) => setUses(Number(e.target.value))} />}</Field>
        <Field label={t('enroll.expiry')}>
          {(p) => (
            <select {...p} value={seconds} onChange={(e) => setSeconds(Number(e.target.value))}>
              {lifetimes.map(([s, label]) => (
                <option key={s} value={s}>
                  {t(label)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <FormError error={make.error} />
      <div>
        <button type="submit" className="btn btn-main" disabled={make.isPending || !endpoints.isSuccess}>
          {t('enroll.make')}
        </button>
      </div>
    </form>
  );
}

function Arrivals({ made }: { made: Made }) {
  const { t } = useTexts();
  useNow(1000);
  const endpoints = useEndpoints();
  const seen = useRef(new Map<string, number>());
  const joined = newcomers(endpoints.data ?? [], made.known);
  for (const e of joined) if (!seen.current.has(e.id)) seen.current.set(e.id, Date.now());
  return (
    <div className="stack-tight" role="status">
      {joined.map((e) => (
        <p key={e.id} className="note tone-ok">
          <Icon name="check" />
          <span className="grow">
            <strong>
              <Safe text={t('enroll.joined', { name: e.name })} />
            </strong>{' '}
            <span className="small num">{t('enroll.joinedAfter', { seconds: Math.round(((seen.current.get(e.id) ?? made.at) - made.at) / 1000) })}</span>
          </span>
          <Link to={`/endpoints/${e.id}`}>{t('enroll.openEndpoint')}</Link>
        </p>
      ))}
      {joined.length === 0 && (
        <p className="note">
          <span className="pulse" aria-hidden="true" />
          <span>
            <strong>{t('enroll.waiting')}</strong>
            <br />
            <span className="muted">{t('enroll.waitingHint')}</span>
          </span>
        </p>
      )}
    </div>
  );
}

function Command({ made, onAgain }: { made: Made; onAgain: () => void }) {
  const { t, lang } = useTexts();
  const { token } = made;
  const expires = parseTime(token.expires);
  const text = token.command || token.token;
  return (
    <div className="stack">
      {!token.command && (
        <p className="note tone-warn">
          <Icon name="alert" />
          <span>
            <Safe text={token.package.note || t('enroll.noPackage')} />
          </span>
        </p>
      )}
      <div className="stack-tight">
        <h3>{token.command ? t('enroll.command') : t('enroll.tokenOnly')}</h3>
        <code className="codebox" data-testid="enroll-command">
          {text}
        </code>
        <div className="row">
          <CopyButton text={text} />
          <span className="small muted num">{expires && t('enroll.expires', { time: dateTimeText(expires, lang) })}</span>
        </div>
        <p className="note tone-ember">
          <Icon name="eyeOff" />
          {t('enroll.once')}
        </p>
      </div>
      <Arrivals made={made} />
      <div>
        <button type="button" className="btn" onClick={onAgain}>
          {t('enroll.another')}
        </button>
      </div>
    </div>
  );
}

export function AddEndpointPage() {
  const { t } = useTexts();
  const [made, setMade] = useState<Made | null>(null);
  return (
    <>
      <PageHead title={t('enroll.title')} titleText={t('enroll.title')} />
      <div className="two-one">
        <Card title={t('enroll.title')}>
          <div className="stack">
            <p>{t('enroll.intro')}</p>
            <p className="small muted">{t('enroll.observe')}</p>
            {made ? <Command made={made} onAgain={() => setMade(null)} /> : <TokenForm onMade={setMade} />}
          </div>
        </Card>
        <Tokens />
      </div>
    </>
  );
}
