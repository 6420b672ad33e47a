// Events of a deployment in words: what happened to whom.
import type { LedgerEvent } from "../../api/native";
import { formatWindow } from "../../components/format";
import { thresholdWords, valueWords } from "../monitoring/rules";

export function phraseOf({ action, detail }: Pick<LedgerEvent, "action" | "detail">): string {
  const fact = (key: string) => (detail?.[key] === undefined || detail[key] === null ? undefined : String(detail[key]));
  const version = fact("model") ? `${fact("model")} v${fact("version")}` : "a version";
  switch (action) {
    case "deployment.created": return `Created with ${version}`;
    case "deployment.canary_started": return `${version} became the canary, with ${fact("weight")} %`;
    case "deployment.weight_set": return `The canary's part became ${fact("weight")} %`;
    case "deployment.shadow_started": return `${version} became the shadow`;
    case "deployment.shadow_ended": return `The shadow ${version} was ended`;
    case "deployment.promoted": return `${version} was promoted${fact("previous_version") ? `, in place of v${fact("previous_version")}` : ""}`;
    case "deployment.rolled_back": return fact("ended_canary") ? `The canary v${fact("ended_canary")} was ended` : `Rolled back to ${version}`;
    case "deployment.alias_followed": return `The alias ${fact("alias")} is followed, now with ${version}`;
    case "deployment.deleted": return "Deleted";
    case "alert_rule.created": return `Alert rule ${fact("rule")} was made`;
    case "alert_rule.deleted": return `Alert rule ${fact("rule")} was deleted`;
    case "monitoring.reference_set": return `The reference became ${sourceOf(fact("source") ?? "")}`;
    case "monitoring.configured": return "Monitoring was configured";
    case "alert.raised": return `Alert ${fact("rule") ?? ""}: ${wordsOf(detail?.value, (value) => valueWords(fact("metric"), value))}, the limit is ${wordsOf(detail?.threshold, (threshold) => thresholdWords(fact("metric"), threshold))}`;
    case "alert.resolved": return `Alert ${fact("rule") ?? ""} is over`;
    default: {
      const word = (action.split(".")[1] ?? action).replaceAll("_", " ");
      return word.charAt(0).toUpperCase() + word.slice(1);
    }
  }
}

/** A commit by its beginning, a window by its time. */
const sourceOf = (source: string): string =>
  source.replace(/@([0-9a-f]{8})[0-9a-f]+/, "@$1").replace(/^window (\d+)$/, (_, startMs: string) => `the window of ${formatWindow(Number(startMs))}`);

const wordsOf = (value: unknown, write: (value: number) => string): string => (typeof value === "number" ? write(value) : "a value");
