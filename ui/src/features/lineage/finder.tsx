import { AppLink, useProject } from "../../app/navigation";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { parseName } from "../../components/names";
import { Ago } from "../../components/time";
import type { Findings } from "./findings";
import { KindIcon } from "./kind-icon";

interface FinderProps {
  search: string;
  findings: Findings;
  error: Error | null;
  isPending: boolean;
  hrefOf: (name: string) => string;
}

/** Things whose lineage can be looked at, by kind. */
export function Finder({ search, findings, error, isPending, hrefOf }: FinderProps) {
  const project = useProject();
  return (
    <>
      {error ? <ErrorNote error={error} /> : null}
      {isPending && !findings.length ? <SkeletonRows /> : null}
      {!isPending && !error && !findings.length ? (
        search ? (
          <Empty title={`Nothing here is called “${search}”`}>
            <p>Runs, model versions, deployments, data commits and pipeline runs are found by their names; everything else by its whole name, such as <code>{project}/dataset/digits-train@8f3a</code>.</p>
          </Empty>
        ) : (
          <Empty title="Nothing has come from anything yet">
            <p>Lineage is recorded by itself: of runs, of the data that they read, of versions and of deployments. Log a first run, or commit data, and it stands here.</p>
          </Empty>
        )
      ) : null}
      <div className="findings">
        {findings.map(([heading, things]) => (
          <section key={heading} aria-label={heading}>
            <h2>{heading}</h2>
            <ul>
              {things.map(({ name, label, hint, atMs }) => (
                <li key={name} className="row">
                  <KindIcon kind={parseName(name).kind} />
                  <AppLink className="ellipsis" title={name} href={hrefOf(name)}>{label}</AppLink>
                  {hint ? <span className="secondary ellipsis">{hint}</span> : null}
                  {atMs === undefined ? null : <span className="muted nowrap push"><Ago atMs={atMs} /></span>}
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </>
  );
}
