/** A turned spindle between two centres. */
export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d="M1.5 12H5M19 12h3.5" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
      <path
        d="M5 7.5c1.6 0 2.1 1.7 3.2 1.7S10.3 4.5 12 4.5s2.7 4.7 3.8 4.7S17.4 7.5 19 7.5v9c-1.6 0-2.1-1.7-3.2-1.7S13.7 19.5 12 19.5s-2.7-4.7-3.8-4.7S6.6 16.5 5 16.5z"
        fill="currentColor"
      />
    </svg>
  );
}
