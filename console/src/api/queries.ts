/* What the pages ask for and do: one hook a question, one key family a kind, so that a "changed"
 * message can name what is stale. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { call, get, type Query } from './client';
import type { Alert, AlertDetail, AuditEntry, Content, ContentSource, Endpoint, EnrollmentToken, Exception, ExceptionPreview, ExceptionRequest, EnrollmentTokenCreated, Order, OrderRequest, Overview, Rule, StoryDetail, Timeline, Tree } from './types';

interface Items<T> {
  items: T[];
  next?: string | null;
}

export const useOverview = () => useQuery({ queryKey: ['overview'], queryFn: () => get<Overview>('/overview'), refetchInterval: 10_000 });

export const useEndpoints = () =>
  useQuery({ queryKey: ['endpoints'], queryFn: () => get<Items<Endpoint>>('/endpoints'), refetchInterval: 15_000, select: (d) => d.items });

export const useEndpoint = (id: string) =>
  useQuery({ queryKey: ['endpoints', id], queryFn: () => get<Endpoint>(`/endpoints/${id}`), refetchInterval: 10_000, enabled: id !== '' });

export const useAlerts = (query: Query) =>
  useQuery({ queryKey: ['alerts', 'list', query], queryFn: () => get<Items<Alert>>('/alerts', query), refetchInterval: 20_000, placeholderData: (previous) => previous });

export const useAlert = (id: string) => useQuery({ queryKey: ['alerts', 'one', id], queryFn: () => get<AlertDetail>(`/alerts/${id}`) });

export const useStory = (id: string) =>
  useQuery({ queryKey: ['stories', 'one', id], queryFn: () => get<StoryDetail>(`/stories/${id}`), refetchInterval: 15_000 });

export const useAlertTree = (id: string) =>
  useQuery({ queryKey: ['alerts', 'one', id, 'tree'], queryFn: () => get<Tree>(`/alerts/${id}/tree`), refetchInterval: 10_000 });

export const useAlertTimeline = (id: string) =>
  useQuery({ queryKey: ['alerts', 'one', id, 'timeline'], queryFn: () => get<Timeline>(`/alerts/${id}/timeline`), refetchInterval: 15_000 });

export const useOrders = (query: Query, enabled = true) =>
  useQuery({ queryKey: ['orders', query], queryFn: () => get<Items<Order>>('/orders', query), select: (d) => d.items, enabled });

/* An order that is under way is also polled: its outcome must show even when the stream is down. */
export const useOrder = (id: string | null) =>
  useQuery({
    queryKey: ['orders', 'one', id],
    queryFn: () => get<Order>(`/orders/${id ?? ''}`),
    enabled: id !== null,
    refetchInterval: (q) => (q.state.data && finished(q.state.data) ? false : 1000),
  });

export const finished = (o: Order): boolean => ['done', 'refused', 'failed', 'expired'].includes(o.state);

export const useRules = () => useQuery({ queryKey: ['rules'], queryFn: () => get<{ items: Rule[]; problems: { source: string; line: number; column: number; text: string }[] }>('/rules') });
export const useAudit = () =>
  useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ pageParam }) => get<Items<AuditEntry>>('/audit', { limit: 100, before: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
export const useTokens = () => useQuery({ queryKey: ['tokens'], queryFn: () => get<Items<EnrollmentToken>>('/enrollment-tokens'), select: (d) => d.items });

export const useExceptions = () => useQuery({ queryKey: ['exceptions'], queryFn: () => get<Items<Exception>>('/exceptions'), select: (d) => d.items });

export const useContent = () => useQuery({ queryKey: ['content'], queryFn: () => get<Content>('/content'), refetchInterval: 10_000 });
export const useContentSources = () =>
  useQuery({ queryKey: ['content', 'sources'], queryFn: () => get<Items<ContentSource>>('/content/sources'), select: (d) => d.items, refetchInterval: 15_000 });

function useAct<In, Out>(run: (input: In) => Promise<Out>, stale: string[][]) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSettled: () => Promise.all(stale.map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}

export const useGiveOrder = () => useAct((body: OrderRequest) => call<Order>('POST', '/orders', { body }), [['orders'], ['alerts'], ['endpoints']]);
export const useStartDrill = () => useAct((name: string) => call<Order>('POST', '/drills', { body: { name } }), [['orders']]);
export const useChangeAlert = (id: string) =>
  useAct((body: { state: string; reason: string }) => call<Alert>('PATCH', `/alerts/${id}`, { body }), [['alerts'], ['stories'], ['overview']]);
export const useEditEndpoint = (id: string) =>
  useAct((body: Partial<Pick<Endpoint, 'owner' | 'department' | 'asset_no' | 'group'>>) => call<Endpoint>('PATCH', `/endpoints/${id}`, { body }), [['endpoints']]);
export const useRevokeEndpoint = (id: string) => useAct((reason: string) => call<Endpoint>('POST', `/endpoints/${id}/revoke`, { body: { reason } }), [['endpoints']]);
export const useMakeException = () => useAct((body: ExceptionRequest) => call<{ id: string }>('POST', '/exceptions', { body }), [['exceptions']]);
export const usePreviewException = () => useAct((body: ExceptionRequest) => call<ExceptionPreview>('POST', '/exceptions/preview', { body }), []);
export const useEndException = () => useAct((id: string) => call<unknown>('DELETE', `/exceptions/${id}`), [['exceptions']]);
export const usePublish = () => useAct((body: { version: number; at_once: boolean; soak_s: number }) => call<unknown>('POST', '/content/publish', { body }), [['content']]);
export const useRollback = () => useAct((reason: string) => call<unknown>('POST', '/content/rollback', { body: { reason } }), [['content']]);
export const usePullSource = () => useAct((name: string) => call<unknown>('POST', '/content/sources/pull', { body: { name } }), [['content']]);
export const useMakeToken = () =>
  useAct((body: { group: string; uses: number; expires_s: number }) => call<EnrollmentTokenCreated>('POST', '/enrollment-tokens', { body }), [['tokens']]);
export const useDropToken = () => useAct((id: string) => call<unknown>('DELETE', `/enrollment-tokens/${id}`), [['tokens']]);

/* What a {kind,id} of /stream makes stale. */
export function markChanged(client: QueryClient, kind: string, id: string): void {
  const keys: Record<string, string[][]> = {
    alert: [['stories'], ['alerts', 'list'], ['alerts', 'one', id], ['overview']],
    story: [['stories']],
    endpoint: [['endpoints'], ['overview']],
    order: [['orders'], ['endpoints'], ['alerts', 'one']],
    drill: [['orders'], ['overview']],
    content: [['content'], ['endpoints']],
  };
  for (const queryKey of keys[kind] ?? [['overview']]) void client.invalidateQueries({ queryKey });
}
