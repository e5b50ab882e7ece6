/* Which rules watch, and which files were refused and why. */
import { useState } from 'react';
import { useRules } from '../../api/queries';
import type { Rule } from '../../api/types';
import { useTexts } from '../../i18n';
import { PageHead } from '../../shell/layout';
import { SeverityBadge } from '../../ui/badges';
import { Card } from '../../ui/parts';
import { Code, Safe } from '../../ui/safe';
import { Empty, Loaded } from '../../ui/states';
import { tacticKey } from '../../lib/triage';

export function findRules(all: Rule[], text: string): Rule[] {
  const q = text.trim().toLowerCase();
  return q === '' ? all : all.filter((r) => [r.title, r.title_ja, r.id, ...r.techniques, ...r.tactics].some((s) => s.toLowerCase().includes(q)));
}

function Row({ rule }: { rule: Rule }) {
  const { name, lang } = useTexts();
  return (
    <tr>
      <td className="col-severity">
        <SeverityBadge severity={rule.level} />
      </td>
      <td>
        <strong>
          <Safe text={lang === 'ja' ? rule.title_ja || rule.title : rule.title} />
        </strong>
        <div className="tiny muted mono">{rule.id}</div>
        <div className="only-narrow small muted">{rule.techniques.join(', ')}</div>
      </td>
      <td className="col-wide">{rule.techniques.join(', ')}</td>
      <td className="col-wide">{rule.tactics.map((x) => name('tactic', tacticKey(x))).join(', ')}</td>
      <td className="col-wide">
        <Code text={rule.source} />
      </td>
    </tr>
  );
}

export function RulesPage() {
  const { t } = useTexts();
  const query = useRules();
  const [text, setText] = useState('');
  const head = ['rules.techniques', 'rules.tactics', 'rules.source'] as const;
  return (
    <>
      <PageHead title={t('rules.title')} titleText={t('rules.title')} />
      <div className="filters">
        <input className="input" type="search" aria-label={t('common.search')} placeholder={t('rules.search')} value={text} onChange={(e) => setText(e.target.value)} />
      </div>
      <Loaded query={query}>
        {({ items, problems }) => {
          const found = findRules(items, text);
          return (
            <>
              <p className="muted small num">{t('rules.count', { count: items.length })}</p>
              {problems.length > 0 && (
                <Card title={t('rules.problems', { count: problems.length })}>
                  <ul className="stack-tight">
                    {problems.map((p, i) => (
                      <li key={i}>
                        <code className="small">{`${p.source}:${p.line}:${p.column}`}</code> <Safe text={p.text} />
                      </li>
                    ))}
                  </ul>
                </Card>
              )}
              <div className="card">
                {items.length === 0 ? (
                  <Empty icon="rules" title={t('rules.empty')} hint={t('rules.emptyHint')} />
                ) : found.length === 0 ? (
                  <Empty icon="rules" title={t('rules.noMatch')} />
                ) : (
                  <div className="table-wrap">
                    <table className="table" aria-label={t('rules.title')}>
                      <thead>
                        <tr>
                          <th scope="col">{t('severity.label')}</th>
                          <th scope="col">{t('rules.rule')}</th>
                          {head.map((h) => (
                            <th key={h} scope="col" className="col-wide">
                              {t(h)}
                            </th>
                          ))}
                        </tr>
                      </thead>
                      <tbody>
                        {found.map((r) => (
                          <Row key={r.id} rule={r} />
                        ))}
                      </tbody>
                    </table>
                  </div>
                )}
              </div>
            </>
          );
        }}
      </Loaded>
    </>
  );
}
