import { useEffect } from "react";
import { usePageTokens } from "../app/use-page-tokens";
import { Button } from "./button";
import { Pager } from "./pager";

export interface TokenPage {
  page: number;
  pageToken: string | undefined;
}

export const firstPage: TokenPage = { page: 1, pageToken: undefined };

interface TokenPagerProps {
  /** Names the query without its page. */
  list: string;
  at: TokenPage;
  nextToken: string | undefined;
  /** Whether what is shown is still that of another page. */
  isWaiting?: boolean;
  /** Whether the page holds nothing, because what it held was taken away: the first page is shown instead. */
  isEmpty: boolean;
  onGo: (page: TokenPage, options?: { replace: boolean }) => void;
}

/** The pages of a list whose tokens lead only forwards; nothing where one page holds all. */
export function TokenPager({ list, at, nextToken, isWaiting = false, isEmpty, onGo }: TokenPagerProps) {
  const tokens = usePageTokens(list);
  // An address may say the token alone: it is of some later page.
  const page = at.pageToken ? Math.max(2, at.page) : 1;
  const isLost = isEmpty && page > 1;
  useEffect(() => {
    if (nextToken && !isWaiting) tokens.remember(page + 1, nextToken);
  }, [nextToken, isWaiting, tokens, page]);
  useEffect(() => {
    if (isLost) onGo(firstPage, { replace: true });
  }, [isLost, onGo]);
  if (!nextToken && page === 1) return null;
  return (
    <Pager page={page} hasNext={nextToken !== undefined && !isWaiting} onPrevious={() => onGo(tokens.previous(page))} onNext={() => onGo({ page: page + 1, pageToken: nextToken })}>
      {page > 2 ? <Button size="small" onClick={() => onGo(firstPage)}>First page</Button> : null}
    </Pager>
  );
}
