import { Waypoints } from "lucide-react";
import type { ReactNode } from "react";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { kindWord, pageOf, parseName } from "../../components/names";
import { Section } from "../../components/page";
import { KindIcon } from "./kind-icon";
import "./lineage.css";
import { neighboursOf, type Neighbour } from "./neighbours";
import { useTitles } from "./titles";
import { useLineage } from "./use-lineage";

const shownAtMost = 6;

/** What a thing came from and what it led to, with the way into the lineage explorer; `choice` is what it can be of instead. */
export function NeighbourLinks({ name, steps = 2, choice }: { name: string; steps?: number; choice?: ReactNode }) {
  const project = useProject();
  const lineage = useLineage(name, "both", steps);
  const { up, down } = lineage.data ? neighboursOf(lineage.data) : { up: [], down: [] };
  const titleOf = useTitles(project, lineage.data?.nodes.map((thing) => thing.name) ?? [], lineage.data?.edges);
  return (
    <Section title="Lineage" actions={<>{choice}<AppLink className="row" href={paths.lineage(project, { name })}><Waypoints size={13} aria-hidden="true" />Explore</AppLink></>}>
      {lineage.error ? <ErrorNote error={lineage.error} /> : null}
      {lineage.isPending ? <SkeletonRows count={3} /> : null}
      {lineage.data ? (
        <>
          <Side title="Came from" things={up} titleOf={titleOf} name={name} />
          <Side title="Led to" things={down} titleOf={titleOf} name={name} />
        </>
      ) : null}
    </Section>
  );
}

function Side({ title, things, titleOf, name }: { title: string; things: Neighbour[]; titleOf: (name: string) => string; name: string }) {
  const project = useProject();
  const rest = things.length - shownAtMost;
  return (
    <div className="neighbours" role="group" aria-label={title}>
      <h3>{title}</h3>
      {things.length ? (
        <ul>
          {things.slice(0, shownAtMost).map((thing) => {
            const { kind, id } = parseName(thing.name);
            return (
              <li key={thing.name} className="row" style={{ paddingLeft: Math.min(thing.steps - 1, 4) * 12 }}>
                <KindIcon kind={kind} />
                <AppLink className="ellipsis" title={thing.name} href={pageOf(thing.name) ?? paths.lineage(project, { name: thing.name })}>{titleOf(thing.name)}</AppLink>
                <span className="muted nowrap push">{kindWord(kind, id)}</span>
              </li>
            );
          })}
        </ul>
      ) : (
        <p className="muted">Nothing is known.</p>
      )}
      {rest > 0 ? <p><AppLink href={paths.lineage(project, { name, way: title === "Came from" ? "up" : "down" })}>{rest} more</AppLink></p> : null}
    </div>
  );
}
