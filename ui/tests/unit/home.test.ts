import { expect, test } from "vitest";
import type { Actor } from "../../src/api/native";
import { foldRepeats } from "../../src/features/home/fold";

const event = (action: string, subject = "p/deployment/d", name = "ada", kind: Actor["kind"] = "user") => ({ action, subject, actor: { kind, name } });
const labels = event("monitoring.labels_added");

test("what is done again and again is one line, also where something else comes between", () => {
  const folded = foldRepeats([labels, labels, event("alert.raised"), labels, event("monitoring.labels_added", "p/deployment/e"), event("monitoring.labels_added", "p/deployment/e", "bob")]);
  expect(folded.map(({ times }) => times)).toEqual([3, 1, 1, 1]);
  expect(folded[0]!.event).toBe(labels);
  expect(foldRepeats([])).toEqual([]);
});

test("what was done much earlier is told again", () => {
  const between = Array.from({ length: 12 }, (_, at) => event("run.created", `p/run/${at}`));
  expect(foldRepeats([labels, ...between, labels]).length).toBe(14);
});

test("what the server makes for its jobs is no news, what a person makes is", () => {
  expect(foldRepeats([event("token.revoked", "p/token/1", "workflows", "system"), event("run.created", "p/run/1", "workflows", "system"), event("token.created", "p/token/2")]).map(({ event: { subject } }) => subject)).toEqual(["p/token/2"]);
});

test("a run's own deeds are one line, beside those of other runs", () => {
  const of = (run: string, action: string) => event(action, `p/run/${run}`, run, "run");
  const folded = foldRepeats([of("a", "run.finished"), of("b", "run.tagged"), of("a", "run.logged"), of("a", "run.logged"), of("a", "run.finished"), of("b", "run.logged"), event("run.finished", "p/run/c")]);
  expect(folded.map(({ event: { action, actor }, times, others }) => [actor.name, action, times, others])).toEqual([
    ["a", "run.finished", 2, 2],
    ["b", "run.tagged", 1, 1],
    ["ada", "run.finished", 1, 0],
  ]);
});
