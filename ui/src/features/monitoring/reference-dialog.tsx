import { useState } from "react";
import { native, type Deployment, type DriftWindow, type NewReference } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { Field, Segmented } from "../../components/fields";
import { plural, windowFormat } from "../../components/format";
import { notify } from "../../components/toast";

interface SetReferenceProps {
  deployment: Deployment;
  windows: readonly DriftWindow[];
  onOpenChange: () => void;
  onDone: () => Promise<void>;
}

/** What windows are compared with from now on. */
export function SetReference({ deployment, windows, onOpenChange, onDone }: SetReferenceProps) {
  const project = useProject();
  const nameOf = windowFormat(windows.map((window) => window.start_ms));
  const [from, setFrom] = useState<NewReference["from"]>("training");
  const [start, setStart] = useState(String(windows.at(0)?.start_ms ?? ""));
  const [data, setData] = useState({ repository: "", ref: "main", path: "" });
  const bodies = { training: { from: "training" }, window: { from: "window", window_start_ms: Number(start) }, data: { from: "data", ...data } } as const;
  const isReady = from === "training" || (from === "window" ? start !== "" : data.repository !== "" && data.ref !== "" && data.path !== "");
  const change = async () => {
    await native.setReference(project, deployment.name, bodies[from]);
    notify("Windows are compared with the new reference");
    await onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="Reference" about="Each window of traffic is compared with it." action="Set reference" disabled={!isReady} onSubmit={change}>
      <div className="field">
        <Segmented label="Where from" value={from} options={[{ value: "training", label: "Training data" }, { value: "window", label: "A window" }, { value: "data", label: "Files" }]} onChange={setFrom} />
      </div>
      {from === "training" ? <p className="secondary">What the run of the primary version read from a repository, found by lineage.</p> : null}
      {from === "window" ? (
        <Field label="Window" help={windows.length ? "Its rows become the reference for all versions." : "There are no windows yet."}>
          {(id) => (
            <select id={id} className="select" value={start} onChange={(event) => setStart(event.target.value)}>
              {windows.map(({ start_ms, rows }) => <option key={start_ms} value={start_ms}>{nameOf(start_ms)}, {plural(rows, "row")}</option>)}
            </select>
          )}
        </Field>
      ) : null}
      {from === "data"
        ? (["repository", "ref", "path"] as const).map((key) => (
            <Field key={key} label={{ repository: "Repository", ref: "Branch, tag or commit", path: "File or folder" }[key]} help={key === "path" ? "CSV or Parquet." : undefined}>
              {(id) => <input id={id} className="input" autoComplete="off" value={data[key]} onChange={(event) => setData({ ...data, [key]: event.target.value })} />}
            </Field>
          ))
        : null}
    </FormDialog>
  );
}
