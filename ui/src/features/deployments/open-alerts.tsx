import { CircleAlert } from "lucide-react";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { plural } from "../../components/format";

/** How many alerts of a deployment are open, leading to them; nothing where none is. */
export function OpenAlerts({ name, count }: { name: string; count: number }) {
  const project = useProject();
  if (!count) return null;
  return (
    <AppLink className="row bad-word nowrap" href={paths.deployment(project, name, { tab: "alerts" })}>
      <CircleAlert size={13} aria-hidden="true" />
      {plural(count, "alert")}
    </AppLink>
  );
}
