/**
 * One call to a store, tried until it is answered or its deadline is near. It always settles by the deadline, with one of three results:
 * the value; `UNAVAILABLE`: no try was applied; `OUTCOME_UNKNOWN`: some try was or may have been applied, and none answered.
 *
 *     try --value--> done
 *         --UNAVAILABLE, OUTCOME_UNKNOWN, no answer in time--> pause --> try (the same call again, so with the same request id)
 *         --any other code--> done
 *
 * A try that did not answer in time is not forgotten: every try asks the same, so an answer that comes late is as good as any, and ends
 * the call. One that comes after the end goes to `late`.
 */
import type { Backend } from "./backend.ts";
import type { Clock, Timer } from "./clock.ts";
import { isPqError, PqError } from "./errors.ts";
import { random } from "./id.ts";

/** How long a call may take. */
export interface CallPolicy {
  readonly clock: Clock;
  /** From the start to the end of a call with all its tries, in ms. */
  readonly deadline: number;
  /** The most that one try waits for its answer, in ms. */
  readonly attemptTimeout: number;
}

/** A call. */
export interface CallSpec<T> {
  /** For messages. */
  readonly name: string;
  /** May it change anything? A call that does not is never of unknown outcome. */
  readonly mutates: boolean;
  /** Only one try. */
  readonly once?: boolean;
  readonly invoke: () => Promise<T>;
  /** Last look at the value; `unsure` when a try before was of unknown outcome. What it throws fails the call. */
  readonly accept?: (value: T, unsure: boolean) => T;
  /** Takes an answer that came after the end, with the value that the call had ended with, if it had not failed. */
  readonly late?: (value: T, given: T | undefined) => void;
}

/** The pause before the second try, doubling from try to try up to the longest, each drawn between a half and the whole of it; in ms. */
const FIRST_PAUSE = 25;
const LONGEST_PAUSE = 1000;

/** Codes that tell about this try alone: they leave open what became of an earlier one. */
const SAYS_NOTHING_OF_EARLIER_TRIES: ReadonlySet<string> = new Set([
  "UNAVAILABLE",
  "CLOSED",
  "LOCKED",
  "CORRUPT",
  "INCOMPATIBLE_VERSION",
  "WEAK_SETTINGS",
]);

/** Make the call. */
export function attempt<T>(backend: Backend, spec: CallSpec<T>, policy: CallPolicy): Promise<T> {
  return new Promise((resolve, reject) => new Attempts(backend, spec, policy, { resolve, reject }).begin());
}

interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: PqError) => void;
}

class Attempts<T> {
  readonly #backend: Backend;
  readonly #spec: CallSpec<T>;
  readonly #policy: CallPolicy;
  readonly #settle: Settle<T>;
  readonly #start: number;
  #timer: Timer | undefined;
  #tries = 0;
  /** The number of the try whose failure counts; 0 in a pause and after the end. */
  #current = 0;
  #unsure = false;
  /** How the store last refused a try. */
  #refusal: PqError | undefined;
  #over = false;
  #value: T | undefined;

  constructor(backend: Backend, spec: CallSpec<T>, policy: CallPolicy, settle: Settle<T>) {
    this.#backend = backend;
    this.#spec = spec;
    this.#policy = policy;
    this.#settle = settle;
    this.#start = policy.clock.monotonic();
  }

  begin(): void {
    const number = ++this.#tries;
    this.#current = number;
    const patience = Math.max(0, Math.min(this.#policy.attemptTimeout, this.#left()));
    this.#timer = this.#policy.clock.timer(patience, () => this.#failed(number, this.#noAnswer(patience)));
    let answer: Promise<T>;
    try {
      answer = Promise.resolve(this.#spec.invoke());
    } catch (error) {
      this.#failed(number, error);
      return;
    }
    answer.then(
      (value) => this.#answered(value),
      (error: unknown) => {
        this.#refusal = this.#named(error);
        this.#failed(number, this.#refusal);
      },
    );
  }

  #answered(value: T): void {
    const { accept, late } = this.#spec;
    try {
      if (this.#over) return late?.(value, this.#value);
      this.#value = accept === undefined ? value : accept(value, this.#unsure);
    } catch (error) {
      // What came is no answer.
      if (!this.#over) this.#fail(this.#named(error));
      return;
    }
    this.#end();
    this.#settle.resolve(this.#value);
  }

  #failed(number: number, error: unknown): void {
    if (number !== this.#current) return;
    this.#current = 0;
    this.#timer?.cancel();
    const failure = this.#named(error);
    if (failure.code === "OUTCOME_UNKNOWN") this.#unsure = true;
    const pause = Math.min(FIRST_PAUSE * 2 ** (this.#tries - 1), LONGEST_PAUSE) * (1 - random() / 2);
    if (this.#mayTryAgain(failure, pause)) this.#timer = this.#policy.clock.timer(pause, () => this.begin());
    else this.#fail(failure);
  }

  #mayTryAgain({ code }: PqError, pause: number): boolean {
    if (this.#spec.once === true || (code !== "UNAVAILABLE" && code !== "OUTCOME_UNKNOWN")) return false;
    // After a try of unknown outcome, none is begun once the store may have forgotten the request.
    const window = this.#backend.capabilities.repeatWindow.ms;
    const safe = !this.#unsure || this.#policy.deadline - this.#left() + pause < window;
    return safe && pause < this.#left();
  }

  #fail(failure: PqError): void {
    this.#end();
    const hides = this.#unsure && SAYS_NOTHING_OF_EARLIER_TRIES.has(failure.code);
    this.#settle.reject(hides ? new PqError("OUTCOME_UNKNOWN", failure.message, { cause: failure }) : failure);
  }

  #end(): void {
    this.#over = true;
    this.#current = 0;
    this.#timer?.cancel();
  }

  #left(): number {
    return this.#start + this.#policy.deadline - this.#policy.clock.monotonic();
  }

  get #what(): string {
    return `${this.#backend.name}: ${this.#spec.name}`;
  }

  /** The error as the contract knows it. A backend that rejects with something else leaves open what it did. */
  #named(error: unknown): PqError {
    const { mutates } = this.#spec;
    const unknown = mutates ? "OUTCOME_UNKNOWN" : "UNAVAILABLE";
    if (!isPqError(error)) return new PqError(unknown, `${this.#what} failed in an unexpected way`, { cause: error });
    return error.code === "OUTCOME_UNKNOWN" && !mutates ? new PqError(unknown, error.message, { cause: error }) : error;
  }

  #noAnswer(ms: number): PqError {
    const code = this.#spec.mutates ? "OUTCOME_UNKNOWN" : "UNAVAILABLE";
    const message = `${this.#what}: no answer within ${Math.ceil(ms)} ms`;
    if (this.#refusal === undefined) return new PqError(code, message);
    // The last try may have been too short to hear why.
    return new PqError(code, `${message}; before: ${this.#refusal.message}`, { cause: this.#refusal });
  }
}
