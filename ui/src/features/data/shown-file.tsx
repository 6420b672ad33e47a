import { useQuery } from "@tanstack/react-query";
import { native } from "../../api/native";
import { useProject } from "../../app/navigation";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { ArtifactPreview } from "../run/artifact-preview";
import { folderOf, lastPart } from "./view";

export const isParquet = (path: string) => /\.parquet$/i.test(path);

/** One file of a ref, as far as it can be shown. */
export function ShownFile({ repository, revision, path }: { repository: string; revision: string; path: string }) {
  const project = useProject();
  // The listing of the folder knows the size; a prefix as long as the path finds this file first.
  const found = useQuery({
    queryKey: ["data", project, repository, "file", revision, path],
    queryFn: ({ signal }) => native.objects(project, repository, revision, { prefix: path, max_results: 1 }, signal),
  });
  if (found.error) return <div style={{ padding: 20 }}><ErrorNote error={found.error} /></div>;
  if (found.isPending) return <SkeletonRows />;
  const object = found.data.objects.find((candidate) => candidate.path === path);
  if (!object) return <Empty title="This file is not here"><p>{lastPart(path)} does not exist in {folderOf(path) || "the root"} on {revision}.</p></Empty>;
  return (
    <div className="data-file">
      <ArtifactPreview path={path} sizeBytes={object.size_bytes} url={native.objectUrl(project, repository, revision, path)} />
      {isParquet(path) ? <p className="secondary" style={{ padding: "0 20px" }}>Rows and columns of Parquet files cannot be looked at here yet; “Use in code” has the lines that read this one.</p> : null}
    </div>
  );
}
