import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { shortCommit } from "../data/view";
import { dataPins } from "./states";

/** The data commits that all jobs of a run read. */
export function DataPins({ pins }: { pins: Record<string, string> }) {
  const project = useProject();
  return (
    <>
      {dataPins(pins).map(({ repository, ref, commit }, index) => (
        <span key={`${repository}@${ref}`}>
          {index ? ", " : ""}
          <AppLink href={paths.commit(project, repository, commit)} title={ref === commit ? undefined : `${ref} of ${repository}, at the time`}>{repository}@{shortCommit(commit)}</AppLink>
        </span>
      ))}
    </>
  );
}
