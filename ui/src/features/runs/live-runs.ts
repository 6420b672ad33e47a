// Live rows: a changed run is asked for alone and put in its place; new runs are counted and shown when the reader asks.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { native, type RunsPage, type RunsQuery } from "../../api/native";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";
import { parseName } from "../../components/names";
import { runsByIdQuery, runsQuery } from "./queries";

const gatherMs = 700;

/** Rows of `page` with those of `changed` in their places. */
export function mergeRows(page: RunsPage, changed: RunsPage["runs"]): RunsPage {
  const byId = new Map(changed.map((run) => [run.run_id, run]));
  return { ...page, runs: page.runs.map((run) => byId.get(run.run_id) ?? run) };
}

export function useLiveRuns(project: string, request: RunsQuery | undefined) {
  const client = useQueryClient();
  const [newRuns, setNewRuns] = useState(0);
  const changed = useRef(new Set<string>());
  const requestKey = JSON.stringify(request);

  useEffect(() => setNewRuns(0), [requestKey]);

  const reload = () => {
    setNewRuns(0);
    void client.invalidateQueries({ queryKey: ["runs", project] });
  };

  const update = async () => {
    if (!request) return;
    const { queryKey } = runsQuery(project, request);
    const shown = client.getQueryData(queryKey)?.runs.map((run) => run.run_id) ?? [];
    const ids = [...changed.current].filter((id) => shown.includes(id));
    changed.current.clear();
    if (!ids.length) return;
    const only = runsByIdQuery(project, request.experiment_ids, ids, request.columns);
    try {
      const answer = await native.searchRuns(project, only.queryKey[2] as RunsQuery);
      client.setQueryData(queryKey, (page) => page && mergeRows(page, answer.runs));
    } catch {
      // The next event or the next poll brings the rows; a lost update is no news for the reader.
    }
  };
  const updateSoon = useGathered(() => void update(), gatherMs);

  useLiveEvents(
    project,
    (event) => {
      const { kind, id } = parseName(event.subject);
      if (kind !== "run" || !request) return;
      if (event.action === "run.created") {
        const rows = client.getQueryData(runsQuery(project, request).queryKey)?.runs;
        if (rows?.length === 0 && !request.filter) reload();
        else setNewRuns((count) => count + 1);
      } else if (event.action === "run.deleted" || event.action === "run.restored") {
        reload();
      } else {
        changed.current.add(id);
        updateSoon();
      }
    },
    reload,
  );
  return { newRuns, reload };
}
