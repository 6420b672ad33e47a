import { useProject } from "../../app/navigation";
import { commandLineSetup } from "../../app/paths";
import { Snippet } from "../../components/copy";

const file = `name: churn
params: { trials: { type: int, default: 30, min: 1 } }
jobs:
  train:
    matrix: { model: [lgbm, xgb] }
    run: python train.py --model \${{ matrix.model }} --trials \${{ params.trials }}
  approve: { needs: [train], approval: { min: 1, timeout: 3d } }`;

/** From nothing to the first run. */
export function FirstPipeline() {
  const project = useProject();
  return (
    <>
      <p>A pipeline is a file, <code>lathe.yaml</code>, beside your code in git. It says which jobs there are, what they need and what starts them:</p>
      <Snippet code={file} label="Copy the file" />
      <p>Then, in that folder:</p>
      <Snippet code={`${commandLineSetup(project)}\nlathe pipeline lint\nlathe pipeline push\nlathe pipeline run churn --wait`} label="Copy the commands" />
    </>
  );
}
