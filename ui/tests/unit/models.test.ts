import { expect, test } from "vitest";
import { parseLocation } from "../../src/features/models/files";
import { parseMlModel } from "../../src/features/models/mlmodel";
import { isModelChange } from "../../src/features/models/use-model-changes";

test("where a version's files lie", () => {
  expect(parseLocation("mlflow-artifacts:/1/models/m-ab/artifacts")).toEqual({ kind: "stored", root: "1/models/m-ab/artifacts" });
  expect(parseLocation("mlflow-artifacts://host:80/1/r/artifacts/model/")).toEqual({ kind: "stored", root: "1/r/artifacts/model" });
  expect(parseLocation("runs:/ab12/model/best")).toEqual({ kind: "run", runId: "ab12", root: "model/best" });
  expect(parseLocation("s3://bucket/model")).toEqual({ kind: "elsewhere", uri: "s3://bucket/model" });
});

test("the input example's file is named below its own key only", () => {
  const text = `artifact_path: model
saved_input_example_info:
  artifact_path: input_example.json
  type: ndarray
utc_time_created: '2026-11-25 15:00:00'
`;
  expect(parseMlModel(text).inputExamplePath).toBe("input_example.json");
  expect(parseMlModel("artifact_path: model\nflavors:\n  sklearn:\n    artifact_path: x\n").inputExamplePath).toBeUndefined();
});

test("what is shown of models changes with them, and not when a run reads one: its lineage hears that", () => {
  expect(["model.created", "version.tagged", "alias.set"].every(isModelChange)).toBe(true);
  expect(["version.read", "artifact.read", "run.finished"].some(isModelChange)).toBe(false);
});
