import { useProject } from "../../app/navigation";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { usersOf } from "./users-of";
import { Section } from "../../components/page";
import { ThingLink } from "./lineage-panel";
import { useTitles } from "./titles";
import { useLineage } from "./use-lineage";

const stepsAtMost = 8;

interface UsedByProps {
  name: string;
  title?: string;
  /** What stands there when nothing came from it. */
  nothing?: string;
}

/** Everything that came from a thing, nearest first: what is touched when it turns out to be wrong. */
export function UsedBy({ name, title = "Used by", nothing = "Nothing has read it yet. A run that reads it through S3 or a client shows up here." }: UsedByProps) {
  const project = useProject();
  const lineage = useLineage(name, "down", stepsAtMost);
  const things = lineage.data ? usersOf(lineage.data, name) : [];
  const titleOf = useTitles(project, things.map((thing) => thing.name), lineage.data?.edges);
  return (
    <Section title={title} count={lineage.data?.truncated ? undefined : things.length}>
      {lineage.error ? <ErrorNote error={lineage.error} /> : null}
      {lineage.isPending ? <SkeletonRows count={2} /> : null}
      {lineage.data && !things.length ? <p className="muted">{nothing}</p> : null}
      {things.length ? (
        <table className="table inset in-text" style={{ maxWidth: 900 }}>
          <thead>
            <tr>
              <th>What</th>
              <th>How</th>
              <th className="number">Steps away</th>
            </tr>
          </thead>
          <tbody>
            {things.map((thing) => (
              <tr key={thing.name}>
                <td><ThingLink name={thing.name} title={titleOf(thing.name)} /></td>
                <td className="secondary">{thing.how.join(", ")}</td>
                <td className="number">{thing.steps}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {lineage.data?.truncated ? <p className="muted">Only the nearest things are shown.</p> : null}
    </Section>
  );
}
