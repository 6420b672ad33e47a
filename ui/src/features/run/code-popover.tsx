import { Code } from "lucide-react";
import type { Run } from "../../api/mlflow";
import { Button } from "../../components/button";
import { Snippet } from "../../components/copy";
import { Popover } from "../../components/popover";
import type { ModelSource } from "./dialogs";
import { loadModelSnippet, paramsSnippet, readRunSnippet, reproduceSnippet } from "./snippets";

/** Lines to copy: the run, its model and its params, for a script or a notebook. */
export function CodePopover({ run, sources }: { run: Run; sources: ModelSource[] }) {
  const reproduce = reproduceSnippet(run);
  const model = sources[0];
  return (
    <Popover label="Use this run in code" align="end" width={520} trigger={<Button icon={<Code size={14} />}>Code</Button>}>
      <div className="stack code-popover">
        {model ? <div><h2>Load its model</h2><Snippet label="Copy how to load the model" code={loadModelSnippet(model.uri)} /></div> : null}
        <div><h2>Read this run</h2><Snippet label="Copy how to read the run" code={readRunSnippet(run.info.run_id)} /></div>
        {run.params.length ? <div><h2>Its params</h2><Snippet label="Copy the params" code={paramsSnippet(run)} /></div> : null}
        {reproduce ? <div><h2>The code it ran from</h2><Snippet label="Copy how to reproduce it" code={reproduce} /></div> : null}
      </div>
    </Popover>
  );
}
