/** Letting time pass until something has happened, on any clock: calls that are tried again wait for the clock. */
import assert from "node:assert/strict";
import { isPqError } from "../errors.ts";
import type { RuleContext } from "./rule.ts";

const STEP = 20;

/** Let time pass until `check` is true, for at most `ms` by the clock of the store. */
export async function passUntil(t: RuleContext, check: () => boolean, message: string, ms = 5_000): Promise<void> {
  for (let passed = 0; !check(); passed += STEP) {
    assert.ok(passed < ms, `${message} (after ${ms} ms)`);
    await t.pass(STEP);
  }
}

/** What became of a call: its value, or the code of its error. */
export type Outcome<T> = { readonly value: T } | { readonly code: string; readonly error: unknown };

/** Let time pass until all these calls have settled. Fails the rule when one does not. */
export async function outcomesOf<T>(
  t: RuleContext,
  calls: Readonly<Record<string, Promise<T>>>,
  ms?: number,
): Promise<Record<string, Outcome<T>>> {
  const outcomes: Record<string, Outcome<T>> = {};
  for (const [what, call] of Object.entries(calls)) {
    call.then(
      (value) => (outcomes[what] = { value }),
      (error: unknown) => (outcomes[what] = { code: isPqError(error) ? error.code : String(error), error }),
    );
  }
  for (const what of Object.keys(calls)) {
    await passUntil(t, () => outcomes[what] !== undefined, `${what} did not settle`, ms);
  }
  return outcomes;
}

/** Let time pass until the call resolves, and give its value. Fails the rule when it rejects. */
export async function resolved<T>(t: RuleContext, call: Promise<T>, what: string, ms?: number): Promise<T> {
  const { [what]: outcome } = await outcomesOf(t, { [what]: call }, ms);
  assert.ok(outcome !== undefined);
  if ("value" in outcome) return outcome.value;
  assert.fail(`${what} failed: ${String(outcome.error)}`);
}
