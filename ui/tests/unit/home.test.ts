import { expect, test } from "vitest";
import { foldRepeats } from "../../src/features/home/fold";

test("what is done again and again is one line, until something else comes between", () => {
  const event = (action: string, subject = "p/deployment/d", name = "ada") => ({ action, subject, actor: { kind: "user" as const, name } });
  const labels = event("monitoring.labels_added");
  const folded = foldRepeats([labels, labels, event("alert.raised"), labels, event("monitoring.labels_added", "p/deployment/e"), event("monitoring.labels_added", "p/deployment/e", "bob")]);
  expect(folded.map(({ times }) => times)).toEqual([2, 1, 1, 1, 1]);
  expect(folded[0]!.event).toBe(labels);
  expect(foldRepeats([])).toEqual([]);
});
