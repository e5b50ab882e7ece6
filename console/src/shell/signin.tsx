/* The two pages before the gate: sign-in, and the first change of password. */
import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { ApiError, call } from '../api/client';
import type { Session } from '../api/types';
import { useTexts, type TextKey } from '../i18n';
import { Logo } from '../ui/logo';
import { Field } from '../ui/parts';
import { FormError, errorText } from '../ui/states';
import { LanguageSelect, ThemeSelect } from './prefs';

function Frame({ title, children }: { title: TextKey; children: ReactNode }) {
  const { t, lang } = useTexts();
  useEffect(() => {
    document.title = t('app.title', { page: t(title) });
  }, [t, title, lang]);
  return (
    <main className="signin">
      <div>
        <div className="signin-brand">
          <Logo size={72} />
          <strong>{t('app.name')}</strong>
          <span>{t('app.tagline')}</span>
        </div>
        <div className="signin-card">
          <h1>{t(title)}</h1>
          {children}
        </div>
        <div className="signin-prefs">
          <LanguageSelect />
          <ThemeSelect />
        </div>
      </div>
    </main>
  );
}

export function SignInPage({ ended, onSession }: { ended: boolean; onSession: (s: Session) => void }) {
  const { t } = useTexts();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      onSession(await call<Session>('POST', '/session', { body: { user, password }, quiet401: true }));
    } catch (error) {
      const status = error instanceof ApiError ? error.status : -1;
      if (status === 401) setProblem(t('signin.wrong'));
      else if (status === 429) setProblem(t('signin.tooMany', { seconds: (error as ApiError).retryAfter ?? 30 }));
      else setProblem(errorText(error, { t }));
      setBusy(false);
    }
  };

  return (
    <Frame title="signin.title">
      {ended && <p className="note">{t('signin.ended')}</p>}
      <form className="stack" onSubmit={(e) => void submit(e)}>
        <Field label={t('signin.user')}>
          {(p) => <input {...p} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={user} onChange={(e) => setUser(e.target.value)} />}
        </Field>
        <Field label={t('signin.password')}>
          {(p) => <input {...p} name="password" type="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />}
        </Field>
        <FormError error={problem} />
        <button type="submit" className="btn btn-main" disabled={busy}>
          {busy ? t('signin.busy') : t('signin.submit')}
        </button>
        <p className="small muted">{t('signin.help')}</p>
      </form>
    </Frame>
  );
}

export const shortestPassword = 12;

export function passwordProblem(old: string, next: string, again: string): TextKey | null {
  if ([...next].length < shortestPassword) return 'password.short';
  if (next === old) return 'password.same';
  if (next !== again) return 'password.differ';
  return null;
}

export function PasswordPage({ onDone }: { onDone: () => void }) {
  const { t } = useTexts();
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    const bad = passwordProblem(old, next, again);
    if (bad) return setProblem(t(bad));
    setBusy(true);
    setProblem(null);
    try {
      await call('POST', '/session/password', { body: { old, new: next }, quiet401: true });
      onDone();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };

  return (
    <Frame title="password.title">
      <p>{t('password.why')}</p>
      <form className="stack" onSubmit={(e) => void submit(e)}>
        <Field label={t('password.old')}>{(p) => <input {...p} name="old" type="password" autoComplete="current-password" required value={old} onChange={(e) => setOld(e.target.value)} />}</Field>
        <Field label={t('password.new')} hint={t('password.rule')}>
          {(p) => <input {...p} name="new" type="password" autoComplete="new-password" required value={next} onChange={(e) => setNext(e.target.value)} />}
        </Field>
        <Field label={t('password.again')}>{(p) => <input {...p} name="again" type="password" autoComplete="new-password" required value={again} onChange={(e) => setAgain(e.target.value)} />}</Field>
        <FormError error={problem} />
        <button type="submit" className="btn btn-main" disabled={busy}>
          {t('password.submit')}
        </button>
      </form>
    </Frame>
  );
}
