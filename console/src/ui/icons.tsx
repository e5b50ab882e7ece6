/* Line icons, drawn here so that nothing is fetched. Always decorative: the words beside them carry
 * the meaning. */
const paths = {
  overview: 'M3 12h4l3-8 4 16 3-8h4',
  alert: 'M12 3 2.5 20h19L12 3zm0 6v5m0 3v.01',
  endpoint: 'M4 5h16v10H4zM9 19h6m-3-4v4',
  events: 'M4 6h16M4 12h10M4 18h13',
  rules: 'M5 4h11l3 3v13H5zM9 10h6m-6 4h6',
  audit: 'M12 3a9 9 0 1 0 9 9M12 7v5l3 2M17 3h4v4',
  add: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5 10 17l9-10',
  chevron: 'm9 6 6 6-6 6',
  back: 'm15 6-6 6 6 6',
  stop: 'M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 12h6',
  shield: 'M12 3 5 6v5c0 5 3 8 7 10 4-2 7-5 7-10V6z',
  unlock: 'M6 11h12v9H6zM9 11V8a3.5 3.5 0 0 1 6.8-1.2',
  play: 'M8 5v14l11-7z',
  pause: 'M8 5v14M16 5v14',
  eyeOff: 'M4 4l16 16M9.5 5.5A10 10 0 0 1 22 12a14 14 0 0 1-3 3.6M6 7.5A14 14 0 0 0 2 12a10.5 10.5 0 0 0 13 6',
  plug: 'M9 3v5m6-5v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3',
  offline: 'M3 3l18 18M5 12a10 10 0 0 1 4-2.4M2 8.5A15 15 0 0 1 7 5.6M12 5a15 15 0 0 1 10 3.5M12 19v.01M8.5 15.5a5 5 0 0 1 7 0',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  network: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18',
  process: 'M4 5h16v14H4zM7 10l3 2-3 2m5 0h4',
  target: 'M12 4v3m0 10v3M4 12h3m10 0h3M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
  user: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 20c1-4 4-6 8-6s7 2 8 6',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
