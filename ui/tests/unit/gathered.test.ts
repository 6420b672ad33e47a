import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gatherer } from "../../src/app/use-gathered";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a burst of calls is one, and calls without a pause are heard all the same", () => {
  const act = vi.fn();
  const { soon } = gatherer(act, 300);
  for (let call = 0; call < 10; call++) soon();
  vi.advanceTimersByTime(299);
  expect(act).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(10_000);
  expect(act).toHaveBeenCalledTimes(1);
  for (let ms = 0; ms < 3_000; ms += 100) {
    soon();
    vi.advanceTimersByTime(100);
  }
  expect(act.mock.calls.length).toBeGreaterThan(5);
});

test("what waits is dropped, and the next call waits anew", () => {
  const act = vi.fn();
  const { soon, drop } = gatherer(act, 300);
  soon();
  drop();
  vi.advanceTimersByTime(1_000);
  expect(act).not.toHaveBeenCalled();
  soon();
  vi.advanceTimersByTime(300);
  expect(act).toHaveBeenCalledTimes(1);
});
