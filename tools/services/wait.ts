const INTERVAL_MS = 20;

/** Ask until it is so. An error counts as "not yet". Rejects after the limit, naming what was waited for, with the last error as the cause. */
export async function until(what: string, isSo: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  let cause: unknown;
  for (;;) {
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`Not within ${limitMs / 1000} s: ${what}.`, { cause });
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
