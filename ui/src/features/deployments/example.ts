// What a version takes, read from its files: the signature, and a request that can be sent.
import { useQuery } from "@tanstack/react-query";
import type { DeployedVersion } from "../../api/native";
import { useProject } from "../../app/navigation";
import { locationQuery, textFileQuery } from "../models/files";
import { parseMlModel, type MlModel } from "../models/mlmodel";
import { exampleBody } from "./requests";

export interface Example {
  body: string;
  source: "logged" | "signature" | "nothing";
  inputs: MlModel["inputs"];
}

/** Nothing while the files are being read; made up where they tell nothing. */
export function useExample(version: DeployedVersion | undefined): Example | undefined {
  const project = useProject();
  const [name, number] = [version?.model ?? "", String(version?.version ?? "")];
  const location = useQuery({ ...locationQuery(project, name, number), enabled: version !== undefined });
  const file = useQuery(textFileQuery(project, name, number, location.data, "MLmodel"));
  const model = file.data === undefined ? undefined : parseMlModel(file.data);
  const logged = useQuery(textFileQuery(project, name, number, location.data, model?.servingExamplePath));
  const isElsewhere = location.data?.kind === "elsewhere";
  const isSettled = location.isError || isElsewhere || file.isError || (model !== undefined && (model.servingExamplePath === undefined || logged.isSuccess || logged.isError));
  if (!isSettled) return undefined;
  const source = logged.data !== undefined ? "logged" : model?.inputs?.length ? "signature" : "nothing";
  return { body: exampleBody(model, logged.data), source, inputs: model?.inputs };
}
