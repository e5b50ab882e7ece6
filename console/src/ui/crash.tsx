/* The last net: a page that throws is replaced by words and a way back, not by a white screen. */
import { Component, type ReactNode } from 'react';
import { useTexts } from '../i18n';

function Sorry() {
  const { t } = useTexts();
  return (
    <div className="state state-error" role="alert">
      <strong>{t('error.crash')}</strong>
      <button type="button" className="btn" onClick={() => window.location.reload()}>
        {t('error.reload')}
      </button>
    </div>
  );
}

export class Crash extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    return this.state.failed ? <Sorry /> : this.props.children;
  }
}
