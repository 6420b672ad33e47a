import type { Lineage } from "../../api/native";
import { useProject } from "../../app/navigation";
import { parseName } from "../../components/names";
import { Section } from "../../components/page";
import { ThingLink } from "./lineage-panel";
import { useTitles } from "./titles";
import { useLineage } from "./use-lineage";

const stepsUp = 3;
const makers: readonly string[] = ["run", "job", "pipeline-run", "pipeline"];

/** The run that made a thing, the job whose attempt that run is, and the pipeline run of the job; nothing where a person made it. */
export function MadeBy({ name }: { name: string }) {
  const project = useProject();
  const lineage = useLineage(name, "up", stepsUp);
  const things = lineage.data ? makersOf(lineage.data, name) : [];
  const titleOf = useTitles(project, things, lineage.data?.edges);
  if (!things.length) return null;
  return (
    <Section title="Made by">
      <ul className="in-text">
        {things.map((thing) => <li key={thing}><ThingLink name={thing} title={titleOf(thing)} /></li>)}
      </ul>
    </Section>
  );
}

/** Follows only what makes things: what a run read is no part of the answer. */
export function makersOf({ edges }: Pick<Lineage, "edges">, name: string): string[] {
  const found: string[] = [];
  for (let near = [name]; near.length; ) {
    near = edges.filter(({ from, to }) => near.includes(to) && makers.includes(parseName(from).kind) && !found.includes(from)).map(({ from }) => from);
    near = [...new Set(near)];
    found.push(...near);
  }
  return found;
}
