// Files on their way to a branch: a few at once, each with its progress and its own error. They go on when the page is left.
import { ApiError, errorFrom } from "../../api/http";
import { native } from "../../api/native";

export interface Target {
  project: string;
  repository: string;
  branch: string;
}

export type UploadState = "waiting" | "sending" | "done" | "failed" | "stopped";

export interface Upload extends Target {
  id: number;
  path: string;
  sizeBytes: number;
  sentBytes: number;
  state: UploadState;
  error?: ApiError;
}

export interface LocalFile {
  /** Relative to the folder that was chosen. */
  path: string;
  file: File;
}

type Send = (upload: Upload, file: File, onProgress: (sentBytes: number) => void, signal: AbortSignal) => Promise<void>;

const atOnce = 4;

/** Listeners are told at most so often: thousands of small files must not draw the page thousands of times. */
const tellEveryMs = 50;

/** Sends what is added, `atOnce` files at a time; tells its listeners of changes. */
export class UploadQueue {
  private readonly uploads = new Map<number, Upload>();
  private shown: readonly Upload[] = [];
  private readonly files = new Map<number, File>();
  private readonly aborts = new Map<number, AbortController>();
  private readonly listeners = new Set<() => void>();
  private readonly settled = new Set<(target: Target) => void>();
  private waiting: number[] = [];
  private nextId = 1;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: Send = sendFile) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly snapshot = (): readonly Upload[] => this.shown;

  /** Called when nothing is left to send to a branch. */
  readonly onSettled = (listener: (target: Target) => void) => {
    this.settled.add(listener);
    return () => void this.settled.delete(listener);
  };

  add(target: Target, folder: string, files: LocalFile[]) {
    for (const { path, file } of files) {
      const id = this.nextId++;
      this.files.set(id, file);
      this.uploads.set(id, { ...target, id, path: folder + path, sizeBytes: file.size, sentBytes: 0, state: "waiting" });
      this.waiting.push(id);
    }
    this.tell();
    this.pump();
  }

  retry(id: number) {
    this.patch(id, { state: "waiting", sentBytes: 0, error: undefined });
    this.waiting.push(id);
    this.pump();
  }

  /** Stops what is waiting or being sent. */
  stop(of: Target) {
    for (const upload of this.of(of).filter(isOpen)) {
      this.patch(upload.id, { state: "stopped" });
      this.aborts.get(upload.id)?.abort();
    }
    this.waiting = this.waiting.filter((id) => this.uploads.get(id)?.state === "waiting");
    this.settle(of);
  }

  /** Forgets what has ended. */
  clear(of: Target) {
    for (const { id } of this.of(of).filter((upload) => !isOpen(upload))) {
      this.uploads.delete(id);
      this.files.delete(id);
    }
    this.tell();
  }

  private of(target: Target): Upload[] {
    return [...this.uploads.values()].filter((upload) => isSame(upload, target));
  }

  private pump() {
    while (this.aborts.size < atOnce && this.waiting.length) {
      const upload = this.uploads.get(this.waiting.shift()!);
      if (upload) void this.run(upload);
    }
  }

  private async run(upload: Upload) {
    const { id } = upload;
    const abort = new AbortController();
    this.aborts.set(id, abort);
    this.patch(id, { state: "sending" });
    try {
      await this.send(upload, this.files.get(id)!, (sentBytes) => this.patch(id, { sentBytes }), abort.signal);
      this.patch(id, { state: "done", sentBytes: upload.sizeBytes });
      this.files.delete(id);
    } catch (error) {
      if (!abort.signal.aborted) this.patch(id, { state: "failed", error: asApiError(error) });
    }
    this.aborts.delete(id);
    this.pump();
    this.settle(upload);
  }

  private settle(target: Target) {
    if (this.of(target).some(isOpen)) return;
    for (const listener of this.settled) listener(target);
  }

  private patch(id: number, patch: Partial<Upload>) {
    const upload = this.uploads.get(id);
    if (upload) this.uploads.set(id, { ...upload, ...patch });
    this.tell();
  }

  private tell() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.shown = [...this.uploads.values()];
      for (const listener of this.listeners) listener();
    }, tellEveryMs);
  }
}

const isOpen = ({ state }: Upload) => state === "waiting" || state === "sending";
export const isSame = (a: Target, b: Target) => a.project === b.project && a.repository === b.repository && a.branch === b.branch;
const asApiError = (error: unknown) => (error instanceof ApiError ? error : new ApiError(0, "unknown", String(error)));

export interface UploadTotals {
  files: number;
  done: number;
  failed: number;
  stopped: number;
  open: number;
  bytes: number;
  sentBytes: number;
}

export function totalsOf(uploads: readonly Upload[]): UploadTotals {
  const count = (...states: UploadState[]) => uploads.filter(({ state }) => states.includes(state)).length;
  const sum = (of: (upload: Upload) => number) => uploads.reduce((total, upload) => total + of(upload), 0);
  return {
    files: uploads.length,
    done: count("done"),
    failed: count("failed"),
    stopped: count("stopped"),
    open: count("waiting", "sending"),
    bytes: sum(({ sizeBytes }) => sizeBytes),
    sentBytes: sum(({ sentBytes, sizeBytes }) => Math.min(sentBytes, sizeBytes)),
  };
}

/** `fetch` tells nothing of how much was sent; this does. */
function sendFile(upload: Upload, file: File, onProgress: (sentBytes: number) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", native.objectUrl(upload.project, upload.repository, upload.branch, upload.path));
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => (request.status < 300 ? resolve() : reject(readRefusal(request)));
    request.onerror = () => reject(new ApiError(0, "unreachable", "the connection ended before the file was there"));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function readRefusal(request: XMLHttpRequest): ApiError {
  try {
    return errorFrom(request.status, JSON.parse(request.responseText) as Record<string, unknown>);
  } catch {
    return new ApiError(request.status, "unknown", `the server answered ${request.status}`);
  }
}

/** The queue of this tab. */
export const uploads = new UploadQueue();
addEventListenerIfPage("beforeunload", (event) => {
  if (uploads.snapshot().some(isOpen)) event.preventDefault();
});

function addEventListenerIfPage(name: "beforeunload", listener: (event: Event) => void) {
  if (typeof window !== "undefined") window.addEventListener(name, listener);
}
