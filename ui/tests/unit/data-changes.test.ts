import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it, vi } from "vitest";
import { ApiError, errorFrom } from "../../src/api/http";
import type { DataCommit, DataObject } from "../../src/api/native";
import { Conflicts } from "../../src/features/data/conflicts";
import { conflictsOf, exactPattern, relationOf, rulesOf } from "../../src/features/data/merging";
import { s3Address } from "../../src/features/data/snippets";
import { diffLists, diffTables, linesOf, pairsOf } from "../../src/features/data/text-diff";
import { totalsOf, UploadQueue, type LocalFile } from "../../src/features/data/uploads";

const target = { project: "default", repository: "flights", branch: "main" };
const local = (path: string, size = 10): LocalFile => ({ path, file: { size } as File });
const drawn = () => new Promise((resolve) => setTimeout(resolve, 70));

describe("uploads", () => {
  it("sends a few files at once, and says what became of each", async () => {
    let [running, most] = [0, 0];
    const queue = new UploadQueue(async ({ path }, _file, onProgress) => {
      most = Math.max(most, ++running);
      onProgress(5);
      await Promise.resolve();
      running -= 1;
      if (path.endsWith("3")) throw new ApiError(507, "full", "the disk is full");
    });
    const settled = vi.fn();
    queue.onSettled(settled);
    queue.add(target, "raw/", Array.from({ length: 9 }, (_, at) => local(String(at))));
    await drawn();
    expect(most).toBe(4);
    expect(totalsOf(queue.snapshot())).toEqual({ files: 9, done: 8, failed: 1, stopped: 0, open: 0, bytes: 90, sentBytes: 85 });
    const failed = queue.snapshot().find(({ state }) => state === "failed");
    expect([failed?.path, failed?.error?.message]).toEqual(["raw/3", "the disk is full"]);
    expect(settled).toHaveBeenCalledTimes(1);
  });

  it("stops what is open, tries again what failed, and forgets what ended", async () => {
    let refuse = true;
    const queue = new UploadQueue((_upload, _file, _onProgress, signal) =>
      refuse ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))) : Promise.resolve(),
    );
    queue.add(target, "", [local("a"), local("b"), local("c"), local("d"), local("e")]);
    queue.stop(target);
    await drawn();
    expect(totalsOf(queue.snapshot())).toMatchObject({ stopped: 5, open: 0 });
    refuse = false;
    queue.retry(queue.snapshot()[0]!.id);
    await drawn();
    expect(totalsOf(queue.snapshot())).toMatchObject({ done: 1, stopped: 4 });
    queue.clear({ ...target, branch: "other" });
    queue.clear(target);
    await drawn();
    expect(queue.snapshot()).toEqual([]);
  });
});

describe("differences of contents", () => {
  it("are hunks with three lines around, numbered on both sides", () => {
    const before = Array.from({ length: 30 }, (_, at) => `line ${at + 1}`);
    const after = before.map((line, at) => (at === 4 || at === 24 ? `${line}!` : line));
    const difference = diffLists(before, after)!;
    expect([difference.added, difference.removed, difference.hunks.length]).toEqual([2, 2, 2]);
    expect(difference.hunks[0]![0]).toEqual({ kind: "same", before: 2, after: 2, value: "line 2" });
    expect(difference.hunks[1]!.filter(({ kind }) => kind !== "same").map(({ before: old, after: now }) => [old, now])).toEqual([[25, undefined], [undefined, 25]]);
    expect(diffLists(before, before)!.hunks).toEqual([]);
  });

  it("join hunks that touch", () => {
    const before = Array.from({ length: 12 }, (_, at) => String(at));
    const difference = diffLists(before, before.filter((line) => line !== "3" && line !== "8"))!;
    expect(difference.hunks).toHaveLength(1);
    expect(difference.hunks[0]).toHaveLength(12);
  });

  it("are given up where almost everything differs", () => {
    const many = (word: string) => Array.from({ length: 4000 }, (_, at) => `${word}${at}`);
    expect(diffLists(many("a"), many("b"))).toBeUndefined();
    expect(diffLists([], many("a"))?.added).toBe(4000);
  });

  it("do not count the end of the last line as a line", () => {
    expect(linesOf("a\r\nb\n")).toEqual(["a", "b"]);
    expect(linesOf("")).toEqual([]);
  });

  it("of tables compare rows by the columns of both, and pair what changed", () => {
    const difference = diffTables("id,price,old\n1,10,x\n2,20,y\n", "id,price,unit\n1,10,kg\n2,25,kg\n3,30,kg\n")!;
    expect([difference.header, difference.addedColumns, difference.removedColumns]).toEqual([["id", "price", "unit", "old"], ["unit"], ["old"]]);
    expect([difference.added, difference.removed]).toEqual([2, 1]);
    const hunk = difference.hunks[0]!;
    const removed = hunk.find(({ kind }) => kind === "removed")!;
    expect(pairsOf(hunk).get(removed)?.value).toEqual(["2", "25", "kg", ""]);
  });
});

describe("a merge", () => {
  const history = (ids: string[], next_page_token?: string) => ({ commits: ids.map((id) => ({ id }) as DataCommit), next_page_token });
  it("is told from two histories", () => {
    expect(relationOf(history(["c", "b", "a"]), history(["b", "a"]))).toBe("fast_forward");
    expect(relationOf(history(["b", "a"]), history(["c", "b", "a"]))).toBe("up_to_date");
    expect(relationOf(history(["c", "a"]), history(["b", "a"]))).toBe("merge");
    expect(relationOf(history(["c", "a"], "more"), history(["b", "a"]))).toBe("unknown");
  });

  it("decides each path by a pattern that matches nothing else", () => {
    expect(exactPattern("a/[b]*{c}?.csv")).toBe("a/[[]b][*][{]c[}][?].csv");
    expect(rulesOf({ "a.csv": "source" })).toEqual([{ pattern: "a.csv", side: "source" }]);
  });

  it("names file, side and what became of it at each choice", () => {
    const side = { size_bytes: 12 } as DataObject;
    const drawn = renderToStaticMarkup(
      createElement(Conflicts, { conflicts: [{ path: "a/x.csv", base: side, source: side }], count: 3, source: "fix", dest: "main", onDecide: () => {}, onRest: () => {} }),
    );
    expect([...drawn.matchAll(/type="radio"[^>]*aria-label="([^"]*)"/g)].map(([, label]) => label)).toEqual([
      "a/x.csv: fix, changed, 12 B", "a/x.csv: main, removed", "Keep fix for 2 more files", "Keep main for 2 more files",
    ]);
  });

  it("reads its conflicts from the refusal, and from no other error", () => {
    const body = { code: "conflict", message: "2 paths", count: 2, conflicts: [{ path: "a" }] };
    expect(conflictsOf(errorFrom(409, body))?.count).toBe(2);
    expect(conflictsOf(errorFrom(409, { code: "conflict", message: "not committed" }))).toBeUndefined();
  });
});

it("S3 clients address a flat repository without a ref", () => {
  const place = { revision: "main", path: "raw/a.csv" };
  expect(s3Address({ repository: { name: "flights", layout: "ref" }, ...place })).toBe("s3://flights/main/raw/a.csv");
  expect(s3Address({ repository: { name: "cache", layout: "flat" }, ...place })).toBe("s3://cache/raw/a.csv");
});
