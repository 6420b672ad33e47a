import { useState } from "react";
import { pipelines, type PipelineDetail, type PipelineParam } from "../../api/pipelines";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { defaultText, paramHelp, problemCount, readForm } from "./params";

interface StartDialogProps {
  detail: PipelineDetail;
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

/** Asks for the parameters of a run, as the pipeline's file declares them, and starts it. */
export function StartDialog({ detail: { pipeline, params }, onOpenChange, onDone }: StartDialogProps) {
  const project = useProject();
  const go = useGo();
  const [texts, setTexts] = useState<Record<string, string>>({});
  const form = readForm(params, texts);
  const start = async () => {
    const run = await pipelines.start(project, pipeline.name, form.values);
    notify(`${pipeline.name} #${run.number} was started`);
    await onDone();
    go(paths.pipelineRun(project, run.id));
  };
  return (
    <FormDialog
      open
      onOpenChange={(open) => open || onOpenChange(false)}
      title={`Run ${pipeline.name}`}
      about={params.length ? "What is left as it is has the default of the pipeline's file." : "This pipeline takes no parameters."}
      action="Run"
      disabled={problemCount(form) !== undefined}
      onSubmit={start}
    >
      {params.map((param) => (
        <ParamField
          key={param.name}
          param={param}
          text={texts[param.name] ?? defaultText(param)}
          // What nobody has touched yet is not called wrong; the button waits for it.
          problem={texts[param.name] === undefined ? undefined : form.problems[param.name]}
          onChange={(text) => setTexts({ ...texts, [param.name]: text })}
        />
      ))}
    </FormDialog>
  );
}

interface ParamFieldProps {
  param: PipelineParam;
  text: string;
  problem: string | undefined;
  onChange: (text: string) => void;
}

function ParamField({ param, text, problem, onChange }: ParamFieldProps) {
  const help = problem ? <span className="param-problem" role="alert">{problem}</span> : paramHelp(param);
  return (
    <Field label={param.name} help={help}>
      {(id) => {
        if (param.type === "choice" || param.type === "bool") {
          const options = param.type === "bool" ? ["true", "false"] : param.choices;
          return (
            <select id={id} className="select" value={text} onChange={(event) => onChange(event.target.value)}>
              {param.default === null ? <option value="">Choose…</option> : null}
              {options.map((option) => <option key={option}>{option}</option>)}
            </select>
          );
        }
        return (
          <input
            id={id}
            className="input"
            autoComplete="off"
            inputMode={param.type === "int" ? "numeric" : param.type === "float" ? "decimal" : undefined}
            aria-invalid={problem ? true : undefined}
            value={text}
            onChange={(event) => onChange(event.target.value)}
          />
        );
      }}
    </Field>
  );
}
