/* The frame of every page behind the gate: rail, top bar on small screens, the state of the link. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Link, NavLink, Outlet, useLocation } from 'react-router-dom';
import { useOverview } from '../api/queries';
import { useTexts, type TextKey } from '../i18n';
import { Icon, type IconName } from '../ui/icons';
import { Logo } from '../ui/logo';
import { useLinkState } from './live';
import { LanguageSelect, ThemeSelect } from './prefs';
import { useSession } from './session';

function RailLink({ to, icon, label, count }: { to: string; icon: IconName; label: TextKey; count?: number }) {
  const { t } = useTexts();
  return (
    <NavLink to={to} end={to === '/'} className="rail-link">
      <Icon name={icon} />
      {t(label)}
      {count ? (
        <span className="rail-count num" aria-label={t('overview.openCount', { count })}>
          {count}
        </span>
      ) : null}
    </NavLink>
  );
}

function LinkLine() {
  const { t } = useTexts();
  const state = useLinkState();
  return (
    <p className="linkstate" role="status">
      <span className={`linkdot ${state}`} aria-hidden="true" />
      {t(`link.${state}`)}
    </p>
  );
}

function Rail({ open }: { open: boolean }) {
  const { t } = useTexts();
  const { session, signOut } = useSession();
  const overview = useOverview();
  return (
    <nav id="rail" className={open ? 'rail rail-open' : 'rail'} aria-label={t('nav.main')}>
      <Link to="/" className="brand">
        <Logo />
        {t('app.name')}
      </Link>
      <div className="rail-group">
        <p>{t('nav.watch')}</p>
        <RailLink to="/" icon="overview" label="nav.overview" />
        <RailLink to="/stories" icon="target" label="nav.stories" />
        <RailLink to="/alerts" icon="alert" label="nav.alerts" count={overview.data?.alerts.open ?? 0} />
        <RailLink to="/endpoints" icon="endpoint" label="nav.endpoints" />
        <RailLink to="/events" icon="events" label="nav.events" />
      </div>
      <div className="rail-group">
        <p>{t('nav.manage')}</p>
        <RailLink to="/rules" icon="rules" label="nav.rules" />
        <RailLink to="/content" icon="shield" label="nav.content" />
        <RailLink to="/exceptions" icon="check" label="nav.exceptions" />
        <RailLink to="/audit" icon="audit" label="nav.audit" />
      </div>
      <div className="rail-foot">
        <LinkLine />
        <LanguageSelect />
        <ThemeSelect />
        <p>{t('session.user', { user: session.user })}</p>
        <button type="button" className="btn btn-small" onClick={() => void signOut()}>
          {t('session.signOut')}
        </button>
      </div>
    </nav>
  );
}

export function Layout() {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  const state = useLinkState();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    setOpen(false);
    if (!first.current) {
      window.scrollTo(0, 0);
      main.current?.focus();
    }
    first.current = false;
  }, [pathname]);
  return (
    <>
      <a className="skip" href="#main">
        {t('common.skip')}
      </a>
      <header className="topbar">
        <Link to="/" className="brand">
          <Logo size={28} />
          {t('app.name')}
        </Link>
        <button type="button" className="btn btn-icon" aria-expanded={open} aria-controls="rail" aria-label={open ? t('nav.close') : t('nav.open')} onClick={() => setOpen(!open)}>
          <Icon name={open ? 'close' : 'menu'} size={22} />
        </button>
      </header>
      <div className="shell">
        <Rail open={open} />
        <main id="main" className="main" ref={main} tabIndex={-1}>
          <div className="main-inner">
            {state === 'lost' && (
              <p className="lost-bar" role="alert">
                <Icon name="offline" />
                {t('link.lost')}
              </p>
            )}
            <Outlet />
          </div>
        </main>
      </div>
    </>
  );
}

export function PageHead({ title, children, titleText }: { title: ReactNode; titleText: string; children?: ReactNode }) {
  const { t, lang } = useTexts();
  useEffect(() => {
    document.title = t('app.title', { page: titleText });
  }, [t, titleText, lang]);
  return (
    <div className="page-head">
      <h1>{title}</h1>
      {children && <div className="row">{children}</div>}
    </div>
  );
}
