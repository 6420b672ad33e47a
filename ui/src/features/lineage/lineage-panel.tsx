import { Maximize2 } from "lucide-react";
import { useMemo } from "react";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { choice, integer, list, text, writeView } from "../../app/url-state";
import { LoadingBar, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { Segmented } from "../../components/fields";
import { plural } from "../../components/format";
import { kindWord, labelOf, pageOf, parseName } from "../../components/names";
import { hideKinds } from "./hide-kinds";
import { KindFilter } from "./kind-filter";
import { LineageGraph } from "./lineage-graph";
import "./lineage.css";
import { useTitles } from "./titles";
import { useLineage, type Direction } from "./use-lineage";

export const lineageView = {
  name: text("name"),
  direction: choice("way", ["both", "up", "down"] as const, "both"),
  depth: integer("depth", 2, 1, 8),
  /** Kinds of things that are left out. */
  hidden: list("hide"),
  /** What the next thing in the middle is looked for by. */
  search: text("q"),
};

interface LineagePanelProps {
  name: string;
  direction: Direction;
  depth: number;
  /** Unset: all kinds are shown, and none can be hidden. */
  hidden?: string[];
  onChange: (patch: { direction?: Direction; depth?: number; hidden?: string[] }) => void;
  /** In the explorer a thing comes into the middle; elsewhere its page is opened. */
  isPage?: boolean;
}

/** The neighbourhood of one thing: what it came from, and what came from it. */
export function LineagePanel({ name, direction, depth, hidden, onChange, isPage }: LineagePanelProps) {
  const project = useProject();
  const lineage = useLineage(name, direction, depth, { isKept: true });
  const titleOf = useTitles(project, lineage.data?.nodes.map((node) => node.name) ?? [], lineage.data?.edges);
  const { data } = lineage;
  const shown = useMemo(() => data && hideKinds(data, hidden ?? []), [data, hidden]);

  return (
    <div className="lineage">
      <div className="row wrap">
        <Segmented
          label="Direction"
          value={direction}
          options={[{ value: "both", label: "Both ways" }, { value: "up", label: "Came from" }, { value: "down", label: "Led to" }]}
          onChange={(way) => onChange({ direction: way })}
        />
        <label className="row">
          Steps
          <select className="select" value={depth} onChange={(event) => onChange({ depth: Number(event.target.value) })}>
            {[...new Set([1, 2, 3, 4, 6, 8, depth])].sort((a, b) => a - b).map((steps) => (
              <option key={steps}>{steps}</option>
            ))}
          </select>
        </label>
        {lineage.data?.truncated ? <span className="muted">Only the nearest things are shown.</span> : null}
        {isPage ? null : (
          <AppLink className="button small push" href={paths.lineage(project, writeView(lineageView, { name, direction, depth, hidden: [], search: "" }))}>
            <Maximize2 size={13} />
            Open as a page
          </AppLink>
        )}
      </div>
      {hidden && data ? <KindFilter graph={data} hidden={hidden} onChange={(kinds) => onChange({ hidden: kinds })} /> : null}
      {lineage.error ? <ErrorNote error={lineage.error} /> : null}
      {lineage.isPending && name ? <SkeletonRows count={4} /> : null}
      <div style={{ position: "relative" }}>{lineage.isPlaceholderData ? <LoadingBar /> : null}</div>
      {shown ? (
        <>
          {isPage ? (
            <LineageGraph graph={shown} titleOf={titleOf} hrefOf={(node) => paths.lineage(project, writeView(lineageView, { name: node, direction, depth, hidden: hidden ?? [], search: "" }))} pageOf={pageOf} />
          ) : (
            <LineageGraph graph={shown} titleOf={titleOf} hrefOf={(node) => pageOf(node) ?? paths.lineage(project, { name: node })} />
          )}
          <details>
            <summary>As a list ({plural(shown.edges.length, "connection")})</summary>
            <table className="table inset in-text" style={{ maxWidth: 900 }}>
              <thead>
                <tr>
                  <th>From</th>
                  <th>How</th>
                  <th>To</th>
                </tr>
              </thead>
              <tbody>
                {shown.edges.map((edge) => (
                  <tr key={`${edge.from} ${edge.kind} ${edge.to}`}>
                    <td><ThingLink name={edge.from} title={titleOf(edge.from)} /></td>
                    <td className="secondary">{edge.kind}</td>
                    <td><ThingLink name={edge.to} title={titleOf(edge.to)} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </>
      ) : null}
    </div>
  );
}

export function ThingLink({ name, title = labelOf(name) }: { name: string; title?: string }) {
  const project = useProject();
  const { kind, id } = parseName(name);
  return (
    <>
      <span className="muted">{kindWord(kind, id)}</span> <AppLink href={pageOf(name) ?? paths.lineage(project, { name })}>{title}</AppLink>
    </>
  );
}
