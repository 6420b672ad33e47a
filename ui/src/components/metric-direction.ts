// Which end of a metric is the good one. Only where the name says so: a wrong mark is worse than none.

export type Direction = "max" | "min";

const lower = /(^|[^a-z])(loss|error|err|mse|rmse|mae|mape|perplexity|ppl|latency|brier|wer|cer|fid|nll|log_loss|hinge)($|[^a-z])/;
const higher = /(^|[^a-z])(acc|accuracy|auc|auroc|roc_auc|f1|f1_score|precision|recall|score|r2|r2_score|map|bleu|rouge|iou|dice|ndcg|throughput|reward)($|[^a-z0-9]|@|\d)/;

export function metricDirection(key: string): Direction | undefined {
  const name = key.toLowerCase();
  if (lower.test(name)) return "min";
  if (higher.test(name)) return "max";
  return undefined;
}

/** The best value, where the values differ: a tie has no winner to mark. */
export function bestValue(key: string, values: readonly (number | undefined)[]): number | undefined {
  const index = bestIndex(key, values);
  const best = index === undefined ? undefined : values[index];
  return values.some((value) => value !== undefined && Number.isFinite(value) && value !== best) ? best : undefined;
}

/** The index of the best value; nothing when the name does not say, or when fewer than two values can be compared. */
function bestIndex(key: string, values: readonly (number | undefined)[]): number | undefined {
  const direction = metricDirection(key);
  if (!direction) return undefined;
  let best: number | undefined;
  let count = 0;
  values.forEach((value, index) => {
    if (value === undefined || !Number.isFinite(value)) return;
    count += 1;
    const champion = best === undefined ? undefined : values[best];
    if (champion === undefined || (direction === "max" ? value > champion : value < champion)) best = index;
  });
  return count > 1 ? best : undefined;
}
