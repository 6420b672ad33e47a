// How a deployment is monitored, as a form has it.
import type { MonitoringChange, MonitoringSettings } from "../../api/native";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export interface SettingsDraft {
  windowMinutes: string;
  samplePercent: string;
  retentionDays: string;
  allowsReplay: boolean;
  task: "" | "classification" | "regression";
  predictionColumn: string;
  scoreColumn: string;
  positiveLabel: string;
}

export function draftOf(settings: MonitoringSettings): SettingsDraft {
  const number = (value: number) => String(Number(value.toPrecision(12)));
  return {
    windowMinutes: number(settings.window_ms / minuteMs),
    samplePercent: number(settings.sample_share * 100),
    retentionDays: number(settings.retention_ms / dayMs),
    allowsReplay: settings.allows_replay,
    task: settings.task ?? "",
    predictionColumn: settings.prediction_column ?? "",
    scoreColumn: settings.score_column ?? "",
    positiveLabel: settings.positive_label ?? "",
  };
}

/** What the server is sent: what differs from the form as it was opened, so that what others changed meanwhile stays. Nothing while there is nothing to send. */
export function changeOf(opened: SettingsDraft, draft: SettingsDraft): MonitoringChange | undefined {
  const [before, after] = [settingsOf(opened), settingsOf(draft)];
  if (!after) return undefined;
  const changed = (Object.keys(after) as (keyof MonitoringChange)[]).filter((key) => after[key] !== before?.[key]);
  return changed.length ? Object.fromEntries(changed.map((key) => [key, after[key]])) : undefined;
}

/** All that a form says, or nothing while a number is none. What is left empty is found by the server again. */
export function settingsOf(draft: SettingsDraft): MonitoringChange | undefined {
  const [windowMinutes, samplePercent, retentionDays] = [draft.windowMinutes, draft.samplePercent, draft.retentionDays].map((text) => (text.trim() === "" ? NaN : Number(text))) as [number, number, number];
  if (!(windowMinutes > 0 && samplePercent >= 0 && samplePercent <= 100 && retentionDays > 0 && Number.isFinite(windowMinutes + retentionDays))) return undefined;
  const [prediction, score, positive] = [draft.predictionColumn, draft.scoreColumn, draft.positiveLabel].map((text) => text.trim());
  return {
    window_ms: Math.round(windowMinutes * minuteMs),
    sample_share: samplePercent / 100,
    retention_ms: Math.round(retentionDays * dayMs),
    allows_replay: draft.allowsReplay,
    task: draft.task || null,
    prediction_column: prediction || null,
    score_column: score || null,
    positive_label: positive || null,
  };
}
