/* Start: language and theme first, so that nothing flashes; then the gate; then the pages. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';
import { ApiError } from './api/client';
import { App } from './app';
import { startLanguage } from './i18n';
import { followSystemTheme } from './lib/prefs';
import { SessionGate } from './shell/session';
import { Crash } from './ui/crash';
import './styles/tokens.css';
import './styles/base.css';
import './styles/ui.css';
import './styles/states.css';
import './styles/shell.css';
import './styles/pages.css';
import './styles/events.css';
import './styles/alert.css';
import './styles/timeline.css';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
    mutations: { retry: false },
  },
});

async function start(): Promise<void> {
  followSystemTheme();
  await startLanguage();
  const root = document.getElementById('root');
  if (!root) throw new Error('no root element');
  createRoot(root).render(
    <StrictMode>
      <Crash>
        <QueryClientProvider client={client}>
          <SessionGate>
            <BrowserRouter future={{ v7_relativeSplatPath: true, v7_startTransition: true }}>
              <App />
            </BrowserRouter>
          </SessionGate>
        </QueryClientProvider>
      </Crash>
    </StrictMode>,
  );
}

void start();
