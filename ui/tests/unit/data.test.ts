import { QueryClient, QueryClientProvider, QueryObserver } from "@tanstack/react-query";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, describe, expect, it, vi } from "vitest";
import { labelOf, pageOf } from "../../src/components/names";
import { ApiError } from "../../src/api/http";
import { native } from "../../src/api/native";
import { ErrorNote } from "../../src/components/error-note";
import { findFiles } from "../../src/features/data/delete-paths";
import { eachOf } from "../../src/features/data/each-of";
import { fileEntry, folderEntry, isMarked, marksIn, withMarks } from "../../src/features/data/marks";
import { changeCountQuery, folderQuery, refsQuery, stagedPace } from "../../src/features/data/queries";
import { isDataChange } from "../../src/features/data/use-data-changes";
import { folderOf, foldersOf, lastPart, repositoryView } from "../../src/features/data/view";
import { keepOf } from "../../src/app/keep-of";
import { readView, writeView } from "../../src/app/url-state";

describe("places in a repository", () => {
  it("names the folders around a folder, outermost first", () => {
    expect(foldersOf("")).toEqual([]);
    expect(foldersOf("a/b c/")).toEqual(["a/", "a/b c/"]);
    expect([folderOf("a/b c/x.csv"), folderOf("x.csv"), folderOf("raw/")]).toEqual(["a/b c/", "", "raw/"]);
    expect([lastPart("a/b c/"), lastPart("a/x.csv"), lastPart("x")]).toEqual(["b c", "x.csv", "x"]);
  });

  it("keeps slashes of a path in an address and escapes the rest", () => {
    expect(native.objectUrl("default", "flights", "main~1", "2013/a b#?.csv")).toBe("/api/v1/repos/flights/refs/main~1/objects/2013/a%20b%23%3F.csv");
    expect(native.objectUrl("fraud", "flights", "main", "x")).toBe("/p/fraud/api/v1/repos/flights/refs/main/objects/x");
  });

  it("stands in the address and comes back", () => {
    const view = { tab: "commits" as const, revision: "v1", folder: "a/", file: undefined, prefix: "", page: 2, pageToken: ">x" };
    const search = writeView(repositoryView, view);
    expect(search).toEqual({ tab: "commits", ref: "v1", path: "a/", page: "2", token: ">x" });
    expect(readView(repositoryView, search)).toEqual(view);
  });

  it("has pages for repositories and commits in the lineage", () => {
    expect(pageOf("fraud/data/flights")).toBe("/p/fraud/data/flights");
    expect(pageOf("fraud/data/flights@0123456789abcdef")).toBe("/p/fraud/data/flights/commits/0123456789abcdef");
    expect(labelOf("fraud/data/flights@0123456789abcdef")).toBe("flights@01234567");
  });
});

describe("what is marked", () => {
  const [folder, marker, inside] = [folderEntry("raw/"), fileEntry({ path: "raw/" }), fileEntry({ path: "raw/a.csv" })];

  it("tells a folder from the file of the same path that keeps it", () => {
    const marks = withMarks(new Map(), [marker], true);
    expect([isMarked(marks, marker), isMarked(marks, folder)]).toEqual([true, false]);
    expect(marksIn(withMarks(marks, [folder, inside], true), "raw/")).toEqual([marker, inside]);
    expect(marksIn(withMarks(marks, [folder], true), "")).toEqual([marker, folder]);
    expect(withMarks(marks, [marker], false).size).toBe(0);
  });

  it("stands for all below a folder, and for one file where it is a file", async () => {
    const stored = ["raw/", "raw/a.csv", "raw/b.csv"];
    const list = async ({ prefix, page_token: token, max_results: most }: { prefix: string; page_token?: string; max_results: number }) => {
      const below = stored.filter((path) => path.startsWith(prefix) && path > (token ?? ""));
      const objects = below.slice(0, Math.min(most, 2)).map((path) => ({ path, size_bytes: 3 }));
      return { objects, next_page_token: below.length > objects.length ? objects.at(-1)!.path : undefined };
    };
    const pathsOf = async (...entries: Parameters<typeof findFiles>[1]) => (await findFiles(list, entries)).map(({ path }) => path);
    expect(await pathsOf(marker)).toEqual(["raw/"]);
    expect(await pathsOf(folder, inside)).toEqual(stored);
  });
});

