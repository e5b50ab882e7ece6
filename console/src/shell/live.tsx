/* The one long-lived connection of a signed-in page. Owns: whether we are live, and which data a
 * "changed" message makes stale. */
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from 'react';
import { markChanged } from '../api/queries';
import { openStream, type LinkState } from '../api/stream';

const Context = createContext<LinkState>('connecting');

export const useLinkState = (): LinkState => useContext(Context);

export function LiveUpdates({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<LinkState>('connecting');
  const wasLost = useRef(false);
  useEffect(
    () =>
      openStream({
        url: '/api/v1/stream',
        event: 'changed',
        onData: (data) => {
          try {
            const change = JSON.parse(data) as { kind?: unknown; id?: unknown };
            markChanged(client, String(change.kind ?? ''), String(change.id ?? ''));
          } catch {
            void client.invalidateQueries();
          }
        },
        onState: (next) => {
          if (next === 'lost') wasLost.current = true;
          if (next === 'live' && wasLost.current) {
            wasLost.current = false;
            void client.invalidateQueries();
          }
          setState(next);
        },
      }),
    [client],
  );
  return <Context.Provider value={state}>{children}</Context.Provider>;
}
