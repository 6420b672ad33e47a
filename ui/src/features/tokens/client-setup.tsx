import { useProject } from "../../app/navigation";
import { trackingUri } from "../../app/paths";
import { Snippet } from "../../components/copy";

/** The environment of an MLflow client, with the token where one is needed. */
export function ClientSetup({ token }: { token?: string }) {
  const project = useProject();
  const lines = [`export MLFLOW_TRACKING_URI=${trackingUri(project)}`, ...(token ? [`export MLFLOW_TRACKING_TOKEN=${token}`] : [])];
  return <Snippet label="Copy client set-up" code={lines.join("\n")} />;
}
