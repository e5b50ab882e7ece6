/* The mark: a watchtower with its lamp lit. */
export function Logo({ size = 32 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <circle cx="16" cy="12" r="11" fill="#ff7a45" opacity="0.16" />
      <g fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round">
        <path d="M12.2 15 8.6 29M19.8 15l3.6 14M11 20h10M9.8 25h12.4M11 20l11.2 5" />
      </g>
      <path d="M7 9.2 16 3l9 6.2z" fill="currentColor" />
      <rect x="10.6" y="9.2" width="10.8" height="5.8" rx="0.8" fill="#ff7a45" />
      <path d="M16 9.2V15" stroke="currentColor" strokeWidth="1.2" opacity="0.6" />
    </svg>
  );
}
