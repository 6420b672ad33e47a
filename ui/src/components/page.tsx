import { useEffect, type ReactNode } from "react";
import { SkeletonRows } from "./empty";
import { ErrorNote } from "./error-note";
import { formatCount } from "./format";

interface PageHeadProps {
  /** The document's title; the visible heading where `heading` says nothing else. */
  title: string;
  heading?: ReactNode;
  crumbs?: ReactNode;
  children?: ReactNode;
}

export function PageHead({ title, heading, crumbs, children }: PageHeadProps) {
  useEffect(() => {
    document.title = `${title} · Lathe`;
  }, [title]);
  return (
    <header className="page-head">
      {crumbs ? <nav className="crumb row" aria-label="Breadcrumb">{crumbs}<span aria-hidden="true">/</span></nav> : null}
      <h1>{heading ?? title}</h1>
      {children ? <div className="actions">{children}</div> : null}
    </header>
  );
}

/** The page of one thing while it is asked for, or when it does not come. */
export function PageWait({ error, ...head }: Pick<PageHeadProps, "title" | "crumbs"> & { error: unknown }) {
  return (
    <>
      <PageHead {...head} />
      <div className="page-body">{error ? <ErrorNote error={error} /> : <SkeletonRows />}</div>
    </>
  );
}

export function Section({ title, count, actions, children }: { title: string; count?: number; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <div className="section-head">
        <h2>{title}</h2>
        {count === undefined ? null : <span className="count">{formatCount(count)}</span>}
        {actions ? <div className="row push">{actions}</div> : null}
      </div>
      {children}
    </section>
  );
}
