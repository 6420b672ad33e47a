import { useCanManage } from "../../app/session";

/** Why the caller, who may write, may not start a pipeline or try a run of it again all the same; nothing where they may. */
export function useStartRefusal(needsMaintainer: boolean): string | undefined {
  const canManage = useCanManage();
  return needsMaintainer && !canManage ? "Needs a maintainer: this pipeline deploys or moves an alias" : undefined;
}