describe("work on many files", () => {
  it("ends with the first failure, and waits for what has begun", async () => {
    const done: number[] = [];
    const work = async (item: number) => {
      await new Promise((resolve) => setTimeout(resolve, item === 2 ? 0 : 5));
      if (item === 2) throw new Error("refused");
      done.push(item);
    };
    await expect(eachOf([0, 1, 2, 3, 4, 5, 6, 7], work, new AbortController().signal)).rejects.toThrow("refused");
    expect(done).toEqual([0, 1, 3]);
  });

  it("stops when it is told to", async () => {
    const abort = new AbortController();
    const begun: number[] = [];
    const work = async (item: number) => {
      begun.push(item);
      if (item === 5) abort.abort();
    };
    await expect(eachOf(Array.from({ length: 100 }, (_, item) => item), work, abort.signal)).rejects.toThrow();
    expect(begun.length).toBeLessThan(12);
    await eachOf([1, 2], work, new AbortController().signal);
    expect(begun.slice(-2)).toEqual([1, 2]);
  });
});

describe("what is asked for", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("keeps what is shown for another page of the same ref, and for no other ref", () => {
    const keyOf = (ref: string, page?: string) => folderQuery("default", "flights", ref, "a/", "", page).queryKey;
    const keep = keepOf(keyOf("main", "2").slice(0, 5));
    expect(keep("shown", { queryKey: keyOf("main") })).toBe("shown");
    expect(keep("shown", { queryKey: keyOf("v1") })).toBeUndefined();
    expect(keep("shown", undefined)).toBeUndefined();
  });

  it("is asked for again and again, until it is not there any more", () => {
    expect(stagedPace({ state: { data: undefined, error: null } })).toBe(false);
    expect(stagedPace({ state: { data: [], error: null } })).toBe(10_000);
    expect(stagedPace({ state: { data: [], error: new ApiError(503, "unavailable", "away for a moment") } })).toBe(10_000);
    expect(stagedPace({ state: { data: [], error: new ApiError(404, "not_found", "the branch was deleted") } })).toBe(false);
  });

  it("is counted every minute, and more often where it is looked at", () => {
    const paces = [true, false].map((isWatched) => changeCountQuery("default", "flights", "main", isWatched).refetchInterval as unknown as typeof stagedPace);
    expect(paces.map((pace) => pace({ state: { data: {}, error: null } }))).toEqual([10_000, 60_000]);
    expect(paces.map((pace) => pace({ state: { data: {}, error: new ApiError(404, "not_found", "the branch was deleted") } }))).toEqual([false, false]);
  });

  it("reads all branches, and says so where there are more than it reads", async () => {
    let pages = 0;
    let last = 3;
    const answer = (url: string) => {
      const isBranch = url.includes("/branches");
      if (isBranch) pages += 1;
      return { refs: [{ name: `${isBranch ? "b" : "t"}${pages}` }], next_page_token: isBranch && pages < last ? "more" : undefined };
    };
    vi.stubGlobal("fetch", async (url: string) => new Response(JSON.stringify(answer(url))));
    const read = () => new QueryClient().fetchQuery(refsQuery("default", "flights"));
    const all = await read();
    expect([all.branches.map(({ name }) => name), all.tags.length, all.isCut]).toEqual([["b1", "b2", "b3"], 1, false]);
    pages = 0;
    last = 1_000;
    const some = await read();
    expect([some.branches.length, some.isCut]).toEqual([5, true]);
  });

  it("is asked for again when its repository changed, and not when it was read or another one changed", () => {
    const isAbout = (action: string, subject: string, repository?: string) => isDataChange({ action, subject }, "default", repository);
    expect(isAbout("data.committed", "default/data/flights@0123", "flights")).toBe(true);
    expect(isAbout("data.branch_deleted", "default/data/flights", "flights")).toBe(true);
    expect(isAbout("data.committed", "default/data/flights-2@0123", "flights")).toBe(false);
    expect(isAbout("data.repository_created", "default/data/new")).toBe(true);
    expect(isAbout("data.read", "default/run/1", undefined)).toBe(false);
    expect(isAbout("run.finished", "default/run/1")).toBe(false);
  });

  it("can be asked for again where it failed; a refused change has its own form", async () => {
    const client = new QueryClient();
    const observer = new QueryObserver(client, { queryKey: ["x"], queryFn: () => Promise.reject(new Error("away")), retry: false });
    const stop = observer.subscribe(() => {});
    await vi.waitFor(() => expect(observer.getCurrentResult().isError).toBe(true));
    const draw = (error: unknown) => renderToStaticMarkup(createElement(QueryClientProvider, { client }, createElement(ErrorNote, { error })));
    expect(draw(observer.getCurrentResult().error)).toContain("Try again");
    expect(draw(new Error("refused"))).not.toContain("Try again");
    stop();
  });
});
