import { useRouterState } from "@tanstack/react-router";
import { Beaker, Boxes, ChevronsUpDown, Database, FolderClosed, Hand, House, ListTree, Plus, Rocket, ScrollText, Search, Unplug, Waypoints, Workflow } from "lucide-react";
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { native } from "../api/native";
import { FormDialog } from "../components/dialog";
import { Field } from "../components/fields";
import { Logo } from "../components/logo";
import { useApprovalCount } from "../features/pipelines/use-approval-count";
import { Menu, MenuItem, MenuLabel, MenuLine } from "../components/menu";
import { useIsBroken } from "./live";
import { AppLink, useGo, useProject } from "./navigation";
import { paths } from "./paths";
import { useWhoAmI } from "./session";
import { UserMenu } from "./user-menu";

const entries = [
  { label: "Home", href: paths.home, under: ["home"], icon: House },
  { label: "Experiments", href: paths.experiments, under: ["experiments"], icon: Beaker },
  { label: "Runs", href: paths.runs, under: ["runs", "compare"], icon: ListTree },
  { label: "Models", href: paths.models, under: ["models"], icon: Boxes },
  { label: "Deployments", href: paths.deployments, under: ["deployments"], icon: Rocket },
  { label: "Data", href: paths.data, under: ["data"], icon: Database },
  { label: "Pipelines", href: paths.pipelines, under: ["pipelines", "pipeline-runs"], icon: Workflow },
  { label: "Lineage", href: paths.lineage, under: ["lineage"], icon: Waypoints },
  { label: "Approvals", href: paths.approvals, under: ["approvals"], icon: Hand },
  { label: "Audit", href: paths.audit, under: ["audit"], icon: ScrollText },
] as const;

const paletteKeys = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";

export function Sidebar({ onPalette }: { onPalette: () => void }) {
  const project = useProject();
  const counts: Record<string, number> = { Approvals: useApprovalCount() };
  const room = useRouterState({ select: (state) => state.location.pathname.split("/")[3] ?? "" });
  return (
    <header className="sidebar">
      <AppLink className="brand" href={paths.home(project)} aria-label="Lathe home">
        <Logo />
        <span className="label">Lathe</span>
      </AppLink>
      <ProjectSwitch />
      <button type="button" className="nav-link" onClick={onPalette} aria-label={`Find ${paletteKeys}`}>
        <Search size={15} aria-hidden="true" />
        <span className="label">Find</span>{" "}
        <kbd className="kbd">{paletteKeys}</kbd>
      </button>
      <nav aria-label="Main">
        {entries.map(({ label, href, under, icon: Icon }) => (
          <AppLink
            key={label}
            className="nav-link"
            href={href(project)}
            aria-label={counts[label] ? `${label} ${counts[label]}` : label}
            aria-current={(under as readonly string[]).includes(room) ? "page" : undefined}
          >
            <Icon size={15} aria-hidden="true" />
            <span className="label">{label}</span>
            {counts[label] ? <>{" "}<span className="nav-count">{counts[label]}</span></> : null}
          </AppLink>
        ))}
      </nav>
      <div className="sidebar-end">
        <NotLive />
        <UserMenu />
      </div>
    </header>
  );
}

/** Says that what changes does not come by itself just now. */
function NotLive() {
  const isBroken = useIsBroken(useProject());
  return (
    <div role="status">
      {isBroken ? (
        <span className="not-live" title="The stream of changes has broken and is being opened again. Until then, load the page again to see what is new.">
          <Unplug size={15} aria-hidden="true" />
          <span className="label">Not live</span>
        </span>
      ) : null}
    </div>
  );
}

function ProjectSwitch() {
  const project = useProject();
  const { projects, is_admin } = useWhoAmI();
  const go = useGo();
  const [isMaking, setMaking] = useState(false);
  return (
    <>
      <Menu
        trigger={
          <button type="button" className="project-button" aria-label={`Project ${project}, switch`}>
            <FolderClosed size={15} aria-hidden="true" />
            <span className="ellipsis">{project}</span>
            <ChevronsUpDown size={14} aria-hidden="true" />
          </button>
        }
      >
        <MenuLabel>Projects</MenuLabel>
        {projects.map((entry) => (
          <MenuItem key={entry.name} onSelect={() => go(paths.home(entry.name))}>
            <span style={{ width: 14 }}>{entry.name === project ? "✓" : ""}</span>
            {entry.name}
            {entry.role ? <span className="muted push">{entry.role}</span> : null}
          </MenuItem>
        ))}
        {is_admin ? (
          <>
            <MenuLine />
            <MenuItem icon={<Plus size={14} />} onSelect={() => setMaking(true)}>
              New project…
            </MenuItem>
          </>
        ) : null}
      </Menu>
      <NewProject open={isMaking} onOpenChange={setMaking} />
    </>
  );
}

function NewProject({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const client = useQueryClient();
  const go = useGo();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = async () => {
    await native.createProject(name, description);
    await client.invalidateQueries({ queryKey: ["whoami"] });
    go(paths.home(name));
    setName("");
    setDescription("");
  };
  return (
    <FormDialog open={open} onOpenChange={onOpenChange} title="New project" about="Experiments, models and people of a project are apart from all others." action="Create project" disabled={!name} onSubmit={create}>
      <Field label="Name">
        {(id) => <input id={id} className="input" value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" />}
      </Field>
      <Field label="Description">
        {(id) => <input id={id} className="input" value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
