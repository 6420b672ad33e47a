import { useState } from "react";
import { native, type MonitoringSettings } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { changeOf, draftOf, type SettingsDraft } from "./settings";

interface ChangeSettingsProps {
  deployment: string;
  settings: MonitoringSettings;
  onOpenChange: () => void;
  onDone: () => Promise<void>;
}

type TextKey = Exclude<keyof SettingsDraft, "allowsReplay" | "task">;

/** How windows are cut and kept, and what the model's answers mean. */
export function ChangeSettings({ deployment, settings, onOpenChange, onDone }: ChangeSettingsProps) {
  const project = useProject();
  const [opened] = useState(() => draftOf(settings));
  const [draft, setDraft] = useState(opened);
  const set = (patch: Partial<SettingsDraft>) => setDraft((before) => ({ ...before, ...patch }));
  const changed = changeOf(opened, draft);
  const change = async () => {
    if (!changed) return;
    await native.setMonitoring(project, deployment, changed);
    notify("The monitoring was changed");
    await onDone();
  };
  const text = (key: TextKey, label: string, help?: string, placeholder?: string) => (
    <Field label={label} help={help}>
      {(id) => <input id={id} className="input" autoComplete="off" placeholder={placeholder} value={draft[key]} onChange={(event) => set({ [key]: event.target.value })} />}
    </Field>
  );
  return (
    <FormDialog open wide onOpenChange={onOpenChange} title="Monitoring" about="How windows of traffic are cut and kept, and what the model's answers are." action="Save" disabled={!changed} onSubmit={change}>
      <div className="field-grid">
        {text("windowMinutes", "Window, in minutes", "It stays once there are windows.")}
        {text("samplePercent", "Rows kept, in % of the requests", "All requests are counted.")}
        {text("retentionDays", "Kept for, in days", "After the last sample or label came.")}
        <Field label="The answers are">
          {(id) => (
            <select id={id} className="select" value={draft.task} onChange={(event) => set({ task: event.target.value as SettingsDraft["task"] })}>
              <option value="">seen from the labels</option>
              <option value="classification">classes</option>
              <option value="regression">numbers</option>
            </select>
          )}
        </Field>
        {text("predictionColumn", "Column that labels are compared with", undefined, "prediction, or the first")}
        {text("scoreColumn", "Column with the score", undefined, "score or probability")}
        {text("positiveLabel", "Positive class", "Precision, recall, AUC and the like are about it.", "1 or true")}
        <div className="field">
          <span className="label" aria-hidden="true">Replay</span>
          <label className="check">
            <input type="checkbox" checked={draft.allowsReplay} onChange={(event) => set({ allowsReplay: event.target.checked })} />
            Clients may say when a request was made
          </label>
          <span className="help">In the header <code>x-lathe-time</code>, to replay the past.</span>
        </div>
      </div>
    </FormDialog>
  );
}
