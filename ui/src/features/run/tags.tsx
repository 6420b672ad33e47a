import { mlflow, type Run } from "../../api/mlflow";
import { useProject } from "../../app/navigation";
import { Tags } from "../../components/tags";

export function RunTags({ run: { info, tags }, canWrite, onChanged }: { run: Run; canWrite: boolean; onChanged: () => void }) {
  const project = useProject();
  return (
    <Tags
      tags={tags}
      canWrite={canWrite}
      onSet={(key, value) => mlflow.setTag(project, info.run_id, key, value).then(onChanged)}
      onDelete={(key) => mlflow.deleteTag(project, info.run_id, key).then(onChanged)}
    />
  );
}
