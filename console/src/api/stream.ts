/* Server-sent events with a reconnect of our own: EventSource gives up for good after an HTTP
 * error, and a console on a wall must come back by itself. */

export type LinkState = 'connecting' | 'live' | 'lost';

export interface StreamOptions {
  url: string;
  event: string;
  onData: (data: string) => void;
  onState: (state: LinkState) => void;
  make?: (url: string) => EventSource;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

export function nextWait(previous: number): number {
  return Math.min(LONGEST_WAIT_MS, previous === 0 ? FIRST_WAIT_MS : previous * 2);
}

/* Opens now, reopens until the returned function is called. */
export function openStream(o: StreamOptions): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = 0;
  let closed = false;

  const open = () => {
    if (closed) return;
    o.onState('connecting');
    source = (o.make ?? ((url) => new EventSource(url, { withCredentials: true })))(o.url);
    source.onopen = () => {
      wait = 0;
      o.onState('live');
    };
    source.addEventListener(o.event, (e) => o.onData((e as MessageEvent<string>).data));
    source.onerror = () => {
      source?.close();
      if (closed) return;
      o.onState('lost');
      wait = nextWait(wait);
      timer = setTimeout(open, wait);
    };
  };
  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}
