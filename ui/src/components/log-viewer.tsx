// A log that may still grow: only the lines on screen are drawn, the end is followed until one scrolls away from it.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDownToLine, ChevronDown, ChevronUp, Download } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Button, IconButton } from "./button";
import { SearchField } from "./fields";
import { formatCount, plural } from "./format";
import { findLines, markHits, parseAnsi, type LogSnapshot } from "./log-text";
import "./log-viewer.css";

interface LogViewerProps {
  label: string;
  /** Of a `LogBuffer`: `useSyncExternalStore(buffer.subscribe, buffer.snapshot)`. */
  log: LogSnapshot;
  /** Whether more is to come. */
  isLive: boolean;
  /** Kept by the page, in its address. */
  search: string;
  onSearch: (search: string) => void;
  /** Saves the whole log. */
  onDownload?: () => void;
}

const rowHeight = 18;
/** Nearer to the end than this is at the end: a line may have come while one scrolled. */
const endSlackPx = 2 * rowHeight;

export function LogViewer({ label, log: { lines, dropped }, isLive, search, onSearch, onDownload }: LogViewerProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(isLive);
  const [isWrapped, setWrapped] = useState(false);
  const [hit, setHit] = useState(0);
  const hits = useMemo(() => findLines(lines, search), [lines, search]);
  const current = hits[Math.min(hit, hits.length - 1)];
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 20 });
  const digits = String(lines.length + dropped).length;

  useEffect(() => {
    if (isFollowing && lines.length) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [isFollowing, lines.length, virtual]);
  // The address may have come with a search: its first hit is shown as soon as it is there.
  const isShown = useRef(search === "");
  const first = hits[0];
  useEffect(() => {
    if (isShown.current || first === undefined) return;
    isShown.current = true;
    setFollowing(false);
    virtual.scrollToIndex(first, { align: "center" });
  }, [first, virtual]);
  const goTo = (index: number) => {
    setHit(index);
    setFollowing(false);
    if (hits[index] !== undefined) virtual.scrollToIndex(hits[index], { align: "center" });
  };
  const step = (by: number) => hits.length && goTo((Math.min(hit, hits.length - 1) + by + hits.length) % hits.length);
  const find = (text: string) => {
    onSearch(text);
    setHit(0);
    const first = findLines(lines, text)[0];
    if (first === undefined) return;
    setFollowing(false);
    virtual.scrollToIndex(first, { align: "center" });
  };
  const stepByKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  };
  // New lines scroll downwards only, so upwards is a person who wants to read.
  const lastTop = useRef(0);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroll.current!;
    const isAtEnd = scrollHeight - scrollTop - clientHeight <= endSlackPx;
    if (scrollTop < lastTop.current && !isAtEnd) setFollowing(false);
    else if (scrollTop > lastTop.current && isAtEnd && isLive && !search) setFollowing(true);
    lastTop.current = scrollTop;
  };

  return (
    <section className="log-viewer" aria-label={label}>
      <div className="row wrap log-bar">
        <SearchField label="Search the log" value={search} onChange={find} onKeyDown={stepByKey} style={{ width: 220 }} />
        {search ? (
          <>
            <span className="secondary" role="status">{hits.length ? `${formatCount(Math.min(hit, hits.length - 1) + 1)} of ${plural(hits.length, "line")}` : "Not found"}</span>
            <IconButton size="small" label="Previous line found" icon={<ChevronUp size={14} />} disabled={!hits.length} onClick={() => step(-1)} />
            <IconButton size="small" label="Next line found" icon={<ChevronDown size={14} />} disabled={!hits.length} onClick={() => step(1)} />
          </>
        ) : null}
        <span className="row push">
          <span className="muted">{plural(lines.length + dropped, "line")}</span>
          <label className="check"><input type="checkbox" checked={isWrapped} onChange={(event) => setWrapped(event.target.checked)} />Wrap</label>
          {isLive ? <Button size="small" icon={<ArrowDownToLine size={13} />} aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>Follow</Button> : null}
          {onDownload ? <Button size="small" icon={<Download size={13} />} onClick={onDownload}>Download</Button> : null}
        </span>
      </div>
      {dropped ? <p className="muted log-dropped">{dropped === 1 ? "The first line is" : `The first ${plural(dropped, "line")} are`} not shown here{onDownload ? "; the download has all that is kept" : ""}.</p> : null}
      <div
        ref={scroll}
        className={isWrapped ? "log-scroll wrapped" : "log-scroll"}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`${label}, lines`}
        onScroll={scrolled}
      >
        {lines.length ? null : <p className="muted log-empty">{isLive ? "Nothing was written yet." : "Nothing was written."}</p>}
        <div className="log-lines" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start, key }) => (
            <div key={key} ref={isWrapped ? virtual.measureElement : undefined} data-index={index} className={index === current ? "log-line current" : "log-line"} style={{ transform: `translateY(${start}px)` }}>
              <span className="log-number" style={{ width: `${digits + 2}ch` }} aria-hidden="true">{index + 1 + dropped}</span>
              <span className="log-text">
                {markHits(parseAnsi(lines[index]!), search).map((span, at) => {
                  const className = [span.color === undefined ? "" : `ansi-${span.color}`, span.isBold ? "ansi-bold" : ""].join(" ").trim();
                  return span.isHit ? <mark key={at} className={className}>{span.text}</mark> : <span key={at} className={className || undefined}>{span.text}</span>;
                })}
              </span>
            </div>
          ))}
        </div>
      </div>
    </section>
  );
}
