import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openStream } from "../../src/api/stream";
import { listen } from "../../src/app/live";

class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static made: FakeSource[] = [];
  readyState = 0;

  constructor(readonly url: string) {
    super();
    FakeSource.made.push(this);
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  begin() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  break(readyState: number) {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
}

const newest = () => FakeSource.made.at(-1)!;
const page = Object.assign(new EventTarget(), { visibilityState: "visible" });

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.made = [];
  page.visibilityState = "visible";
  vi.stubGlobal("EventSource", FakeSource);
  vi.stubGlobal("document", page);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a stream", () => {
  it("is opened again, later each time, after an answer that ended it", () => {
    const [onReopen, states] = [vi.fn(), [] as boolean[]];
    const close = openStream("default", "/stream", {}, { onReopen, onState: (isLive) => states.push(isLive) });
    newest().begin();
    newest().break(FakeSource.CLOSED);
    vi.advanceTimersByTime(1_000);
    expect(FakeSource.made).toHaveLength(2);
    newest().break(FakeSource.CLOSED);
    vi.advanceTimersByTime(1_999);
    expect(FakeSource.made).toHaveLength(2);
    vi.advanceTimersByTime(1);
    newest().begin();
    expect([FakeSource.made.length, onReopen.mock.calls.length]).toEqual([3, 1]);
    expect(states).toEqual([true, false, false, true]);
    newest().break(FakeSource.CLOSED);
    close();
    vi.advanceTimersByTime(100_000);
    expect(FakeSource.made).toHaveLength(3);
  });

  it("has missed what happened before its first opening, where that had to be tried again or the page was hidden", () => {
    const onReopen = vi.fn();
    const close = openStream("default", "/stream", {}, { onReopen });
    newest().break(FakeSource.CLOSED);
    vi.advanceTimersByTime(1_000);
    expect([FakeSource.made.length, onReopen.mock.calls.length]).toEqual([2, 0]);
    newest().begin();
    expect(onReopen).toHaveBeenCalledTimes(1);
    page.visibilityState = "hidden";
    page.dispatchEvent(new Event("visibilitychange"));
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    newest().begin();
    expect(onReopen).toHaveBeenCalledTimes(2);
    close();

    page.visibilityState = "hidden";
    const closeHidden = openStream("default", "/stream", {}, { onReopen });
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    newest().begin();
    expect(onReopen).toHaveBeenCalledTimes(3);
    closeHidden();
  });

  it("leaves a lost connection to the browser, and is closed while the page is hidden", () => {
    const close = openStream("default", "/stream", {});
    newest().begin();
    newest().break(0);
    vi.advanceTimersByTime(100_000);
    expect(FakeSource.made).toHaveLength(1);
    newest().break(FakeSource.CLOSED);
    page.visibilityState = "hidden";
    page.dispatchEvent(new Event("visibilitychange"));
    vi.advanceTimersByTime(100_000);
    expect(FakeSource.made).toHaveLength(1);
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    expect(FakeSource.made).toHaveLength(2);
    close();
  });

  it("is one for all that listen, and each of them hears that something was missed", () => {
    const listeners = [0, 1].map(() => ({ onEvent: vi.fn(), onMissed: vi.fn() }));
    const leave = listeners.map((listener) => listen("default", listener));
    expect(FakeSource.made).toHaveLength(1);
    newest().begin();
    newest().dispatchEvent(Object.assign(new Event("event"), { data: "{}", lastEventId: "1" }));
    newest().break(0);
    newest().begin();
    for (const { onEvent, onMissed } of listeners) expect([onEvent.mock.calls.length, onMissed.mock.calls.length]).toEqual([1, 1]);
    for (const each of leave) each();
    expect(newest().readyState).toBe(FakeSource.CLOSED);
  });
});
