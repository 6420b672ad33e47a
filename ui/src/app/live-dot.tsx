import { useIsBroken } from "./live";
import { useProject } from "./navigation";

/** Says of what goes on that its page follows it; nothing while the stream of changes is away. */
export function LiveDot() {
  return useIsBroken(useProject()) ? null : <span className="live-dot">Live</span>;
}
