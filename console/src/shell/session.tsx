/* Who is signed in. Owns: the session, the gate before it, and the first change of password. Pages
 * behind the gate can rely on a session. */
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { ApiError, call, setCsrf, setSignedOutHandler } from '../api/client';
import type { Permission, Session } from '../api/types';
import { hasChosenLanguage, setLanguage } from '../i18n';
import { Failed, Loading } from '../ui/states';
import { PasswordPage, SignInPage } from './signin';

interface Gate {
  session: Session;
  signOut: () => Promise<void>;
  may: (permission: Permission) => boolean;
}

const Context = createContext<Gate | null>(null);

export function useSession(): Gate {
  const gate = useContext(Context);
  if (!gate) throw new Error('outside the session gate');
  return gate;
}

type State = { kind: 'asking' } | { kind: 'failed'; error: unknown } | { kind: 'out'; ended: boolean } | { kind: 'in'; session: Session };

async function ask(): Promise<State> {
  try {
    return { kind: 'in', session: await call<Session>('GET', '/session', { quiet401: true }) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return { kind: 'out', ended: false };
    return { kind: 'failed', error };
  }
}

export function SessionGate({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<State>({ kind: 'asking' });

  const enter = useCallback((next: State) => {
    setCsrf(next.kind === 'in' ? next.session.csrf : '');
    if (next.kind === 'in' && !hasChosenLanguage()) void setLanguage(next.session.language, false);
    setState(next);
  }, []);
  const refresh = useCallback(() => void ask().then(enter), [enter]);

  useEffect(refresh, [refresh]);
  useEffect(() => {
    setSignedOutHandler(() => {
      client.clear();
      void ask().then((next) => enter(next.kind === 'out' ? { kind: 'out', ended: true } : next));
    });
  }, [client, enter]);

  const signOut = useCallback(async () => {
    await call('DELETE', '/session', { quiet401: true }).catch(() => undefined);
    client.clear();
    enter({ kind: 'out', ended: false });
  }, [client, enter]);

  const gate = useMemo<Gate | null>(
    () => (state.kind === 'in' ? { session: state.session, signOut, may: (p) => state.session.permissions.includes(p) } : null),
    [state, signOut],
  );

  if (state.kind === 'asking') return <Loading />;
  if (state.kind === 'failed') return <Failed error={state.error} retry={refresh} />;
  if (state.kind === 'out') return <SignInPage ended={state.ended} onSession={(session) => enter({ kind: 'in', session })} />;
  if (state.session.must_change_password) return <PasswordPage onDone={refresh} />;
  return <Context.Provider value={gate}>{children}</Context.Provider>;
}
