/** Making one call on both sides, comparing the answers, and keeping the list of calls for the report of a failure. */
import type { Backend } from "../../backend.ts";
import { sleep, systemClock } from "../../clock.ts";
import { isPqError } from "../../errors.ts";
import type { Side } from "./ledger.ts";
import type { Pace } from "./pace.ts";
import { differences, type Names, showBriefly } from "./show.ts";

/** The store answered otherwise than the model. The message lists all calls and answers. */
export class ModelMismatch extends Error {}

/** The two sides of a run, and what is between them. */
export interface Sides {
  readonly model: Backend;
  /** Connections to the store under test; calls take turns on them. */
  readonly store: readonly [Backend, ...Backend[]];
  /** Kill the store and start it again. */
  readonly restart: () => Promise<void>;
  readonly pace: Pace;
  /** A queue that nobody used before. */
  readonly queue: string;
  /** For so many milliseconds a call may be repeated. */
  readonly repeatable: number;
}

/** A call as it is made on one side. */
export type Call<T> = (backend: Backend, side: Side) => Promise<T>;

/** How often, and after how many milliseconds, a call is tried again after a restart, until the connection is back. */
const RETRIES = 100;
const RETRY_PAUSE = 50;

/** The calls of one run. */
export class Comparison {
  readonly #sides: Sides;
  readonly #names: Names;
  readonly #trace: string[] = [];
  #turn = 0;
  /** Connections are coming back: a call may reject and is tried again, which is safe, since it is the same call. */
  mayReject = false;

  constructor(sides: Sides, names: Names) {
    this.#sides = sides;
    this.#names = names;
  }

  /** Make a call on the model, then on the store. */
  async both<T>(label: string, params: object, call: Call<T>, compare: (model: T, store: T) => void): Promise<void> {
    const { request: _request, queue: _queue, ...own } = params as { request?: unknown; queue?: unknown };
    this.note(`${label} ${showBriefly(own, this.#names)}`);
    const { model, store, pace } = this.#sides;
    const expected = await call(model, "model");
    const connection = store[this.#turn++ % store.length] ?? store[0];
    const found = await this.#patiently(() => call(connection, "store"));
    pace.check();
    compare(expected, found);
    this.note(`  -> ${showBriefly(found, this.#names)}`);
  }

  /** Throws when the two are not the same. */
  expect(model: unknown, store: unknown): void {
    const found = differences(model, store, this.#names);
    if (found.length > 0) throw this.failure(found.join("\n"));
  }

  /** A line for the list of calls. */
  note(line: string): void {
    this.#trace.push(line);
  }

  /** What to throw: all calls so far, and what is wrong. */
  failure(what: string, cause?: unknown): ModelMismatch {
    return new ModelMismatch([...this.#trace, what].join("\n"), { cause });
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let retries = this.mayReject ? RETRIES : 0; ; retries--) {
      try {
        return await call();
      } catch (error) {
        const hopeless = retries === 0 || !isPqError(error) || !error.retryable;
        if (hopeless) throw this.failure(`the store rejected: ${String(error)}`, error);
        await sleep(systemClock, RETRY_PAUSE);
      }
    }
  }
}
