import { useIsBroken } from "./live";
import { useProject } from "./navigation";

/** Says of what goes on that its page follows it; nothing while the stream of changes, or one of the page's own, is away. */
export function LiveDot({ isAway = false }: { isAway?: boolean }) {
  return useIsBroken(useProject()) || isAway ? null : <span className="live-dot">Live</span>;
}
