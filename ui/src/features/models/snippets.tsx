import { useProject } from "../../app/navigation";
import { commandLineSetup, trackingUri } from "../../app/paths";
import { Snippet } from "../../components/copy";
import { Section } from "../../components/page";

/** How a first version comes to be. */
export function RegisterSnippet({ name = "my-model" }: { name?: string }) {
  const project = useProject();
  return (
    <div className="stack">
      <p className="secondary">Log a model with a name, and it is registered as the next version.</p>
      <Snippet label="Copy shell line" code={`export MLFLOW_TRACKING_URI=${trackingUri(project)}`} />
      <Snippet
        label="Copy Python lines"
        code={`import mlflow\n\nwith mlflow.start_run():\n    mlflow.sklearn.log_model(model, name="model", registered_model_name=${JSON.stringify(name)})`}
      />
    </div>
  );
}

/** How clients load and serve a version, by alias where it has one: the code then never changes. */
export function UseSnippets({ uri }: { uri: string }) {
  const project = useProject();
  const address = trackingUri(project);
  return (
    <Section title="Use it">
      <h3>Load in Python</h3>
      <Snippet
        label="Copy lines that load it"
        code={`import mlflow\n\nmlflow.set_tracking_uri(${JSON.stringify(address)})\nmodel = mlflow.pyfunc.load_model(${JSON.stringify(uri)})\nmodel.predict(data)`}
      />
      <h3>Let it answer requests</h3>
      <Snippet label="Copy lines that deploy it" code={`${commandLineSetup(project)}\nlathe deploy create my-deployment --model '${uri}'`} />
      <h3>Serve it on another machine</h3>
      <Snippet
        label="Copy lines that serve it"
        code={`export MLFLOW_TRACKING_URI=${address}\nmlflow models serve -m '${uri}' -p 5001 --env-manager local`}
      />
    </Section>
  );
}
