import type { Repository } from "../../api/native";
import { useProject } from "../../app/navigation";
import { commandLineSetup } from "../../app/paths";
import { Snippet } from "../../components/copy";

interface SnippetsProps {
  repository: Pick<Repository, "name" | "layout">;
  revision: string;
  /** A file, a folder with `/` at its end, or empty for the root. */
  path: string;
}

const quoted = (text: string) => (/^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** How S3 clients address it: a `flat` repository has no refs in its addresses. */
export const s3Address = ({ repository, revision, path }: SnippetsProps) =>
  repository.layout === "flat" ? `s3://${repository.name}/${path}` : `s3://${repository.name}/${revision}/${path}`;

/** How clients read what is shown: the command line, and S3 from a shell and Python. */
export function DataSnippets(props: SnippetsProps) {
  const project = useProject();
  const { repository, revision, path } = props;
  const isFile = path !== "" && !path.endsWith("/");
  const address = s3Address(props);
  const here = `${repository.name}@${revision}/${path}`;
  const command = isFile ? `lathe cat ${quoted(here)}` : `lathe cp ${quoted(`data://${here}`)} ./${repository.name}/`;
  const copy = isFile ? `aws s3 cp ${quoted(address)} .` : `aws s3 cp --recursive ${quoted(address)} ./${repository.name}/`;
  const python = pythonLines(address, path, isFile);
  return (
    <div className="stack data-snippets">
      <Snippet label="Copy set-up" code={`${commandLineSetup(project)}\neval "$(lathe env)"   # S3 address and keys`} />
      <Snippet label="Copy command" code={command} />
      <Snippet label="Copy S3 command" code={copy} />
      <Snippet label="Copy Python lines" code={python} />
    </div>
  );
}

function pythonLines(address: string, path: string, isFile: boolean): string {
  const [quotedAddress, key] = [JSON.stringify(address), JSON.stringify(address.replace("s3://", ""))];
  const reader = /\.(csv|parquet)$/.exec(path)?.[1];
  if (reader) return `import pandas as pd\n\ntable = pd.read_${reader}(${quotedAddress})`;
  return isFile ? `import s3fs\n\ncontent = s3fs.S3FileSystem().cat(${key})` : `import s3fs\n\nfiles = s3fs.S3FileSystem().ls(${key})`;
}
