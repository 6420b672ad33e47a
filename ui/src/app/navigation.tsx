// Links and view state on top of the router: an href is a plain string everywhere, and a view reads and writes the query.
import { useParams, useRouter, useRouterState } from "@tanstack/react-router";
import { useCallback, useMemo, type AnchorHTMLAttributes, type MouseEvent, type Ref } from "react";
import { parseSearch, printSearch, readView, writeView, type SearchParams, type View } from "./url-state";

export function useProject(): string {
  const params: { project?: string } = useParams({ strict: false });
  return params.project ?? "default";
}

/** Opens a page of this application. */
export function useGo() {
  const router = useRouter();
  return useCallback(
    (href: string, options?: { replace?: boolean }) => {
      // The history gathers changes of one moment into one: what was replaced just now stays an entry of its own.
      router.history.flush();
      if (options?.replace) router.history.replace(href);
      else router.history.push(href);
    },
    [router],
  );
}

type AppLinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { href: string; ref?: Ref<HTMLAnchorElement> };

/** A real link: the middle button and "open in a new tab" work as everywhere. */
export function AppLink({ href, onClick, ...rest }: AppLinkProps) {
  const go = useGo();
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (event.defaultPrevented || !isPlain) return;
    event.preventDefault();
    go(href);
  };
  return <a {...rest} href={href} onClick={follow} />;
}

export type SetView<T> = (patch: Partial<T>, options?: { replace?: boolean }) => void;

/** The part of the query that `view` describes. Changes keep all other keys. */
export function useView<T extends object>(view: View<T>): [T, SetView<T>] {
  const router = useRouter();
  const search = useRouterState({ select: (state) => state.location.searchStr });
  const value = useMemo(() => readView(view, parseSearch(search)), [view, search]);
  const set: SetView<T> = useCallback(
    (patch, options) => {
      // Read at the time of the change: two changes in a row must not lose the first.
      const { pathname, search: current } = router.history.location;
      const others = parseSearch(current);
      const next = writeView(view, { ...readView(view, others), ...patch }, others);
      const href = pathname + printSearch(next);
      if (href === pathname + current) return;
      if (options?.replace) router.history.replace(href);
      else router.history.push(href);
    },
    [router, view],
  );
  return [value, set];
}

/** The query as it stands, for links that change one key and keep the rest. */
export function useSearchParams(): SearchParams {
  const search = useRouterState({ select: (state) => state.location.searchStr });
  return useMemo(() => parseSearch(search), [search]);
}
