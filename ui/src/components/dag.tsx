// A graph of jobs, coloured by state: SVG lines under HTML nodes, each of them a link. With a list twin.
import { useLayoutEffect, useMemo, useRef, type KeyboardEvent } from "react";
import { AppLink } from "../app/navigation";
import { dagBox, layoutDag, stepFrom, type DagEdge, type DagNode, type DagStep } from "./dag-layout";
import { useFit } from "./use-width";
import "./work.css";
import { stateWord, WorkStateIcon, WorkStatus, type WorkState } from "./work-state";

interface DagProps {
  label: string;
  nodes: DagNode<WorkState>[];
  edges: DagEdge[];
  current?: string;
}

const room = 20;

export function Dag({ label, nodes, edges, current }: DagProps) {
  const layout = useMemo(() => layoutDag(nodes, edges), [nodes, edges]);
  const list = useRef<HTMLUListElement>(null);
  const scroll = useRef<HTMLDivElement>(null);
  const { width, height } = layout;
  const scale = useFit(scroll, width + 2 * room);
  const currentX = (current === undefined ? undefined : layout.boxes.get(current)?.x) ?? 0;
  useLayoutEffect(() => {
    // The job that is looked at comes into sight, with those before it.
    scroll.current?.scrollTo({ left: (currentX + dagBox.width + 2 * room) * scale - scroll.current.clientWidth });
  }, [currentX, scale]);
  const states = new Map(nodes.map(({ id, state }) => [id, state]));
  // Read from left to right and from top to bottom, which is the order of Tab.
  const ordered = layout.columns.flat().map((id) => nodes.find((node) => node.id === id)!);
  const step = (event: KeyboardEvent) => {
    const id = (document.activeElement as HTMLElement | null)?.dataset.node;
    if (!id || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = stepFrom(id, event.key as DagStep, layout, edges);
    [...(list.current?.querySelectorAll<HTMLElement>("[data-node]") ?? [])].find((element) => element.dataset.node === next)?.focus();
  };
  return (
    <div className="dag-block">
      <div className="dag-scroll" ref={scroll} role="region" aria-label={label} tabIndex={0} onKeyDown={step}>
        <div className="dag-canvas" style={{ width: width + 2 * room, height: height + 2 * room, zoom: scale }}>
          <svg width={width + 2 * room} height={height + 2 * room} aria-hidden="true">
            <g transform={`translate(${room} ${room})`}>
              {layout.lines.map(({ edge, path }) => (
                <path key={`${edge.from} ${edge.to}`} d={path} className={states.get(edge.from) === "running" ? "dag-line running" : "dag-line"} />
              ))}
            </g>
          </svg>
          <ul ref={list}>
            {ordered.map((node) => {
              const { x, y } = layout.boxes.get(node.id)!;
              return (
                <li key={node.id} style={{ left: x + room, top: y + room, width: dagBox.width, height: dagBox.height }}>
                  <AppLink className={`dag-node ${node.state ?? ""}`} data-node={node.id} href={node.href} title={node.label} aria-current={node.id === current ? "true" : undefined}>
                    {node.state ? <WorkStateIcon state={node.state} size={16} /> : null}
                    <span className="dag-words">
                      <span className="ellipsis">{node.label}</span>
                      <span className="dag-note ellipsis">{[node.state ? stateWord(node.state) : "", node.note].filter(Boolean).join(", ")}</span>
                    </span>
                  </AppLink>
                </li>
              );
            })}
          </ul>
        </div>
      </div>
      <details>
        <summary>As a list</summary>
        <table className="table inset in-text">
          <thead>
            <tr>
              <th>What</th>
              <th>{nodes.some(({ state }) => state) ? "State" : "Does"}</th>
              <th>Needs</th>
            </tr>
          </thead>
          <tbody>
            {ordered.map((node) => (
              <tr key={node.id}>
                <td><AppLink href={node.href}>{node.label}</AppLink></td>
                <td>{node.state ? <WorkStatus state={node.state} /> : node.note}</td>
                <td className="secondary">{needsOf(node.id, nodes, edges)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}

const needsOf = (id: string, nodes: DagNode[], edges: DagEdge[]) =>
  edges.filter((edge) => edge.to === id).map((edge) => nodes.find((node) => node.id === edge.from)?.label ?? edge.from).join(", ");
