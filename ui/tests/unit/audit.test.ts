import { afterEach, describe, expect, test, vi } from "vitest";
import type { LedgerEvent } from "../../src/api/native";
import { readView, writeView } from "../../src/app/url-state";
import { changesOf } from "../../src/features/audit/changes";
import { collectEvents, exportedAtMost, printCsv, printJsonl } from "../../src/features/audit/export";
import { auditFilter, subjectName } from "../../src/features/audit/query";
import { auditView } from "../../src/features/audit/view";

const event: LedgerEvent = {
  id: "e1",
  position: 7,
  at_ms: Date.UTC(2026, 10, 25, 9, 30),
  actor: { kind: "user", name: "ada" },
  action: "alias.set",
  subject: "default/model/scorer/3",
  project: "default",
  request_id: "r1",
  detail: { alias: "champion", previous_version: 2 },
  edges: [{ from: "default/run/a", to: "default/model/scorer/3", kind: "registered" }],
  hash: "ff",
};

describe("before and after", () => {
  test("an alias leaves one version for that of the subject", () => {
    expect(changesOf(event)).toEqual([{ what: "version of champion", before: 2, after: "3" }]);
  });
  test("a stage", () => {
    expect(changesOf({ ...event, detail: { stage: "Production", previous_stage: "None", archived_versions: 1 } })).toEqual([{ what: "stage", before: "None", after: "Production" }]);
  });
  test("a role", () => {
    expect(changesOf({ ...event, detail: { role: "admin", before: null } })).toEqual([{ what: "role", before: null, after: "admin" }]);
    expect(changesOf({ ...event, detail: { before: "viewer" } })).toEqual([{ what: "role", before: "viewer", after: undefined }]);
  });
  test("an event without such detail changed nothing that it tells", () => {
    expect(changesOf({ ...event, detail: { tags: ["a"] } })).toEqual([]);
    expect(changesOf({ ...event, detail: null })).toEqual([]);
  });
});

describe("export", () => {
  afterEach(() => vi.unstubAllGlobals());

  /** A server with that many events, in pages as asked for. */
  function serve(count: number) {
    const asked: URLSearchParams[] = [];
    vi.stubGlobal("fetch", async (url: string) => {
      const query = new URL(url, "http://lathe").searchParams;
      asked.push(query);
      const start = Number(query.get("page_token") ?? 0);
      const end = Math.min(count, start + Number(query.get("max_results")));
      const events = Array.from({ length: end - start }, (_, at) => ({ ...event, position: count - start - at }));
      return new Response(JSON.stringify({ events, ...(end < count ? { next_page_token: String(end) } : {}) }));
    });
    return asked;
  }

  test("reads every page of what is filtered", async () => {
    const asked = serve(2500);
    const { events, isPartial } = await collectEvents("default", { action: "alias." }, () => {}, new AbortController().signal);
    expect(events.map(({ position }) => position)).toEqual(Array.from({ length: 2500 }, (_, at) => 2500 - at));
    expect(isPartial).toBe(false);
    expect(asked.map((query) => query.get("action"))).toEqual(["alias.", "alias.", "alias."]);
  });
  test("stops at its bound and says so", async () => {
    serve(exportedAtMost + 1);
    const { events, isPartial } = await collectEvents("default", {}, () => {}, new AbortController().signal);
    expect(events.length).toBe(exportedAtMost);
    expect(isPartial).toBe(true);
  });
  test("JSON lines are the events as the server sent them", () => {
    expect(printJsonl([event, event]).trim().split("\n").map((line) => JSON.parse(line))).toEqual([event, event]);
  });
  test("a table quotes what needs it, and no cell is a formula", () => {
    const [head, row] = printCsv([{ ...event, actor: { kind: "user", name: "=HYPERLINK(1)" } }]).split("\r\n");
    expect(head).toBe("position,at,actor_kind,actor,action,subject,project,detail,edges,request_id,id,hash");
    expect(row).toBe(
      `7,2026-11-25T09:30:00.000Z,user,'=HYPERLINK(1),alias.set,default/model/scorer/3,default,"{""alias"":""champion"",""previous_version"":2}",default/run/a registered default/model/scorer/3,r1,e1,ff`,
    );
  });
});

describe("filter", () => {
  test("a subject may leave out its project", () => {
    expect(subjectName("fraud", " model/scorer ")).toBe("fraud/model/scorer");
    expect(subjectName("fraud", "fraud/run/a")).toBe("fraud/run/a");
    expect(subjectName("fraud", "")).toBeUndefined();
  });
  test("moments stand in the address as a person writes them", () => {
    const view = readView(auditView, { from: "2026-11-25T09:30Z", to: "soon" });
    expect(auditFilter("default", view)).toEqual({ action: undefined, actor: undefined, subject: undefined, from_ms: event.at_ms, to_ms: undefined });
    expect(writeView(auditView, view)).toEqual({ from: "2026-11-25T09:30Z" });
  });
});
