// Changes of a deployment, each in a dialog that says what it will do to the requests that come in.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { native, type Deployment } from "../../api/native";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { modelQuery } from "../models/queries";
import { ModelChoice, modelOf } from "./model-choice";
import { versionOf } from "./roles";

export type Asked = "canary" | "weight" | "shadow" | "endShadow" | "promote" | "rollback" | "follow" | "delete";

interface DialogState {
  deployment: Deployment;
  onOpenChange: () => void;
  onDone: () => Promise<void>;
}

export function AskedDialog({ asked, ...state }: DialogState & { asked: Asked }) {
  switch (asked) {
    case "canary": return <StartCanary {...state} />;
    case "weight": return <SetWeight {...state} />;
    case "shadow": return <StartShadow {...state} />;
    case "endShadow": return <EndShadow {...state} />;
    case "promote": return <Promote {...state} />;
    case "rollback": return <Rollback {...state} />;
    case "follow": return <FollowAlias {...state} />;
    case "delete": return <DeleteDeployment {...state} />;
  }
}

const namePattern = /^[a-z][a-z0-9_-]{0,62}$/;

export function CreateDeployment({ onOpenChange, onDone, model: given = "" }: { onOpenChange: () => void; onDone: () => Promise<void>; model?: string }) {
  const project = useProject();
  const go = useGo();
  const [name, setName] = useState(namePattern.test(modelOf(given)) ? modelOf(given) : "");
  const [model, setModel] = useState(given);
  const [workers, setWorkers] = useState(1);
  const create = async () => {
    await native.createDeployment(project, { name, model, workers });
    notify(`Deployment ${name} is starting`);
    await onDone();
    go(paths.deployment(project, name));
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="New deployment" about="A name under which a model version answers requests." action="Deploy" disabled={!namePattern.test(name) || !model} onSubmit={create}>
      <Field label="Name" help="Small letters, digits, - and _, beginning with a letter. It stands in the address that clients ask.">
        {(id) => <input id={id} className="input" autoComplete="off" value={name} aria-invalid={name !== "" && !namePattern.test(name)} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <ModelChoice value={model} onChange={setModel} />
      <Field label="Workers" help="Processes for each version, 1 to 64.">
        {(id) => <input id={id} className="input" type="number" min={1} max={64} value={workers} style={{ width: 90 }} onChange={(event) => setWorkers(Number(event.target.value))} />}
      </Field>
    </FormDialog>
  );
}

function WeightField({ weight, onChange }: { weight: number; onChange: (weight: number) => void }) {
  return (
    <Field label="Part of the requests" help={`The canary answers ${weight} of 100 requests, the primary ${100 - weight}.`}>
      {(id) => (
        <span className="row">
          <input id={id} type="range" min={0} max={100} value={weight} style={{ flex: 1 }} onChange={(event) => onChange(Number(event.target.value))} />
          <input className="input" aria-label="Percent" type="number" min={0} max={100} value={weight} style={{ width: 70 }} onChange={(event) => onChange(Math.min(100, Math.max(0, Math.round(Number(event.target.value)))))} />%
        </span>
      )}
    </Field>
  );
}

function StartCanary({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [model, setModel] = useState("");
  const [weight, setWeight] = useState(10);
  const old = versionOf(deployment, "canary");
  const start = async () => {
    await native.startCanary(project, deployment.name, { model, weight });
    notify(`A canary of ${deployment.name} is starting`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title="Start a canary"
      about={`Another version answers a part of the requests, until it is promoted or rolled back.${old ? ` It takes the place of ${old.model} v${old.version}.` : ""}`}
      action="Start canary"
      disabled={!model}
      onSubmit={start}
    >
      <ModelChoice value={model} onChange={setModel} primary={versionOf(deployment, "primary")} />
      <WeightField weight={weight} onChange={setWeight} />
    </FormDialog>
  );
}

function SetWeight({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const before = versionOf(deployment, "canary")?.weight ?? 0;
  const [weight, setWeight] = useState(before);
  const change = async () => {
    await native.setCanaryWeight(project, deployment.name, weight);
    notify(`The canary of ${deployment.name} answers ${weight} % of the requests`);
    await onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="Change the canary's part" about={`It answers ${before} % of the requests now.`} action="Change" disabled={weight === before} onSubmit={change}>
      <WeightField weight={weight} onChange={setWeight} />
    </FormDialog>
  );
}

function StartShadow({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [model, setModel] = useState("");
  const old = versionOf(deployment, "shadow");
  const start = async () => {
    await native.startShadow(project, deployment.name, model);
    notify(`A shadow of ${deployment.name} is starting`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title="Start a shadow"
      about={`The version is asked everything that the deployment is asked. Nobody hears its answers: they are compared with those given.${old ? ` It takes the place of ${old.model} v${old.version}.` : ""}`}
      action="Start shadow"
      disabled={!model}
      onSubmit={start}
    >
      <ModelChoice value={model} onChange={setModel} primary={versionOf(deployment, "primary")} />
    </FormDialog>
  );
}

function EndShadow({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const shadow = versionOf(deployment, "shadow");
  const end = async () => {
    await native.endShadow(project, deployment.name);
    notify(`The shadow of ${deployment.name} has ended`);
    await onDone();
  };
  return <FormDialog open onOpenChange={onOpenChange} title="End the shadow?" about={`${shadow?.model} v${shadow?.version} is asked no more. Nobody heard its answers, so nothing changes for those who ask.`} action="End shadow" danger onSubmit={end} />;
}

function Promote({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [primary, canary] = [versionOf(deployment, "primary"), versionOf(deployment, "canary")];
  const promote = async () => {
    await native.promote(project, deployment.name);
    notify(`${canary?.model} v${canary?.version} answers all requests of ${deployment.name}`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Promote ${canary?.model} v${canary?.version}?`}
      about={`It answers all requests from then on; no request is lost. ${primary ? `${primary.model} v${primary.version} stays as the previous version, so that a rollback goes back to it.` : ""}`}
      action="Promote"
      onSubmit={promote}
    />
  );
}

function Rollback({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [primary, canary, previous] = [versionOf(deployment, "primary"), versionOf(deployment, "canary"), versionOf(deployment, "previous")];
  const roll = async () => {
    await native.rollback(project, deployment.name);
    notify(canary ? `The canary of ${deployment.name} has ended` : `${deployment.name} is back at ${previous?.model} v${previous?.version}`);
    await onDone();
  };
  const about = canary
    ? `${canary.model} v${canary.version} gets no more requests; ${primary?.model} v${primary?.version} answers everything.`
    : `${previous?.model} v${previous?.version} becomes the primary again; ${primary?.model} v${primary?.version} answers until it is ready.${primary?.alias ? ` The alias ${primary.alias} is no longer followed.` : ""}`;
  return <FormDialog open onOpenChange={onOpenChange} title={canary ? "End the canary?" : "Roll back?"} about={about} action={canary ? "End canary" : "Roll back"} danger onSubmit={roll} />;
}

function FollowAlias({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const primary = versionOf(deployment, "primary");
  const model = useQuery({ ...modelQuery(project, primary?.model ?? ""), enabled: primary !== undefined });
  const aliases = model.data?.aliases ?? [];
  const [chosen, setChosen] = useState("");
  const named = (wanted: string | undefined) => aliases.find((entry) => entry.alias === wanted);
  const { alias = "", version } = named(chosen) ?? named(primary?.alias) ?? named("champion") ?? aliases[0] ?? {};
  const follow = async () => {
    await native.followAlias(project, deployment.name, alias);
    notify(`${deployment.name} follows the alias ${alias}`);
    await onDone();
  };
  const effect =
    version === undefined ? ""
    : version === String(primary?.version) ? `It names version ${version}, which is the primary already: nothing changes until the alias moves.`
    : `It names version ${version}, which becomes the primary; version ${primary?.version} answers until it is ready.`;
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title="Follow an alias"
      about={`Where the alias moves, the deployment goes: the version that it names becomes the primary.${primary?.alias ? ` ${primary.alias} is followed now.` : ""}`}
      action="Follow alias"
      disabled={version === undefined || alias === primary?.alias}
      onSubmit={follow}
    >
      {model.error ? <ErrorNote error={model.error} /> : null}
      <Field label={`Alias of ${primary?.model}`} help={model.data && !aliases.length ? "The model has no alias yet: set one on its page." : effect}>
        {(id) => (
          <select id={id} className="select" value={alias} disabled={!aliases.length} onChange={(event) => setChosen(event.target.value)}>
            {aliases.map((entry) => <option key={entry.alias} value={entry.alias}>@{entry.alias} (now version {entry.version})</option>)}
          </select>
        )}
      </Field>
    </FormDialog>
  );
}

function DeleteDeployment({ deployment, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const go = useGo();
  const [typed, setTyped] = useState("");
  const remove = async () => {
    await native.deleteDeployment(project, deployment.name);
    notify(`Deployment ${deployment.name} was deleted`);
    go(paths.deployments(project), { replace: true });
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Delete deployment ${deployment.name}?`}
      about="Its address answers 404 from then on. Model versions, their runs and the history stay."
      action="Delete deployment"
      danger
      disabled={typed !== deployment.name}
      onSubmit={remove}
    >
      <Field label={`Type ${deployment.name} to confirm`}>
        {(id) => <input id={id} className="input" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
