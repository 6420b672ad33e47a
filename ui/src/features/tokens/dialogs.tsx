import { useState } from "react";
import { native, type NewToken, type Role, type TokenEntry, type TokenScope } from "../../api/native";
import { useProject } from "../../app/navigation";
import { useWhoAmI } from "../../app/session";
import { Button } from "../../components/button";
import { CopyButton } from "../../components/copy";
import { Dialog, FormDialog } from "../../components/dialog";
import { Field, Segmented } from "../../components/fields";
import { notify } from "../../components/toast";
import { ClientSetup } from "./client-setup";
import { scopeWords } from "./scopes";

const lifetimes = [
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "1 year" },
  { days: 0, label: "Never" },
];
const scopes: TokenScope[] = ["all", "read", "infer"];
const roles: Role[] = ["viewer", "contributor", "maintainer", "admin"];

interface CreateTokenProps {
  onOpenChange: (open: boolean) => void;
  onMade: (secret: { name: string; token: string }) => void;
}

export function CreateToken({ onOpenChange, onMade }: CreateTokenProps) {
  const project = useProject();
  const { role: ownRole, is_admin } = useWhoAmI();
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"personal" | "service">("personal");
  const [scope, setScope] = useState<TokenScope>("all");
  const [role, setRole] = useState<Role>("contributor");
  const [days, setDays] = useState(90);
  const mayMakeService = is_admin || ownRole === "admin";

  const create = async () => {
    const wanted: NewToken = { name: name.trim(), kind, scope };
    if (kind === "service") wanted.role = role;
    if (days) wanted.expires_in_days = days;
    const { token } = await native.createToken(project, wanted);
    onMade({ name: wanted.name, token });
  };

  return (
    <FormDialog open onOpenChange={onOpenChange} title="New token" about="A token stands for a password in scripts and clients." action="Create token" disabled={!name.trim()} onSubmit={create}>
      <Field label="Name" help="Where it will be used: laptop, nightly-training, ci.">
        {(id) => <input id={id} className="input" autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      {mayMakeService ? (
        <div className="field">
          <span className="label">Acts as</span>
          <Segmented label="Acts as" value={kind} options={[{ value: "personal", label: "Me" }, { value: "service", label: "A service" }]} onChange={setKind} />
          <span className="help">
            {kind === "personal" ? "It may do what you may do, in every project." : `It has a role of its own in project ${project}, and stays when people leave.`}
          </span>
        </div>
      ) : null}
      {kind === "service" ? (
        <Field label={`Role in ${project}`}>
          {(id) => (
            <select id={id} className="select" value={role} onChange={(event) => setRole(event.target.value as Role)}>
              {roles.map((each) => <option key={each}>{each}</option>)}
            </select>
          )}
        </Field>
      ) : null}
      <div className="field">
        <span className="label">May</span>
        <Segmented label="Scope" value={scope} options={scopes.map((value) => ({ value, label: scopeWords[value] }))} onChange={setScope} />
        {scope === "infer" ? <span className="help">It asks deployments for predictions, and does nothing else: for programs in production.</span> : null}
      </div>
      <Field label="Ends after">
        {(id) => (
          <select id={id} className="select" value={days} onChange={(event) => setDays(Number(event.target.value))}>
            {lifetimes.map((lifetime) => <option key={lifetime.days} value={lifetime.days}>{lifetime.label}</option>)}
          </select>
        )}
      </Field>
    </FormDialog>
  );
}

/** The one time that the secret is on a screen. */
export function NewSecret({ name, token, onClose }: { name: string; token: string; onClose: () => void }) {
  return (
    <Dialog open wide onOpenChange={onClose} title={`Token ${name} was created`} about="Copy it now: it is not kept, and cannot be shown again.">
      <div className="dialog-body">
        <div className="snippet">
          <pre tabIndex={0} aria-label="Token">{token}</pre>
          <CopyButton text={token} label="Copy token" />
        </div>
        <h3>Set up a client</h3>
        <ClientSetup token={token} />
        <div className="dialog-actions">
          <Button variant="primary" onClick={onClose}>I have copied it</Button>
        </div>
      </div>
    </Dialog>
  );
}

interface RevokeTokenProps {
  token: TokenEntry;
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

export function RevokeToken({ token, onOpenChange, onDone }: RevokeTokenProps) {
  const revoke = async () => {
    await native.revokeToken(token.id);
    notify(`Token ${token.name} was revoked`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Revoke token ${token.name}?`}
      about="Every client that uses it is refused from then on. This cannot be undone."
      action="Revoke token"
      danger
      onSubmit={revoke}
    />
  );
}
