/* One way to speak to the server. Owns: the CSRF header, problem+json, the session that ended.
 * Knows no page and keeps no data. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly type: string = '',
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title || `HTTP ${status}`);
  }
  get offline(): boolean {
    return this.status === 0;
  }
}

let csrf = '';
let language = 'ja';
let onSignedOut: () => void = () => undefined;

export function setCsrf(value: string): void {
  csrf = value;
}

export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

export function setAnswerLanguage(value: string): void {
  language = value;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export function withQuery(path: string, query?: Query): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query ?? {})) if (v !== undefined && v !== null && v !== '') q.set(k, String(v));
  const text = q.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

async function failure(response: Response): Promise<ApiError> {
  let title = '';
  let detail = '';
  let type = '';
  try {
    const body: unknown = await response.json();
    if (body && typeof body === 'object') {
      title = String((body as Record<string, unknown>)['title'] ?? '');
      type = String((body as Record<string, unknown>)['type'] ?? '');
      detail = String((body as Record<string, unknown>)['detail'] ?? '');
    }
  } catch {
    /* an answer without a body still has its status */
  }
  const retry = Number(response.headers.get('Retry-After'));
  return new ApiError(response.status, title, detail, type, Number.isFinite(retry) && retry > 0 ? retry : null);
}

async function send(method: string, path: string, query?: Query, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language };
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    return await fetch(withQuery(path, query), init);
  } catch {
    throw new ApiError(0, 'offline', '');
  }
}

export async function call<T>(method: string, path: string, options: { query?: Query; body?: unknown; quiet401?: boolean } = {}): Promise<T> {
  const response = await send(method, path, options.query, options.body);
  if (!response.ok) {
    const error = await failure(response);
    if ((response.status === 401 || error.type.endsWith('/password-change-required')) && !options.quiet401) onSignedOut();
    throw error;
  }
  const text = response.status === 204 ? '' : await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string, query?: Query): Promise<T> => call<T>('GET', path, { query });
