import { Ellipsis, Trash2 } from "lucide-react";
import type { RefKind } from "../../api/native";
import { IconButton } from "../../components/button";
import { Menu, MenuItem } from "../../components/menu";

interface RefMenuProps {
  kind: RefKind;
  name: string;
  isDefault: boolean;
  onDelete: () => void;
}

/** What can be done with the branch or the tag that is shown. */
export function RefMenu({ kind, name, isDefault, onDelete }: RefMenuProps) {
  return (
    <Menu trigger={<IconButton label={`Actions for ${name}`} icon={<Ellipsis size={16} />} variant="plain" />}>
      <MenuItem icon={<Trash2 size={14} />} danger disabled={isDefault} onSelect={onDelete}>
        {isDefault ? "The default branch cannot be deleted" : `Delete the ${kind}…`}
      </MenuItem>
    </Menu>
  );
}
