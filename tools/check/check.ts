/** One check of the repository. */
export interface Check {
  readonly name: string;
  /** Checks of earlier stages without which this one says nothing. */
  readonly needs?: readonly string[];
  /** Does it, and throws when it fails: `CheckFailure` with what to show, anything else with its stack. */
  run(options: CheckOptions): Promise<Outcome>;
}

export interface CheckOptions {
  /** Mend what can be mended by machine, instead of complaining about it. */
  readonly fix: boolean;
}

/** What a check that ran to its end found. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly output: string;
  /** A few words for the line of the check. */
  readonly note?: string;
}

export interface Result extends Outcome {
  readonly name: string;
  readonly ms: number;
}

/** A check that failed as checks do: the message is all there is to say. */
export class CheckFailure extends Error {
  override readonly name = "CheckFailure";
}

/** The outcome of a check that counts as one. */
export function passed(output = "", note?: string): Outcome {
  return { passed: 1, failed: 0, output, ...(note === undefined ? {} : { note }) };
}

export function failed(name: string, output: string, ms = 0): Result {
  return { name, passed: 0, failed: 1, output, ms };
}

/** Runs a check unless one that it needs has failed. Never rejects. */
export async function runCheck(check: Check, before: readonly Result[], options: CheckOptions): Promise<Result> {
  const missing =
    check.needs?.filter((name) => before.some((result) => result.name === name && result.failed > 0)) ?? [];
  if (missing.length > 0) return failed(check.name, `Not run, because this failed: ${missing.join(", ")}`);
  const start = performance.now();
  const elapsed = (): number => performance.now() - start;
  try {
    const outcome = await check.run(options);
    return { ...outcome, name: check.name, ms: elapsed() };
  } catch (error) {
    return failed(check.name, describe(error), elapsed());
  }
}

/** What to show of an error: a failed check speaks for itself, anything else needs its stack. */
export function describe(error: unknown): string {
  if (error instanceof CheckFailure) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
