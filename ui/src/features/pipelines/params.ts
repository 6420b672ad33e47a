// What a person types for the parameters of a run, as the values that the pipeline's file declares.
import type { PipelineParam, Scalar } from "../../api/pipelines";
import { plural } from "../../components/format";

/** What stands in the form at first. */
export const defaultText = ({ default: value }: PipelineParam): string => (value === null ? "" : String(value));

/** The value that `text` means, or what is wrong with it. */
export function readParam(param: PipelineParam, text: string): { value: Scalar } | { problem: string } {
  const trimmed = text.trim();
  switch (param.type) {
    case "bool":
      return trimmed === "true" || trimmed === "false" ? { value: trimmed === "true" } : { problem: "Choose true or false." };
    case "choice":
      return param.choices.includes(text) ? { value: text } : { problem: `Choose one of ${param.choices.join(", ")}.` };
    case "str":
      // What has a default may be left empty: then the empty text is meant.
      return text || param.default !== null ? { value: text } : { problem: "Say something." };
    case "int":
    case "float":
      return readNumber(param, trimmed);
  }
}

function readNumber({ type, min, max }: PipelineParam, text: string): { value: Scalar } | { problem: string } {
  const value = Number(text);
  if (!text || !Number.isFinite(value)) return { problem: type === "int" ? "A whole number is needed." : "A number is needed." };
  if (type === "int" && !Number.isSafeInteger(value)) return { problem: "A whole number is needed." };
  if (min !== null && value < min) return { problem: `It is at least ${min}.` };
  if (max !== null && value > max) return { problem: `It is at most ${max}.` };
  return { value };
}

/** What may be typed, in a line. */
export function paramHelp({ type, min, max, default: value }: PipelineParam): string {
  const kind = { str: "Text", int: "Whole number", float: "Number", bool: "Yes or no", choice: "One of the list" }[type];
  const range = min !== null && max !== null ? `${min} to ${max}` : min !== null ? `at least ${min}` : max !== null ? `at most ${max}` : "";
  return [kind, range, value === null ? "has no default" : `default ${value}`].filter(Boolean).join(", ");
}

/** What an earlier run was given, as far as the pipeline still takes it, and the names of what it no longer takes. */
export function textsOf(params: readonly PipelineParam[], earlier: Record<string, Scalar>): { texts: Record<string, string>; dropped: string[] } {
  const entries = Object.entries(earlier);
  const isKnown = (name: string) => params.some((param) => param.name === name);
  return { texts: Object.fromEntries(entries.filter(([name]) => isKnown(name)).map(([name, value]) => [name, String(value)])), dropped: entries.filter(([name]) => !isKnown(name)).map(([name]) => name) };
}

export interface ReadForm {
  values: Record<string, Scalar>;
  problems: Record<string, string>;
}

/** All of the form; a text that was not touched stays the default, which the server fills in. */
export function readForm(params: readonly PipelineParam[], texts: Record<string, string>): ReadForm {
  const form: ReadForm = { values: {}, problems: {} };
  for (const param of params) {
    const text = texts[param.name];
    if (text === undefined && param.default !== null) continue;
    const read = readParam(param, text ?? "");
    if ("problem" in read) form.problems[param.name] = read.problem;
    else form.values[param.name] = read.value;
  }
  return form;
}

/** Why the form cannot be sent, for the button. */
export const problemCount = ({ problems }: ReadForm): string | undefined => {
  const count = Object.keys(problems).length;
  return count ? plural(count, "value is missing or wrong", "values are missing or wrong") : undefined;
};
