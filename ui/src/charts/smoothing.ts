// Exponential smoothing with the bias of the first points removed, as TensorBoard does: early values are not pulled to 0.

/** `weight` 0 leaves the values, 0.99 is a very smooth line. Gaps and values that are no numbers stay and do not spread. */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  let last = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return value;
    last = last * weight + (1 - weight) * value;
    seen += 1;
    return last / (1 - weight ** seen);
  });
}
