import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronsUpDown, CircleUser, Keyboard, KeyRound, LogOut } from "lucide-react";
import { useState } from "react";
import { native } from "../api/native";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "../components/menu";
import { notifyError } from "../components/toast";
import { useGo, useProject } from "./navigation";
import { paths } from "./paths";
import { useWhoAmI } from "./session";
import { currentTheme, setTheme, type Theme } from "./theme";

const themes: { value: Theme; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

export function UserMenu() {
  const { actor, role } = useWhoAmI();
  return (
    <Menu
      side="top"
      trigger={
        <button type="button" className="nav-link" aria-label={`Account ${actor.name}`}>
          <CircleUser size={15} aria-hidden="true" />
          <span className="label ellipsis">{actor.name}</span>
          <ChevronsUpDown size={14} className="label push" aria-hidden="true" />
        </button>
      }
    >
      <UserMenuItems role={role ?? null} />
    </Menu>
  );
}

/** Mounted when the menu opens: the server is asked about itself only then. */
function UserMenuItems({ role }: { role: string | null }) {
  const project = useProject();
  const go = useGo();
  const client = useQueryClient();
  const server = useQuery({ queryKey: ["server"], queryFn: native.server, staleTime: Infinity });
  const [theme, keepTheme] = useState(currentTheme);

  const signOut = async () => {
    try {
      await native.logout();
      await client.resetQueries();
    } catch (error) {
      notifyError(error);
    }
  };
  const choose = (next: Theme) => {
    setTheme(next);
    keepTheme(next);
  };

  return (
    <>
      <MenuLabel>{role ? `${role} of ${project}` : `no role in ${project}`}</MenuLabel>
      <MenuItem icon={<KeyRound size={14} />} onSelect={() => go(paths.tokens(project))}>
        Access tokens
      </MenuItem>
      <MenuItem icon={<Keyboard size={14} />} onSelect={() => document.dispatchEvent(new Event("lathe:help"))}>
        Keys
      </MenuItem>
      <MenuLine />
      <MenuChoice label="Theme" value={theme} options={themes} onChange={choose} />
      {server.data?.mode === "login" ? (
        <>
          <MenuLine />
          <MenuItem icon={<LogOut size={14} />} onSelect={() => void signOut()}>
            Sign out
          </MenuItem>
        </>
      ) : null}
      <MenuLine />
      <MenuLabel>
        {server.data ? `Lathe ${server.data.version}, MLflow API ${server.data.mlflow_version}, ${server.data.database}` : "Lathe"}
      </MenuLabel>
    </>
  );
}
