/* Search in the stored events: newest first, page by page, with a statement of how complete it is. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get } from '../../api/client';
import type { Completeness, EventJson } from '../../api/types';
import { useTexts } from '../../i18n';
import { Statement } from '../../ui/statement';
import { Empty, Failed, Loading } from '../../ui/states';
import { EventList } from './list';

interface Page {
  items: EventJson[];
  next: string | null;
  completeness: Completeness;
}

interface Props {
  endpoint: string;
  cls: string;
  q: string;
  process: string;
  onOpen: (e: EventJson) => void;
}

export function HistoryEvents({ endpoint, cls, q, process, onOpen }: Props) {
  const { t } = useTexts();
  const query = useInfiniteQuery({
    queryKey: ['events', endpoint, cls, q, process],
    queryFn: ({ pageParam }) => get<Page>('/events', { endpoint, class: cls, q, process, limit: 200, before: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    refetchOnWindowFocus: false,
  });
  const rows = useMemo(() => (query.data?.pages ?? []).flatMap((p) => p.items).map((event, id) => ({ id, event })), [query.data]);
  const completeness = query.data?.pages[0]?.completeness;
  return (
    <section className="card events-card" aria-label={t('events.history')}>
      <div className="card-head">
        <p className="small muted">{t('events.historyHint')}</p>
        <button type="button" className="btn btn-small" onClick={() => void query.refetch()}>
          {t('events.run')}
        </button>
      </div>
      {completeness && !completeness.complete && (
        <div className="card-body">
          <Statement completeness={completeness} />
        </div>
      )}
      {query.isPending && <Loading />}
      {query.isError && <Failed error={query.error} retry={() => void query.refetch()} />}
      {query.isSuccess && rows.length === 0 && <Empty icon="events" title={t('events.noHistory')} />}
      {rows.length > 0 && <EventList rows={rows} onOpen={onOpen} />}
      {query.hasNextPage && (
        <p className="card-more">
          <button type="button" className="btn btn-small" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t('events.older')}
          </button>
        </p>
      )}
    </section>
  );
}
