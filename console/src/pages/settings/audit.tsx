/* Who did what, and when. Read only. */
import { useAudit } from '../../api/queries';
import { useTexts } from '../../i18n';
import { PageHead } from '../../shell/layout';
import { Safe } from '../../ui/safe';
import { Empty, Failed, Loading } from '../../ui/states';
import { Moment } from '../../ui/time';

export function AuditPage() {
  const { t, name } = useTexts();
  const query = useAudit();
  const items = (query.data?.pages ?? []).flatMap((p) => p.items);
  return (
    <>
      <PageHead title={t('audit.title')} titleText={t('audit.title')} />
      <p className="muted small">{t('audit.hint')}</p>
      <div className="card">
        {query.isPending && <Loading />}
        {query.isError && <Failed error={query.error} retry={() => void query.refetch()} />}
        {query.isSuccess && items.length === 0 && <Empty icon="audit" title={t('audit.empty')} hint={t('audit.emptyHint')} />}
        {items.length > 0 && (
          <div className="table-wrap">
            <table className="table" aria-label={t('audit.title')}>
              <thead>
                <tr>
                  <th scope="col">{t('audit.time')}</th>
                  <th scope="col">{t('audit.action')}</th>
                  <th scope="col" className="col-wide">
                    {t('audit.actor')}
                  </th>
                  <th scope="col" className="col-wide">
                    {t('audit.target')}
                  </th>
                  <th scope="col" className="col-wide">
                    {t('audit.detail')}
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((a, i) => (
                  <tr key={i}>
                    <td className="nowrap">
                      <Moment value={a.time} />
                    </td>
                    <td>
                      <Safe text={name('auditAction', a.action)} />
                      <div className="tiny muted mono">
                        <Safe text={a.action} />
                      </div>
                      <div className="only-narrow small muted">
                        <Safe text={`${a.actor} ${a.target} ${a.detail}`} />
                      </div>
                    </td>
                    <td className="col-wide">
                      <Safe text={a.actor} />
                    </td>
                    <td className="col-wide mono small">
                      <Safe text={a.target} />
                    </td>
                    <td className="col-wide small">
                      <Safe text={a.detail} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {query.hasNextPage && (
          <p className="card-more">
            <button type="button" className="btn btn-small" onClick={() => void query.fetchNextPage()}>
              {t('common.more')}
            </button>
          </p>
        )}
      </div>
    </>
  );
}
