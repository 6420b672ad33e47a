// Page tokens lead only forwards. The tokens of the pages seen are kept for the tab, so that "Previous" is one request too.
import { useCallback } from "react";

/** Remembers tokens under `key`, which names the query without its page. */
export function usePageTokens(key: string) {
  const storageKey = `lathe.pages:${key}`;
  const read = useCallback((): Record<string, string> => {
    try {
      return JSON.parse(sessionStorage.getItem(storageKey) ?? "{}") as Record<string, string>;
    } catch {
      return {};
    }
  }, [storageKey]);

  const remember = useCallback(
    (page: number, token: string) => sessionStorage.setItem(storageKey, JSON.stringify({ ...read(), [page]: token })),
    [read, storageKey],
  );

  /** Where "Previous" leads: one page back when its token is known, else to the first. */
  const previous = useCallback(
    (page: number): { page: number; pageToken: string | undefined } => {
      const token = page > 2 ? read()[page - 1] : undefined;
      return token ? { page: page - 1, pageToken: token } : { page: 1, pageToken: undefined };
    },
    [read],
  );
  return { remember, previous };
}
