// MLflow's clients print links to its own UI, like `<address>/#/experiments/1/runs/ab12`. They open the same thing here.
import { paths } from "./paths";

/** The page that a fragment of MLflow's UI means; nothing when it means none. */
export function fromMlflowLink(project: string, fragment: string): string | undefined {
  const [, path = ""] = /^#?\/([^?]*)/.exec(fragment) ?? [];
  const parts = path.split("/").filter(Boolean).map(decode);
  const [room, first, second, third] = parts;
  if (room === "experiments" && first && second === "runs" && third) return paths.run(project, third);
  if (room === "experiments") return first ? paths.runs(project, { exp: first }) : paths.experiments(project);
  if (room === "models" && first && second === "versions" && third) return paths.version(project, first, third);
  if (room === "models") return first ? paths.model(project, first) : paths.models(project);
  return undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
