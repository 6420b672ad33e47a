// Keys for the whole application. Single letters can be switched off, for people whose speech input would press them.
import { useEffect, useState } from "react";
import { Dialog } from "../components/dialog";
import { useGo, useProject } from "./navigation";
import { paths } from "./paths";

const storageKey = "lathe.keys";
const sequenceMs = 1200;

export const areKeysOn = () => localStorage.getItem(storageKey) !== "off";

/** Whether a key press belongs to a field, a dialog or a menu, and is no shortcut. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  if (event.metaKey || event.ctrlKey || event.altKey) return true;
  return Boolean(target?.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], [role=dialog], [role=menu]"));
}

const targets: Record<string, (project: string) => string> = {
  h: paths.home,
  e: (project) => paths.experiments(project),
  r: (project) => paths.runs(project),
  m: (project) => paths.models(project),
  s: (project) => paths.deployments(project),
  d: (project) => paths.data(project),
  p: (project) => paths.pipelines(project),
  a: (project) => paths.audit(project),
};

const help: [string, string][] = [
  ["⌘ K  /  Ctrl K", "Find anything"],
  ["/", "Jump to the search or filter of the page"],
  ["g h", "Go to home"],
  ["g e", "Go to experiments"],
  ["g r", "Go to runs"],
  ["g m", "Go to models"],
  ["g s", "Go to deployments"],
  ["g d", "Go to data"],
  ["g p", "Go to pipelines"],
  ["g a", "Go to audit"],
  ["j  k", "Next and previous row"],
  ["x", "Select the row"],
  ["Enter", "Open the row"],
  ["c", "Compare the selected runs"],
  ["?", "Show these keys"],
];

export function Shortcuts({ onPalette }: { onPalette: () => void }) {
  const go = useGo();
  const project = useProject();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isOn, setOn] = useState(areKeysOn);

  useEffect(() => {
    let goSince = 0;
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        onPalette();
        return;
      }
      if (event.defaultPrevented || isTyping(event) || !areKeysOn()) return;
      const target = event.timeStamp - goSince < sequenceMs ? targets[event.key] : undefined;
      goSince = event.key === "g" ? event.timeStamp : 0;
      if (target) {
        event.preventDefault();
        go(target(project));
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("[data-search]");
        if (!field) return;
        event.preventDefault();
        field.focus();
        field.select();
      } else if (event.key === "?") setHelpOpen(true);
    };
    const showHelp = () => setHelpOpen(true);
    document.addEventListener("keydown", press);
    document.addEventListener("lathe:help", showHelp);
    return () => {
      document.removeEventListener("keydown", press);
      document.removeEventListener("lathe:help", showHelp);
    };
  }, [go, project, onPalette]);

  const toggle = (on: boolean) => {
    localStorage.setItem(storageKey, on ? "on" : "off");
    setOn(on);
  };

  return (
    <Dialog open={isHelpOpen} onOpenChange={setHelpOpen} title="Keys">
      <div className="dialog-body">
        <dl className="facts" style={{ gridTemplateColumns: "130px 1fr" }}>
          {help.map(([keys, what]) => (
            <div key={keys} style={{ display: "contents" }}>
              <dt>
                {keys.split(/ {2}/).map((key) => (
                  key === "/" && keys.length > 1 ? <span key={key}> or </span> : <kbd key={key} className="kbd" style={{ marginRight: 4 }}>{key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <label className="check">
          <input type="checkbox" checked={isOn} onChange={(event) => toggle(event.target.checked)} />
          Single-letter keys are on
        </label>
      </div>
    </Dialog>
  );
}
