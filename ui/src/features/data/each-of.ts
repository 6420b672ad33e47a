const atOnce = 4;

/** Does the work for each item, a few at once, until one fails or the signal says stop; what has begun by then is waited for. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const left = items.values();
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const item of left) {
      if (failure || signal.aborted) return;
      await work(item).catch((error: unknown) => (failure ??= { error }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  signal.throwIfAborted();
  if (failure) throw failure.error;
}
