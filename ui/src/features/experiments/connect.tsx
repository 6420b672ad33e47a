import { useProject } from "../../app/navigation";
import { trackingUri } from "../../app/paths";
import { Snippet } from "../../components/copy";

/** What any MLflow client needs to log here. */
export function ConnectSnippet({ experiment }: { experiment?: string }) {
  const project = useProject();
  const choose = experiment ? `mlflow.set_experiment(${JSON.stringify(experiment)})\n` : "";
  return (
    <div className="stack">
      <p className="secondary">Point any MLflow client here; nothing else changes in your code.</p>
      <Snippet label="Copy shell line" code={`export MLFLOW_TRACKING_URI=${trackingUri(project)}`} />
      <Snippet
        label="Copy Python lines"
        code={`import mlflow\n\n${choose}with mlflow.start_run():\n    mlflow.log_param("learning_rate", 0.01)\n    for step in range(100):\n        mlflow.log_metric("loss", 1 / (step + 1), step=step)`}
      />
    </div>
  );
}
