import type { ReactNode } from "react";

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export const LoadingBar = () => <div className="loading-bar" role="progressbar" aria-label="Loading" />;

/** Rows in the shape of what will come. */
export function SkeletonRows({ count = 8 }: { count?: number }) {
  return (
    <div className="stack" style={{ padding: 20, gap: 18 }} role="status" aria-label="Loading">
      {Array.from({ length: count }, (_, index) => (
        <span key={index} className="skeleton" style={{ width: `${88 - ((index * 17) % 38)}%` }} />
      ))}
    </div>
  );
}
