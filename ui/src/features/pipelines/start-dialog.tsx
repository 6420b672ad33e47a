import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { pipelines, type PipelineDetail, type PipelineParam, type PipelineRun } from "../../api/pipelines";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { defaultText, paramHelp, problemCount, readForm, textsOf } from "./params";
import { pipelineRunQuery } from "./queries";

interface StartDialogProps {
  detail: PipelineDetail;
  /** The id of the run whose parameters stand in the form. */
  from: string | undefined;
  onClose: () => void;
  onDone: () => Promise<void>;
}

/** Asks for the parameters of a run, as the pipeline's file declares them, and starts it. */
export function StartDialog({ from, ...rest }: StartDialogProps) {
  const project = useProject();
  const earlier = useQuery({ ...pipelineRunQuery(project, from ?? ""), enabled: from !== undefined, refetchInterval: false });
  if (from !== undefined && earlier.isPending) return null;
  return <StartForm key={from} earlier={from === undefined ? undefined : earlier.data?.run} isLost={from !== undefined && earlier.isError} {...rest} />;
}

interface StartFormProps extends Omit<StartDialogProps, "from"> {
  earlier: PipelineRun | undefined;
  isLost: boolean;
}

function StartForm({ detail: { pipeline, params }, earlier, isLost, onClose, onDone }: StartFormProps) {
  const project = useProject();
  const go = useGo();
  const { texts: given, dropped } = textsOf(params, earlier?.params ?? {});
  const [texts, setTexts] = useState(given);
  const form = readForm(params, texts);
  const start = async () => {
    const run = await pipelines.start(project, pipeline.name, form.values);
    notify(`${pipeline.name} #${run.number} was started`);
    await onDone();
    // Who goes back from the run must not meet the form again.
    onClose();
    go(paths.pipelineRun(project, run.id));
  };
  const about = [
    earlier ? `The parameters are those of #${earlier.number}; file, code and data are those of now.` : params.length ? "What is left as it is has the default of the pipeline's file." : "This pipeline takes no parameters.",
    dropped.length ? `The pipeline no longer takes ${dropped.join(", ")}.` : "",
    isLost ? "The earlier run cannot be read, so the form has the defaults." : "",
  ];
  return (
    <FormDialog
      open
      onOpenChange={(open) => open || onClose()}
      title={`Run ${pipeline.name}`}
      about={about.filter(Boolean).join(" ")}
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
