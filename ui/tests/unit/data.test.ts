import { describe, expect, it } from "vitest";
import { labelOf, pageOf } from "../../src/components/names";
import { native } from "../../src/api/native";
import { foldersOf, lastPart, repositoryView } from "../../src/features/data/view";
import { readView, writeView } from "../../src/app/url-state";

describe("places in a repository", () => {
  it("names the folders around a folder, outermost first", () => {
    expect(foldersOf("")).toEqual([]);
    expect(foldersOf("a/b c/")).toEqual(["a/", "a/b c/"]);
    expect([lastPart("a/b c/"), lastPart("a/x.csv"), lastPart("x")]).toEqual(["b c", "x.csv", "x"]);
  });

  it("keeps slashes of a path in an address and escapes the rest", () => {
    expect(native.objectUrl("default", "flights", "main~1", "2013/a b#?.csv")).toBe("/api/v1/repos/flights/refs/main~1/objects/2013/a%20b%23%3F.csv");
    expect(native.objectUrl("fraud", "flights", "main", "x")).toBe("/p/fraud/api/v1/repos/flights/refs/main/objects/x");
  });

  it("stands in the address and comes back", () => {
    const view = { tab: "commits" as const, revision: "v1", folder: "a/", file: undefined, pageToken: undefined, selected: [] };
    const search = writeView(repositoryView, view);
    expect(search).toEqual({ tab: "commits", ref: "v1", path: "a/" });
    expect(readView(repositoryView, search)).toEqual(view);
  });

  it("has pages for repositories and commits in the lineage", () => {
    expect(pageOf("fraud/data/flights")).toBe("/p/fraud/data/flights");
    expect(pageOf("fraud/data/flights@0123456789abcdef")).toBe("/p/fraud/data/flights/commits/0123456789abcdef");
    expect(labelOf("fraud/data/flights@0123456789abcdef")).toBe("flights@01234567");
  });
});
