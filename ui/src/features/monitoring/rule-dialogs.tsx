import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { native, type AlertRule } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { Field, Segmented } from "../../components/fields";
import { notify } from "../../components/toast";
import { driftQuery } from "./queries";
import { draftCondition, isOfColumn, metricWords, qualityMeasures, ruleOf, unitHelp, usualThresholds, type RuleDraft } from "./rules";

interface DialogState {
  deployment: string;
  onOpenChange: () => void;
  onDone: () => Promise<void>;
}

const blank: RuleDraft = { name: "", metric: "drift_share", column: "", measure: "accuracy", threshold: String(usualThresholds.drift_share), severity: "warning", minRows: "30", coolDownMinutes: "0" };

export function NewRule({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const listId = useId();
  const [draft, setDraft] = useState(blank);
  const drift = useQuery({ ...driftQuery(project, deployment, { windows: 1 }), enabled: isOfColumn(draft.metric) });
  const columns = new Set(drift.data?.windows.at(-1)?.columns.map(({ name }) => name));
  const rule = ruleOf(draft);
  const condition = draftCondition(draft);
  const set = (patch: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...patch }));
  const create = async () => {
    if (!rule) return;
    await native.createAlertRule(project, deployment, rule);
    notify(`Rule ${rule.name} looks at each window`);
    await onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="New alert rule" about="It looks at each window that has ended, and again when labels change it." action="Create rule" disabled={!rule} onSubmit={create}>
      <Field label="Name">{(id) => <input id={id} className="input" autoComplete="off" value={draft.name} onChange={(event) => set({ name: event.target.value })} />}</Field>
      <Field label="Looks at">
        {(id) => (
          <select id={id} className="select" value={draft.metric} onChange={(event) => set({ metric: event.target.value as RuleDraft["metric"], threshold: String(usualThresholds[event.target.value as RuleDraft["metric"]]) })}>
            {Object.entries(metricWords).map(([metric, words]) => <option key={metric} value={metric}>{words}</option>)}
          </select>
        )}
      </Field>
      {isOfColumn(draft.metric) ? (
        <Field label="Column">
          {(id) => (
            <>
              <input id={id} className="input" list={listId} autoComplete="off" value={draft.column} onChange={(event) => set({ column: event.target.value })} />
              <datalist id={listId}>{[...columns].map((name) => <option key={name} value={name} />)}</datalist>
            </>
          )}
        </Field>
      ) : null}
      {draft.metric === "quality" ? (
        <Field label="Measure">
          {(id) => <select id={id} className="select" value={draft.measure} onChange={(event) => set({ measure: event.target.value })}>{qualityMeasures.map((measure) => <option key={measure}>{measure}</option>)}</select>}
        </Field>
      ) : null}
      <Field label="Threshold" help={[condition && `Raised when: ${condition}.`, unitHelp(draft.metric)].filter(Boolean).join(" ")}>{(id) => <input id={id} className="input" inputMode="decimal" value={draft.threshold} onChange={(event) => set({ threshold: event.target.value })} />}</Field>
      <div className="field">
        <span className="label" aria-hidden="true">Severity</span>
        <Segmented label="Severity" value={draft.severity} options={[{ value: "info", label: "Info" }, { value: "warning", label: "Warning" }, { value: "critical", label: "Critical" }]} onChange={(severity) => set({ severity })} />
      </div>
      <Field label="From rows" help="A window with fewer rows (of quality: rows with labels) says nothing.">{(id) => <input id={id} className="input" inputMode="numeric" value={draft.minRows} onChange={(event) => set({ minRows: event.target.value })} />}</Field>
      <Field label="Quiet after an alert, in minutes">{(id) => <input id={id} className="input" inputMode="decimal" value={draft.coolDownMinutes} onChange={(event) => set({ coolDownMinutes: event.target.value })} />}</Field>
    </FormDialog>
  );
}

export function DeleteRule({ deployment, rule, onOpenChange, onDone }: DialogState & { rule: AlertRule }) {
  const project = useProject();
  const remove = async () => {
    await native.deleteAlertRule(project, deployment, rule.id);
    notify(`Rule ${rule.name} was deleted`);
    await onDone();
  };
  return <FormDialog open onOpenChange={onOpenChange} title={`Delete rule ${rule.name}?`} about="Its open alerts are resolved; what it raised stays." action="Delete rule" danger onSubmit={remove} />;
}
