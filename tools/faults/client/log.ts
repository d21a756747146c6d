/** Writes down what one client does. */
import { isPqError } from "@pq/core";
import type { End, How, Outcome, Put, Query, Settle } from "../event.ts";
import { Recorder } from "../recorder.ts";
import { now } from "../time.ts";

type WithoutNumber<E> = E extends unknown ? Omit<E, "call" | "at"> : never;

/** The proof of a lease. */
export interface Held {
  readonly id: string;
  readonly fence: number;
}

/** The history of a client. */
export class Log {
  readonly recorder: Recorder;
  #calls = 0;

  constructor(path: string) {
    this.recorder = new Recorder(path);
  }

  /** A call begins; its number. */
  begin(event: WithoutNumber<Put | Settle | Query>): number {
    const call = ++this.#calls;
    this.recorder.write({ ...event, call, at: now() });
    return call;
  }

  end(call: number, outcome: Outcome, more: Pick<End, "code" | "duplicates"> = {}): void {
    this.recorder.write({ type: "end", at: now(), call, outcome, ...more });
  }

  /** Make a call, and write down how it ends; `undefined` when it failed. */
  async call<T>(event: WithoutNumber<Put | Settle | Query>, invoke: () => Promise<T>): Promise<T | undefined> {
    const call = this.begin(event);
    try {
      const value = await invoke();
      this.end(call, "ok");
      return value;
    } catch (error) {
      this.end(call, outcomeOf(error), { code: codeOf(error) });
      return undefined;
    }
  }

  /** A job is about to be settled. */
  settle(
    { id, fence }: Held,
    how: How,
    { delay = 0, deadline = null }: { readonly delay?: number; readonly deadline?: number | null } = {},
  ): number {
    return this.begin({ type: "settle", id, fence, how, delay, deadline });
  }
}

/** What an error says of the call. */
export function outcomeOf(error: unknown): Outcome {
  if (isPqError(error, "LEASE_LOST")) return "lost";
  // An error that is none of ours says nothing.
  return !isPqError(error) || error.code === "OUTCOME_UNKNOWN" ? "unknown" : "refused";
}

/** Its code, or its text. */
export function codeOf(error: unknown): string {
  return isPqError(error) ? error.code : String(error);
}
