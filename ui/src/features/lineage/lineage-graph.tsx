import { SquareArrowOutUpRight } from "lucide-react";
import { useLayoutEffect, useMemo, useRef } from "react";
import type { Lineage } from "../../api/native";
import { AppLink } from "../../app/navigation";
import { kindWord, parseName } from "../../components/names";
import { useFit } from "../../components/use-width";
import { KindIcon } from "./kind-icon";
import { columnGap, layoutLineage, nodeHeight, nodeWidth, type PlacedEdge } from "./layout";

interface LineageGraphProps {
  graph: Lineage;
  titleOf: (name: string) => string;
  /** Where a box leads. */
  hrefOf: (name: string) => string;
  /** The page of a thing, by a link of its own in the box. */
  pageOf?: (name: string) => string | undefined;
}

const room = 28;

export function LineageGraph({ graph, titleOf, hrefOf, pageOf }: LineageGraphProps) {
  const { nodes, edges, width, height } = useMemo(() => layoutLineage(graph), [graph]);
  const scroll = useRef<HTMLDivElement>(null);
  const scale = useFit(scroll, width + 2 * room);
  const center = nodes.find((node) => node.name === graph.center);
  const [centerX, centerY] = [center?.x ?? 0, center?.y ?? 0];
  useLayoutEffect(() => {
    const { clientWidth = 0, clientHeight = 0 } = scroll.current ?? {};
    scroll.current?.scrollTo((centerX + room + nodeWidth / 2) * scale - clientWidth / 2, (centerY + room + nodeHeight / 2) * scale - clientHeight / 2);
  }, [centerX, centerY, scale]);
  return (
    <div className="lineage-scroll" ref={scroll} role="region" aria-label="Lineage graph" tabIndex={0}>
      <div className="lineage-canvas" style={{ width: width + 2 * room, height: height + 2 * room, zoom: scale }}>
        <svg width={width + 2 * room} height={height + 2 * room} aria-hidden="true">
          <defs>
            <marker id="lineage-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0.5 7.5 4 0 7.5z" className="lineage-arrow" />
            </marker>
          </defs>
          <g transform={`translate(${room} ${room})`}>
            {edges.map((edge) => (
              <EdgeLine key={`${edge.from.name} ${edge.kind} ${edge.to.name}`} edge={edge} />
            ))}
          </g>
        </svg>
        <ul>
          {nodes.map((node) => {
            const { kind, id } = parseName(node.name);
            const isCenter = node.name === graph.center;
            const page = pageOf?.(node.name);
            return (
              <li key={node.name} className={page ? "with-page" : undefined} style={{ left: node.x + room, top: node.y + room, width: nodeWidth, height: nodeHeight }}>
                <AppLink className={`lineage-node ${kind}`} data-center={isCenter} aria-current={isCenter ? "true" : undefined} href={hrefOf(node.name)} title={node.name}>
                  <span className="lineage-kind"><KindIcon kind={kind} size={12} />{kindWord(kind, id)}</span>
                  <span className="ellipsis">{titleOf(node.name)}</span>
                </AppLink>
                {page ? (
                  <AppLink className="lineage-page" href={page} aria-label={`Page of ${titleOf(node.name)}`} title={`Page of ${titleOf(node.name)}`}>
                    <SquareArrowOutUpRight size={13} aria-hidden="true" />
                  </AppLink>
                ) : null}
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

function EdgeLine({ edge: { from, to, kind } }: { edge: PlacedEdge }) {
  const isBack = to.x <= from.x;
  const startX = isBack ? from.x : from.x + nodeWidth;
  const endX = isBack ? to.x + nodeWidth : to.x;
  const startY = from.y + nodeHeight / 2;
  const endY = to.y + nodeHeight / 2;
  const bend = isBack ? -40 : Math.max(30, (endX - startX) / 2);
  // Over what stands in the columns between.
  const rise = endX - startX > columnGap ? nodeHeight : 0;
  const path = `M${startX} ${startY}C${startX + bend} ${startY - rise} ${endX - bend} ${endY - rise} ${endX} ${endY}`;
  return (
    <g>
      <path d={path} className="lineage-edge" markerEnd="url(#lineage-arrow)" />
      <text x={(startX + endX) / 2} y={(startY + endY) / 2 - 4 - rise * 0.75} textAnchor="middle" className="lineage-how">
        {kind}
      </text>
    </g>
  );
}
