/**
 * What stands between core and a backend: one guard for each backend object, shared by its queues.
 * It opens the backend at the first call, closes it with the last of its queues, and sees that every call ends by its deadline (`attempts.ts`).
 */
import { attempt, type CallPolicy, type CallSpec } from "./attempts.ts";
import type { Backend, BackendEvent, Guarantees } from "./backend.ts";
import { Emitter } from "./emitter.ts";
import { PqError } from "./errors.ts";

/** `open` may take so long, in ms. */
export const OPEN_DEADLINE = 60_000;
/** And `close`. */
const CLOSE_DEADLINE = 15_000;

const guards = new WeakMap<Backend, BackendGuard>();

/** The guard of a backend. */
export class BackendGuard {
  readonly backend: Backend;
  readonly events: Emitter<{ backend: BackendEvent }> = new Emitter<{ backend: BackendEvent }>();
  readonly #users = new Set<object>();
  readonly #warned = new Set<string>();
  #guarantees: Guarantees | undefined;
  #opening: Promise<Guarantees> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(backend: Backend) {
    this.backend = backend;
  }

  /** The one guard of this backend. */
  static of(backend: Backend): BackendGuard {
    let guard = guards.get(backend);
    if (guard === undefined) guards.set(backend, (guard = new BackendGuard(backend)));
    return guard;
  }

  /** What the store promises, while it is open. */
  get guarantees(): Guarantees | undefined {
    return this.#guarantees;
  }

  /** Open for this user, if it is not open. Rejects by the policy's deadline; opening goes on for the next caller. */
  async open(user: object, policy: CallPolicy): Promise<Guarantees> {
    this.#users.add(user);
    if (this.#guarantees !== undefined) return this.#guarantees;
    const invoke = (): Promise<Guarantees> => {
      // It may have left while it was trying.
      if (!this.#users.has(user)) throw closedError("the queue");
      return this.#open(policy);
    };
    const patient = { ...policy, attemptTimeout: policy.deadline };
    return attempt(this.backend, { name: "open", mutates: false, invoke }, patient);
  }

  /** Make a call; the backend is open. */
  call<T>(call: CallSpec<T>, policy: CallPolicy): Promise<T> {
    return attempt(this.backend, call, policy);
  }

  /** Warn about the settings, once for each. */
  warn(): void {
    for (const text of this.#guarantees?.warnings ?? []) {
      if (this.#warned.has(text)) continue;
      this.#warned.add(text);
      process.emitWarning(`${this.backend.name}: ${text}`, { type: "PqWarning", code: "PQ_WEAK_SETTINGS" });
    }
  }

  /** This user needs it no longer. The last one closes the backend; rejects when that fails. */
  async leave(user: object, policy: CallPolicy): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    // At once, so that a queue that comes now opens it again instead of using what is being closed.
    this.#guarantees = undefined;
    this.#closing ??= this.#close(policy).finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  #open(policy: CallPolicy): Promise<Guarantees> {
    this.#opening ??= this.#openOnce(policy).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openOnce({ clock }: CallPolicy): Promise<Guarantees> {
    await this.#closing?.catch(() => undefined);
    // Those who came while it closed may have left with that closing.
    if (this.#users.size === 0) throw closedError("the queue");
    const report = (event: BackendEvent): void => void this.events.emit("backend", event);
    const invoke = (): Promise<Guarantees> => this.backend.open({ report });
    const spec = { name: "open", mutates: false, once: true, invoke };
    const found = await attempt(this.backend, spec, { clock, deadline: OPEN_DEADLINE, attemptTimeout: OPEN_DEADLINE });
    // All users may have left meanwhile; what was opened is closed by `leave`, which waits for this.
    this.#guarantees = found;
    return found;
  }

  async #close({ clock }: CallPolicy): Promise<void> {
    const invoke = async (): Promise<void> => {
      await this.#opening?.catch(() => undefined);
      // Somebody new may have come to share that opening.
      if (this.#users.size > 0) return;
      this.#guarantees = undefined;
      await this.backend.close();
    };
    const spec = { name: "close", mutates: false, once: true, invoke };
    await attempt(this.backend, spec, { clock, deadline: CLOSE_DEADLINE, attemptTimeout: CLOSE_DEADLINE });
  }
}

/** Throws `CLOSED` for whatever is named. */
export function closedError(what: string): PqError {
  return new PqError("CLOSED", `${what} is closed`);
}
