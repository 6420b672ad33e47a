// Chooses a registered model, and of it a version or an alias: `models:/churn/3`, `models:/churn@champion`.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import type { DeployedVersion } from "../../api/native";
import { useProject } from "../../app/navigation";
import { ErrorNote } from "../../components/error-note";
import { Field } from "../../components/fields";
import { modelQuery, modelsPageQuery, versionsPageQuery } from "../models/queries";

interface ModelChoiceProps {
  value: string;
  onChange: (uri: string) => void;
  /** What answers now: of its model the newest other version is offered first. */
  primary?: Pick<DeployedVersion, "model" | "version"> | undefined;
}

export const modelOf = (uri: string): string => /^models:\/(.+?)(?:@[^@/]+|\/\d+)$/.exec(uri)?.[1] ?? "";

export function ModelChoice({ value, onChange, primary }: ModelChoiceProps) {
  const project = useProject();
  const usual = primary?.model;
  const listId = useId();
  const [name, setName] = useState(modelOf(value) || usual || "");
  const names = useQuery(modelsPageQuery(project, "", undefined));
  const isKnown = names.data?.items.some((model) => model.name === name) ?? false;
  const model = useQuery({ ...modelQuery(project, name), enabled: name !== "" && (isKnown || name === usual) });
  const versions = useQuery({ ...versionsPageQuery(project, name, undefined), enabled: model.data !== undefined });
  const aliases = model.data?.aliases ?? [];
  const isKnownWell = model.data !== undefined && versions.data !== undefined && !versions.isPlaceholderData;
  const numbers = (isKnownWell ? versions.data.items : []).map(({ version }) => version);
  const first = aliases.find(({ alias }) => alias === "champion") ?? (usual ? undefined : aliases[0]);
  const newest = numbers.find((number) => name !== usual || number !== String(primary?.version)) ?? numbers[0];
  const suggested = !isKnownWell ? "" : usual && newest ? `models:/${name}/${newest}` : first ? `models:/${name}@${first.alias}` : numbers[0] ? `models:/${name}/${numbers[0]}` : "";
  const isFitting = modelOf(value) === name && name !== "";
  useEffect(() => {
    if (!isFitting && suggested && modelOf(suggested) === name) onChange(suggested);
    else if (!isFitting && !suggested && value) onChange("");
  }, [isFitting, suggested, name, value, onChange]);
  return (
    <>
      <Field label="Model">
        {(id) => (
          <>
            <input id={id} className="input" list={listId} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
            <datalist id={listId}>{names.data?.items.map((each) => <option key={each.name} value={each.name} />)}</datalist>
          </>
        )}
      </Field>
      {model.error ? <ErrorNote error={model.error} /> : null}
      <Field label="Version" help={value.includes("@") ? "The alias is followed: where it moves, the deployment goes." : undefined}>
        {(id) => (
          <select id={id} className="select" value={isFitting ? value : ""} disabled={!isFitting} onChange={(event) => onChange(event.target.value)}>
            {isFitting ? null : <option value="">{name && model.data && !model.isFetching && versions.data ? "no version yet" : "choose a model first"}</option>}
            {aliases.map(({ alias, version }) => <option key={alias} value={`models:/${name}@${alias}`}>@{alias} (now version {version})</option>)}
            {numbers.map((version) => <option key={version} value={`models:/${name}/${version}`}>Version {version}</option>)}
          </select>
        )}
      </Field>
    </>
  );
}
