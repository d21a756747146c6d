/**
 * One call of the seam: some commands, one after the other or side by side. It ends by its own deadline whatever the driver does, and
 * knows for each error whether something of it may have been applied: then it is `OUTCOME_UNKNOWN`, else `UNAVAILABLE`.
 */
import { systemClock, type Timer } from "@pq/core/backend";
import { callError, isDuplicateKey, LateError, notApplied } from "./errors.ts";
import type { Collections } from "./schema.ts";

/** A late call gets so many ms more, in which a process that was busy reads what has come meanwhile. */
const GRACE = 20;

/** What a call needs of its connection. */
export interface CallContext {
  /** For messages: where the server is, without secrets. */
  readonly address: string;
  /** How long a call may take, in ms. */
  readonly timeout: number;
  /** Does the client send writes again by itself? */
  readonly repeats: boolean;
  /** Throws `CLOSED` when there is no connection any more. */
  collections(): Collections;
  /** A command begins; the function that is returned says that it has ended. */
  begin(): () => void;
}

/** The commands of one call. */
export class Call {
  readonly #context: CallContext;
  readonly #harmless: boolean;
  readonly #deadline: number;
  /** Writes that were applied, or may have been. */
  #writes = 0;

  /** Its time begins now. `harmless`: its writes mean nothing to its caller, so it is never of unknown outcome. */
  constructor(context: CallContext, harmless: boolean) {
    this.#context = context;
    this.#harmless = harmless;
    this.#deadline = systemClock.monotonic() + context.timeout;
  }

  /** Run a command that changes nothing. Rejects with `PqError` only. */
  read<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#run(command, false);
  }

  /** Run a command that may change something. Rejects with `PqError`, but for the driver's error for a duplicate key: `isDuplicateKey`. */
  write<T>(command: (c: Collections) => Promise<T>): Promise<T> {
    return this.#run(command, true);
  }

  async #run<T>(command: (c: Collections) => Promise<T>, writes: boolean): Promise<T> {
    const { address, repeats } = this.#context;
    // Quick commands, one after the other, would else go on for ever.
    if (systemClock.monotonic() >= this.#deadline + GRACE) throw callError(this.#late(), address, this.#isUnknown());
    const end = this.#context.begin();
    if (writes) this.#writes++;
    try {
      return await this.#inTime(command(this.#context.collections()));
    } catch (error) {
      if (writes && isDuplicateKey(error)) throw error;
      if (writes && notApplied(error, repeats)) this.#writes--;
      throw callError(error, address, this.#isUnknown());
    } finally {
      end();
    }
  }

  #inTime<T>(running: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(this.#late());
      let timer: Timer = systemClock.timer(this.#deadline - systemClock.monotonic(), () => {
        timer = systemClock.timer(GRACE, late);
      });
      running.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #late(): LateError {
    return new LateError(`no answer within ${this.#context.timeout} ms`);
  }

  #isUnknown(): boolean {
    return this.#writes > 0 && !this.#harmless;
  }
}
