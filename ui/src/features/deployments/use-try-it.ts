import { useMutation, type UseMutationResult } from "@tanstack/react-query";
import { useState } from "react";
import { invoke, type Answer } from "./invoke";

export interface TryItState {
  /** What somebody wrote; nothing while it is the example. */
  written: string | undefined;
  write: (body: string | undefined) => void;
  ask: UseMutationResult<Answer, Error, string>;
}

/** The request and its answer live above the tabs, and outlast a change of the version that answers. */
export function useTryIt(project: string, name: string): TryItState {
  const [written, write] = useState<string>();
  const ask = useMutation({ mutationFn: (body: string) => invoke(project, name, body) });
  return { written, write, ask };
}
