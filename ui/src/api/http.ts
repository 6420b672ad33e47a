// One way to call the server: project prefix, JSON, and one error type for both dialects (problem+json and MLflow's).

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint?: string,
    readonly requestId?: string,
    /** The whole answer, where it says more than the fields above: the paths of a conflict, say. */
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** There is no such thing, or no longer. */
export const isAbsent = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  signal?: AbortSignal;
}

/** The path of an API route in a project. `default` needs no prefix. */
export function projectPath(project: string, path: string): string {
  return project === "default" ? path : `/p/${encodeURIComponent(project)}${path}`;
}

export function withQuery(path: string, query: CallOptions["query"] = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

export async function call<T>(project: string, method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(withQuery(projectPath(project, path), options.query), {
    method,
    signal: options.signal,
    ...(options.body === undefined
      ? {}
      : { body: JSON.stringify(options.body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}

/** Sends and throws an `ApiError` for every answer that is no success. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "unreachable", "the server does not answer", "check that `lathe serve` is running");
  }
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    return errorFrom(response.status, JSON.parse(text));
  } catch {
    return new ApiError(response.status, "unknown", `the server answered ${response.status}`);
  }
}

/** Reads `{code, message, hint, request_id}` or MLflow's `{error_code, message}`. */
export function errorFrom(status: number, body: Record<string, unknown>): ApiError {
  const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : undefined);
  return new ApiError(
    status,
    text("code") ?? text("error_code") ?? "unknown",
    text("message") ?? `the server answered ${status}`,
    text("hint"),
    text("request_id"),
    body,
  );
}
