import { Bell, Boxes, Code, Database, FileBox, Hammer, ListTree, Rocket, Route, Sparkles, Table2, User, Workflow, type LucideIcon } from "lucide-react";

const icons: Record<string, LucideIcon> = {
  run: ListTree,
  data: Database,
  dataset: Table2,
  model: Boxes,
  "logged-model": FileBox,
  pipeline: Workflow,
  "pipeline-run": Route,
  job: Hammer,
  deployment: Rocket,
  prediction: Sparkles,
  window: Bell,
  code: Code,
  user: User,
};

/** A thing's kind as a picture; its word stands beside it. */
export function KindIcon({ kind, size = 14 }: { kind: string; size?: number }) {
  const Icon = icons[kind];
  return Icon ? <Icon className="kind-icon" size={size} aria-hidden="true" /> : null;
}
