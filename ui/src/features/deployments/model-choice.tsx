// Chooses a registered model, and of it a version or an alias: `models:/churn/3`, `models:/churn@champion`.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import type { DeployedVersion } from "../../api/native";
import { useProject } from "../../app/navigation";
import { useDraft } from "../../app/use-draft";
import { ErrorNote } from "../../components/error-note";
import { Field } from "../../components/fields";
import { formatCount } from "../../components/format";
import { modelsPageQuery, namedModelQuery, versionsChoiceQuery } from "../models/queries";

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
  const [applied, setApplied] = useState(modelOf(value) || usual || "");
  const [name, setName] = useDraft(applied, setApplied);
  // By what was typed: a project may have more models than one page.
  const names = useQuery(modelsPageQuery(project, applied, undefined));
  const model = useQuery({ ...namedModelQuery(project, applied), enabled: applied !== "" });
  const versions = useQuery({ ...versionsChoiceQuery(project, applied), enabled: Boolean(model.data) });
  const isKnownWell = name === applied && Boolean(model.data) && versions.data !== undefined;
  const aliases = isKnownWell ? model.data!.aliases : [];
  const listed = isKnownWell ? versions.data!.items.map(({ version }) => version) : [];
  const chosen = /^models:\/.+\/(\d+)$/.exec(value)?.[1];
  const numbers = isKnownWell && chosen && modelOf(value) === name && !listed.includes(chosen) ? [...listed, chosen] : listed;
  const first = aliases.find(({ alias }) => alias === "champion") ?? (usual ? undefined : aliases[0]);
  const newest = numbers.find((number) => name !== usual || number !== String(primary?.version)) ?? numbers[0];
  const suggested = !isKnownWell ? "" : usual && newest ? `models:/${name}/${newest}` : first ? `models:/${name}@${first.alias}` : numbers[0] ? `models:/${name}/${numbers[0]}` : "";
  const error = model.error ?? versions.error ?? names.error;
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
      {error ? <ErrorNote error={error} /> : null}
      <Field label="Version" help={value.includes("@") ? "The alias is followed: where it moves, the deployment goes." : isKnownWell && versions.data?.nextPageToken ? `The newest ${formatCount(versions.data.items.length)} are listed.` : undefined}>
        {(id) => (
          <select id={id} className="select" value={isFitting ? value : ""} disabled={!isFitting} onChange={(event) => onChange(event.target.value)}>
            {isFitting ? null : <option value="">{isKnownWell && !versions.isFetching ? "no version yet" : "choose a model first"}</option>}
            {aliases.map(({ alias, version }) => <option key={alias} value={`models:/${name}@${alias}`}>@{alias} (now version {version})</option>)}
            {numbers.map((version) => <option key={version} value={`models:/${name}/${version}`}>Version {version}</option>)}
          </select>
        )}
      </Field>
    </>
  );
}
