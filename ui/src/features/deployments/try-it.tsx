import { useQuery } from "@tanstack/react-query";
import { RotateCcw, Send } from "lucide-react";
import { useState } from "react";
import { native, type Deployment } from "../../api/native";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths, trackingUri } from "../../app/paths";
import { Button } from "../../components/button";
import { CopyButton, Snippet } from "../../components/copy";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { Segmented } from "../../components/fields";
import { Section } from "../../components/page";
import { useExample, type Example } from "./example";
import type { Answer } from "./invoke";
import { curlLines, findFault, pythonLines, tidy, tritonLines } from "./requests";
import { formatMs, versionOf } from "./roles";
import type { TryItState } from "./use-try-it";
import { snippetView } from "./view";

const sources: Record<Example["source"], string> = {
  logged: "The input example that was logged with the model.",
  signature: "Made up from the model's signature: put your own values in.",
  nothing: "The model was logged without a signature: write what it takes.",
};

/** Asks the deployment from the page, and shows how clients ask it. */
export function TryIt({ deployment, tried }: { deployment: Deployment; tried: TryItState }) {
  const found = useExample(versionOf(deployment, "primary"));
  const [example, setExample] = useState(found);
  // While the files of another version are read, the example before stands.
  if (found && found.body !== example?.body) setExample(found);
  const shown = found ?? example;
  return shown ? <Loaded deployment={deployment} example={shown} tried={tried} /> : <SkeletonRows count={5} />;
}

function Loaded({ deployment, example, tried: { written, write, ask } }: { deployment: Deployment; example: Example; tried: TryItState }) {
  const body = written ?? example.body;
  const setBody = (text: string) => write(text === example.body ? undefined : text);
  const fault = findFault(body);
  return (
    <>
      <div className="sides try-it">
        <Section title="Request" actions={body === example.body ? undefined : <Button size="small" variant="ghost" icon={<RotateCcw size={13} />} onClick={() => setBody(example.body)}>Example again</Button>}>
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              if (!fault) ask.mutate(body);
            }}
          >
            <p className="secondary">{sources[example.source]}</p>
            <textarea
              className="textarea mono"
              aria-label="Body of the request"
              rows={14}
              spellCheck={false}
              value={body}
              aria-invalid={fault !== undefined}
              onChange={(event) => setBody(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
              }}
            />
            <div className="row">
              <Button type="submit" variant="primary" icon={<Send size={14} />} disabled={fault !== undefined || ask.isPending}>Send</Button>
              <span className={fault ? "bad-word" : "muted"}>{fault ?? "Ctrl Enter sends it, too. It counts as any other request."}</span>
            </div>
          </form>
        </Section>
        <Section title="Answer">
          <div aria-live="polite" className="stack">
            {ask.error ? <ErrorNote error={ask.error} /> : null}
            {ask.data && !ask.error ? <Answered answer={ask.data} /> : null}
            {!ask.data && !ask.error ? <p className="muted">{ask.isPending ? "Asking…" : "Nothing has been asked yet."}</p> : null}
          </div>
        </Section>
      </div>
      <ClientSnippets deployment={deployment} body={fault ? example.body : body} inputs={example.inputs} />
    </>
  );
}

function Answered({ answer }: { answer: Answer }) {
  const project = useProject();
  return (
    <>
      <div className="snippet">
        <pre className="wrapped answer" tabIndex={0} aria-label="Answer">{tidy(answer.text)}</pre>
        <CopyButton text={answer.text} label="Copy answer" />
      </div>
      <dl className="facts">
        <dt>Took</dt>
        <dd>{formatMs(answer.tookMs)} <span className="muted">from this browser and back</span></dd>
        {answer.requestId ? (
          <>
            <dt>Request id</dt>
            <dd>
              <span className="row">
                <AppLink className="mono ellipsis" title="Where this prediction came from" href={paths.lineage(project, { name: `${project}/prediction/${answer.requestId}` })}>{answer.requestId}</AppLink>
                <CopyButton text={answer.requestId} label="Copy request id" />
              </span>
            </dd>
          </>
        ) : null}
      </dl>
    </>
  );
}

function ClientSnippets({ deployment, body, inputs }: { deployment: Deployment; body: string; inputs: Example["inputs"] }) {
  const project = useProject();
  const [{ client }, setView] = useView(snippetView);
  const server = useQuery({ queryKey: ["server"], queryFn: native.server, staleTime: Infinity });
  const needsToken = server.data?.mode === "login";
  const url = `${trackingUri(project)}/serving/${deployment.name}/invocations`;
  const host = trackingUri(project).replace(/^https?:\/\//, "");
  const code = {
    curl: () => curlLines(url, body, needsToken),
    python: () => pythonLines(url, body, needsToken),
    triton: () => tritonLines(project === "default" ? host : `${host}/serving/${deployment.name}`, deployment.name, inputs),
  }[client]();
  return (
    <Section
      title="From a client"
      actions={
        <Segmented
          label="Client"
          value={client}
          options={[{ value: "curl", label: "curl" }, { value: "python", label: "Python" }, { value: "triton", label: "tritonclient" }]}
          onChange={(next) => setView({ client: next }, { replace: true })}
        />
      }
    >
      <Snippet label="Copy lines that ask it" code={code} />
      {needsToken ? <p className="muted">A token of scope infer may ask models and do nothing else. <AppLink href={paths.tokens(project)}>Make one</AppLink>.</p> : null}
    </Section>
  );
}
