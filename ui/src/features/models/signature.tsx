import { useQuery } from "@tanstack/react-query";
import { useProject } from "../../app/navigation";
import { isAbsent } from "../../api/http";
import { CopyButton } from "../../components/copy";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes } from "../../components/format";
import { Section } from "../../components/page";
import { textFileQuery, type FileLocation } from "./files";
import { parseMlModel, type MlModel, type SignatureColumn } from "./mlmodel";

const exampleChars = 4000;

/** What the MLmodel file says: what the model takes and gives, and how it was packed. */
export function Signature({ name, version, location }: { name: string; version: string; location: FileLocation }) {
  const project = useProject();
  const file = useQuery(textFileQuery(project, name, version, location, "MLmodel"));
  const model = file.data === undefined ? undefined : parseMlModel(file.data);
  const example = useQuery(textFileQuery(project, name, version, location, model?.inputExamplePath));
  if (location.kind === "elsewhere") return null;
  if (isAbsent(file.error)) {
    return (
      <Section title="Signature">
        <p className="muted">There is no MLmodel file among the version's files, so inputs and outputs are not known.</p>
      </Section>
    );
  }
  return (
    <>
      <Section title="Signature">
        {file.isPending ? <SkeletonRows count={3} /> : null}
        {file.error ? <ErrorNote error={file.error} /> : null}
        {model ? (
          <>
            <Packing model={model} />
            {model.inputs ?? model.outputs ? (
              <div className="sides">
                <Side title="Inputs" columns={model.inputs} />
                <Side title="Outputs" columns={model.outputs} />
              </div>
            ) : (
              <p className="muted">The model was logged without a signature. Pass signature or input_example to log_model to record one.</p>
            )}
          </>
        ) : null}
      </Section>
      {example.data === undefined ? null : (
        <Section title="Input example">
          <div className="snippet">
            <pre className="wrapped" tabIndex={0} aria-label="Input example">{shorten(example.data)}</pre>
            <CopyButton text={example.data} label="Copy input example" />
          </div>
        </Section>
      )}
    </>
  );
}

function Packing({ model }: { model: MlModel }) {
  const flavors = model.flavors.filter((flavor) => flavor !== "python_function");
  const words = [
    flavors.length ? flavors.join(", ") : "pyfunc",
    model.mlflowVersion ? `MLflow ${model.mlflowVersion}` : "",
    model.pythonVersion ? `Python ${model.pythonVersion}` : "",
    model.sizeBytes ? formatBytes(model.sizeBytes) : "",
  ];
  return <p className="secondary">{words.filter(Boolean).join(" · ")}</p>;
}

function Side({ title, columns = [] }: { title: string; columns: SignatureColumn[] | undefined }) {
  return (
    <table className="table inset">
      <caption className="side-title">{title}</caption>
      <thead>
        <tr>
          <th>Name</th>
          <th>Type</th>
        </tr>
      </thead>
      <tbody>
        {columns.map((column) => (
          <tr key={column.name}>
            <td className="breakable">
              {column.name} {column.required ? null : <span className="muted">(optional)</span>}
            </td>
            <td className="mono breakable">{column.type}</td>
          </tr>
        ))}
        {columns.length ? null : <tr><td colSpan={2} className="muted">not recorded</td></tr>}
      </tbody>
    </table>
  );
}

const shorten = (text: string) => (text.length > exampleChars ? `${text.slice(0, exampleChars)}\n… ${text.length - exampleChars} more characters; the file is below` : text);
