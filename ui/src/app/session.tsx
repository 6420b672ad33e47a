// Who is signed in, and the form when nobody is.
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useState, type ReactNode } from "react";
import { ApiError } from "../api/http";
import { native, type WhoAmI } from "../api/native";
import { Button } from "../components/button";
import { ErrorNote } from "../components/error-note";
import { Field } from "../components/fields";
import { Logo } from "../components/logo";
import { AppLink, useProject } from "./navigation";
import { paths } from "./paths";

export const whoamiQuery = (project: string) =>
  queryOptions({ queryKey: ["whoami", project], queryFn: ({ signal }) => native.whoami(project, signal), staleTime: 60_000 });

const Context = createContext<WhoAmI | undefined>(undefined);

export function useWhoAmI(): WhoAmI {
  const whoami = useContext(Context);
  if (!whoami) throw new Error("useWhoAmI stands outside of Session");
  return whoami;
}

/** Whether the caller may change things: viewers see no buttons that the server would refuse. */
export const useCanWrite = () => {
  const { role, is_admin } = useWhoAmI();
  return is_admin || (role !== null && role !== "viewer");
};

/** Whether the caller may change what all of the project shares: aliases, stages, what others made. */
export const useCanManage = () => {
  const { role, is_admin } = useWhoAmI();
  return is_admin || role === "maintainer" || role === "admin";
};

export function Session({ children }: { children: ReactNode }) {
  const project = useProject();
  const whoami = useQuery(whoamiQuery(project));
  const isSignedOut = whoami.error instanceof ApiError && whoami.error.status === 401;
  if (isSignedOut) return <SignIn />;
  if (whoami.data && !whoami.data.role) return <NoRole whoami={whoami.data} />;
  if (whoami.data) return <Context value={whoami.data}>{children}</Context>;
  if (whoami.isPending) return null;
  return (
    <main className="sign-in">
      <div className="stack" style={{ maxWidth: 480 }}>
        <h1>This page cannot be shown</h1>
        <ErrorNote error={whoami.error} />
        {project === "default" ? null : <div className="row"><AppLink className="button" href={paths.home("default")}>Open project default</AppLink></div>}
      </div>
    </main>
  );
}

/** For whoever followed an address into a project that is not theirs, or signed in where no page was asked for. */
function NoRole({ whoami }: { whoami: WhoAmI }) {
  const { project, projects, actor } = whoami;
  return (
    <main className="sign-in">
      <div className="stack" style={{ maxWidth: 480 }}>
        <h1>You have no role in project {project}</h1>
        <p>{projects.length ? "These projects are open to you:" : `Ask an administrator of this server for a role in a project. You are signed in as ${actor.name}.`}</p>
        <div className="row">
          {projects.map(({ name }) => (
            <AppLink key={name} className="button" href={paths.home(name)}>
              Open project {name}
            </AppLink>
          ))}
        </div>
      </div>
    </main>
  );
}

function SignIn() {
  const client = useQueryClient();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);

  const signIn = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await native.login(username, password);
      await client.resetQueries();
    } catch (refusal) {
      setError(refusal);
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <form
        aria-labelledby="sign-in-title"
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <div className="brand">
          <Logo size={24} />
          Lathe
        </div>
        <h1 id="sign-in-title">Sign in</h1>
        <Field label="User name">
          {(id) => (
            <input id={id} className="input" autoComplete="username" autoFocus required value={username} onChange={(event) => setUsername(event.target.value)} />
          )}
        </Field>
        <Field label="Password">
          {(id) => (
            <input id={id} className="input" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
          )}
        </Field>
        {error ? <ErrorNote error={error} /> : null}
        <Button type="submit" variant="primary" disabled={isBusy}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
