import { useQuery } from "@tanstack/react-query";
import { native, type Lineage } from "../../api/native";
import { useProject } from "../../app/navigation";
import { parseName, type ParsedName } from "../../components/names";
import { Section } from "../../components/page";
import { pipelineRunQuery } from "../pipelines/queries";
import { ThingLink, useRunNames } from "./lineage-panel";

const stepsUp = 3;
const makers: readonly string[] = ["run", "job", "pipeline-run", "pipeline"];

/** The run that made a thing, the job whose attempt that run is, and the pipeline run of the job; nothing where a person made it. */
export function MadeBy({ name }: { name: string }) {
  const project = useProject();
  const lineage = useQuery({
    queryKey: ["lineage", project, name, "up", stepsUp],
    queryFn: ({ signal }) => native.lineage(project, { name, direction: "up", depth: stepsUp }, signal),
  });
  const things = lineage.data ? makersOf(lineage.data, name) : [];
  const titles = useRunNames(project, things.map(parseName).filter(({ kind }) => kind === "run").map(({ id }) => id));
  const pipelineRun = things.map(parseName).find(({ kind }) => kind === "pipeline-run")?.id;
  const found = useQuery({ ...pipelineRunQuery(project, pipelineRun ?? ""), enabled: pipelineRun !== undefined, refetchInterval: false });
  const titleOf = ({ kind, id }: ParsedName) => (kind === "pipeline-run" && id === pipelineRun && found.data ? `${found.data.run.pipeline} #${found.data.run.number}` : titles.get(id));
  if (!things.length) return null;
  return (
    <Section title="Made by">
      <ul className="in-text">
        {things.map((thing) => <li key={thing}><ThingLink name={thing} title={titleOf(parseName(thing))} /></li>)}
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
