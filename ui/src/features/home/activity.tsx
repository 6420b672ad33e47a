import { useInfiniteQuery, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useEffect } from "react";
import { native, type Actor, type EventPage, type LedgerEvent } from "../../api/native";
import { useLiveEvents } from "../../app/live";
import { AppLink, useProject } from "../../app/navigation";
import { Button } from "../../components/button";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatCount } from "../../components/format";
import { actionPhrase, calledIn, kindWord, pageOf, parseName } from "../../components/names";
import { Ago } from "../../components/time";
import { useTitles } from "../lineage/titles";
import { foldRepeats, type ActivityLine } from "./fold";

/** Many of them fold into one line: more pages are read until there are some lines. */
const eventsPerPage = 100;
const fewLines = 10;
const pagesAtOnce = 4;

/** What happened in the project, newest first, and on top what happens now. */
export function Activity() {
  const project = useProject();
  const client = useQueryClient();
  const queryKey = ["activity", project];
  const feed = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => native.activity(project, { max_results: eventsPerPage, page_token: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_page_token,
  });
  useLiveEvents(
    project,
    (event) => client.setQueryData<InfiniteData<EventPage, string | undefined>>(queryKey, (data) => prepend(data, event)),
    () => void client.invalidateQueries({ queryKey }),
  );

  const events = feed.data?.pages.flatMap((page) => page.events) ?? [];
  const titleOf = useTitles(project, events.flatMap(({ subject, actor, project: of }) => (actor.kind === "run" ? [subject, nameOfRun(of, actor)] : [subject])));

  const lines = foldRepeats(events);
  const isThin = lines.length < fewLines && (feed.data?.pages.length ?? 0) < pagesAtOnce;
  const { hasNextPage, isFetchingNextPage, fetchNextPage, error } = feed;
  useEffect(() => {
    if (isThin && hasNextPage && !isFetchingNextPage && !error) void fetchNextPage();
  }, [isThin, hasNextPage, isFetchingNextPage, fetchNextPage, error]);

  if (feed.isPending) return <SkeletonRows count={6} />;
  if (feed.error) return <ErrorNote error={feed.error} title="Activity" />;
  if (!events.length) return <p className="muted">Nothing has happened yet.</p>;
  return (
    <>
      <ol className="activity in-text">
        {lines.map((line) => (
          <Line key={line.event.id} line={line} titleOf={titleOf} />
        ))}
      </ol>
      {feed.hasNextPage ? (
        <div>
          <Button size="small" disabled={feed.isFetchingNextPage} onClick={() => void feed.fetchNextPage()}>
            Show older
          </Button>
        </div>
      ) : null}
    </>
  );
}

export function prepend(data: InfiniteData<EventPage, string | undefined> | undefined, event: LedgerEvent) {
  const first = data?.pages[0];
  if (!data || !first || data.pages.some((page) => page.events.some(({ id }) => id === event.id))) return data;
  return { ...data, pages: [{ ...first, events: [event, ...first.events] }, ...data.pages.slice(1)] };
}

/** The canonical name of the run that did something itself. */
const nameOfRun = (project: string | null | undefined, { name }: Actor) => `${project ?? ""}/run/${name}`;

function Line({ line: { event, times, others }, titleOf }: { line: ActivityLine<LedgerEvent>; titleOf: (name: string) => string }) {
  const { kind, id } = parseName(event.subject);
  const href = pageOf(event.subject);
  const label = calledIn(event) ?? titleOf(event.subject);
  const phrase = actionPhrase(event.action);
  const actingRun = event.actor.kind === "run" ? nameOfRun(event.project, event.actor) : undefined;
  return (
    <li>
      <span className="ellipsis">
        {actingRun ? <><span className="muted">run</span> <AppLink href={pageOf(actingRun)!}>{titleOf(actingRun)}</AppLink></> : <strong>{event.actor.name}</strong>} {actingRun === event.subject ? phrase.replace(/ (to|of)$/, "") : <>{phrase} <span className="muted">{kindWord(kind, id)}</span>{" "}{href ? <AppLink href={href}>{label}</AppLink> : label}</>}
        {times > 1 ? <span className="muted"> {times} times</span> : null}
        {others ? <span className="muted">, and {formatCount(others)} more before that</span> : null}
      </span>
      <span className="muted push">
        <Ago atMs={event.at_ms} />
      </span>
    </li>
  );
}
