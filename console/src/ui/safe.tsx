/* The only way a string of an endpoint reaches the screen: as text, with what deceives the eye
 * spelled out. */
import { useMemo } from 'react';
import { useTexts } from '../i18n';
import { pieces } from '../lib/visible';

export function Safe({ text }: { text: string | null | undefined }) {
  const { t } = useTexts();
  const parts = useMemo(() => pieces(text ?? ''), [text]);
  if (parts.every((p) => !p.hidden)) return <bdi>{text ?? ''}</bdi>;
  return (
    <bdi>
      {parts.map((p, i) =>
        p.hidden ? (
          <span key={i} className="hidden-char" title={t('common.hiddenChar', { name: p.text })}>
            {p.text}
          </span>
        ) : (
          <span key={i}>{p.text}</span>
        ),
      )}
    </bdi>
  );
}

export function Code({ text }: { text: string | null | undefined }) {
  return (
    <code>
      <Safe text={text} />
    </code>
  );
}
