import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { native, type TokenEntry } from "../api/native";
import { Button } from "../components/button";
import { Snippet } from "../components/copy";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { PageHead } from "../components/page";
import { ConnectSnippet } from "../features/experiments/connect";
import { CreateToken, NewSecret, RevokeToken } from "../features/tokens/dialogs";
import { TokenTable } from "../features/tokens/token-table";
import "../features/tokens/tokens.css";

export default function TokensPage() {
  const server = useQuery({ queryKey: ["server"], queryFn: native.server, staleTime: Infinity });
  if (server.data?.mode === "login") return <Tokens />;
  return (
    <>
      <PageHead title="Access tokens" />
      <div className="page-body">
        {server.error ? <ErrorNote error={server.error} /> : null}
        {server.isPending ? <SkeletonRows count={3} /> : null}
        {server.data ? <NoTokenNeeded /> : null}
      </div>
    </>
  );
}

function NoTokenNeeded() {
  return (
    <Empty title="No token is needed">
      <p>This server runs in local mode: it listens to this machine only, and nobody signs in.</p>
      <ConnectSnippet />
      <h3>For more than one person</h3>
      <p>Start it with sign-in; people then make their tokens here.</p>
      <Snippet label="Copy start line" code="lathe serve --login" />
    </Empty>
  );
}

function Tokens() {
  const client = useQueryClient();
  const [isMaking, setMaking] = useState(false);
  const [secret, setSecret] = useState<{ name: string; token: string }>();
  const [revoked, setRevoked] = useState<TokenEntry>();
  const list = useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => native.tokens(signal) });
  const reload = () => client.invalidateQueries({ queryKey: ["tokens"] });
  const tokens = list.data?.tokens ?? [];

  return (
    <>
      <PageHead title="Access tokens">
        <Button variant="primary" icon={<Plus size={14} />} onClick={() => setMaking(true)}>
          New token
        </Button>
      </PageHead>
      <div className="page-body flush">
        {list.error ? <div style={{ padding: 20 }}><ErrorNote error={list.error} /></div> : null}
        {list.isPending ? <SkeletonRows count={4} /> : null}
        {tokens.length ? <TokenTable tokens={tokens} onRevoke={setRevoked} /> : null}
        {list.data && !tokens.length ? (
          <Empty title="You have no tokens">
            <p>Scripts and MLflow clients sign in with a token instead of your password. Make one, and its set-up lines are shown with it.</p>
          </Empty>
        ) : null}
      </div>
      {isMaking ? (
        <CreateToken
          onOpenChange={setMaking}
          onMade={(made) => {
            setSecret(made);
            void reload();
          }}
        />
      ) : null}
      {secret ? <NewSecret {...secret} onClose={() => setSecret(undefined)} /> : null}
      {revoked ? <RevokeToken token={revoked} onOpenChange={() => setRevoked(undefined)} onDone={reload} /> : null}
    </>
  );
}
