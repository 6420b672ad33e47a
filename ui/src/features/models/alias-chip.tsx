import { Tag, X } from "lucide-react";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";

interface AliasChipProps {
  name: string;
  alias: string;
  /** Shown and linked where the chip does not stand beside its version. */
  version?: string;
  onDelete?: () => void;
}

export function AliasChip({ name, alias, version, onDelete }: AliasChipProps) {
  const project = useProject();
  return (
    <span className="chip alias">
      <Tag size={12} aria-hidden="true" />
      {version ? <AppLink href={paths.version(project, name, version)}>{`${alias} → v${version}`}</AppLink> : alias}
      {onDelete ? (
        <button type="button" aria-label={`Remove alias ${alias}`} title={`Remove alias ${alias}`} onClick={onDelete}>
          <X size={12} />
        </button>
      ) : null}
    </span>
  );
}
