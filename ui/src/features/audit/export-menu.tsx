import { Download } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { AuditQuery } from "../../api/native";
import { useProject } from "../../app/navigation";
import { saveFile } from "../../app/save-file";
import { Button } from "../../components/button";
import { formatCount, plural } from "../../components/format";
import { Menu, MenuItem, MenuLabel } from "../../components/menu";
import { notify, notifyError } from "../../components/toast";
import { collectEvents, exportedAtMost, printCsv, printJsonl, type ExportFormat } from "./export";

const types: Record<ExportFormat, string> = { jsonl: "application/jsonl", csv: "text/csv" };

/** Saves what the filter lists, on all pages, newest first. */
export function ExportMenu({ filter }: { filter: AuditQuery }) {
  const project = useProject();
  const [progress, setProgress] = useState<number>();
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const save = async (format: ExportFormat) => {
    const controller = new AbortController();
    running.current = controller;
    setProgress(0);
    try {
      const { events, isPartial } = await collectEvents(project, filter, setProgress, controller.signal);
      const day = new Date().toISOString().slice(0, 10);
      saveFile(`audit-${project}-${day}${isPartial ? "-partial" : ""}.${format}`, types[format], format === "csv" ? printCsv(events) : printJsonl(events));
      notify(isPartial ? `Partial: the newest ${formatCount(events.length)} events were saved. Narrow the time range to get the rest.` : `${plural(events.length, "event")} saved, all that the filter lists`);
    } catch (error) {
      if (!controller.signal.aborted) notifyError(error);
    } finally {
      setProgress(undefined);
    }
  };

  return (
    <Menu
      align="end"
      trigger={
        <Button icon={<Download size={14} />} disabled={progress !== undefined}>
          {progress === undefined ? "Export" : `Reading ${formatCount(progress)}…`}
        </Button>
      }
    >
      <MenuLabel>What is filtered, at most {formatCount(exportedAtMost)} events</MenuLabel>
      <MenuItem onSelect={() => void save("jsonl")}>JSON lines (.jsonl)</MenuItem>
      <MenuItem onSelect={() => void save("csv")}>Table (.csv)</MenuItem>
    </Menu>
  );
}
