/** A connection to the reference store: the seam's methods, each one step of the store. */
import type {
  Backend,
  ControlParams,
  ControlResult,
  Guarantees,
  PutOutcome,
  PutParams,
  QueueStats,
  ReadParams,
  ReadResult,
  SettleOutcome,
  SettleParams,
  TakeParams,
  TouchParams,
  WaitParams,
} from "../../backend.ts";
import { type Capabilities, defineCapabilities } from "../../capabilities.ts";
import { type Clock, sleep, systemClock } from "../../clock.ts";
import { PqError } from "../../errors.ts";
import type { DeliveredJob } from "../../job.ts";
import { REPEAT_WINDOW, ReferenceStore } from "./store.ts";
import { ReferenceTransaction } from "./transaction.ts";

/** What the in-memory store can do. */
export const memoryCapabilities: Capabilities = defineCapabilities({
  lateness: 1,
  repeatWindow: REPEAT_WINDOW,
  chainedPuts: true,
  transactions: true,
});

/**
 * A queue store in memory, for tests of code that uses @pq. It keeps every promise but durability.
 *
 * @example
 * const clock = new ManualClock();
 * const emails = new Queue<Email>("emails", { backend: memory({ clock }), clock });
 */
export function memory(options: { readonly clock?: Clock; readonly store?: ReferenceStore } = {}): Backend {
  return new ReferenceBackend(options.store ?? new ReferenceStore(options.clock ?? systemClock));
}

/** One connection. Several on one store behave as several processes on one server. */
export class ReferenceBackend implements Backend {
  readonly name = "memory";
  readonly capabilities: Capabilities = memoryCapabilities;
  readonly #store: ReferenceStore;
  #connection: AbortController | undefined;
  #closed = false;

  constructor(store: ReferenceStore) {
    this.#store = store;
  }

  async open(): Promise<Guarantees> {
    this.#closed = false;
    this.#connection ??= new AbortController();
    return { durability: "memory", store: "memory", warnings: [] };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connection?.abort();
    this.#connection = undefined;
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    this.#check();
    const { transaction } = params;
    if (transaction instanceof ReferenceTransaction) return transaction.put(params);
    if (transaction !== null) throw new PqError("INVALID_STATE", "this is no session of the memory store");
    return this.#store.stepOnce(params.queue, params, (queue, now) => queue.put(params, now));
  }

  async take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    this.#check();
    return this.#store.step(params.queue, (queue, now) => queue.take(params, now));
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    this.#check();
    return this.#store.stepOnce(params.queue, params, (queue, now) => queue.settle(params.items, now));
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    this.#check();
    return this.#store.stepOnce(params.queue, params, (queue, now) => queue.touch(params.items, now));
  }

  async wait({ queue: name, timeout, signal }: WaitParams): Promise<void> {
    this.#check();
    const over = new AbortController();
    const giveUp = this.#store.onReady(name, () => over.abort());
    const ends = [over.signal, signal, ...(this.#connection === undefined ? [] : [this.#connection.signal])];
    await sleep(this.#store.clock, timeout, AbortSignal.any(ends));
    giveUp();
  }

  async read(params: ReadParams): Promise<ReadResult> {
    this.#check();
    return this.#store.step(params.queue, (queue, now) => queue.read(params, now));
  }

  async control(params: ControlParams): Promise<ControlResult> {
    this.#check();
    return this.#store.stepOnce(params.queue, params, (queue, now) => queue.control(params, now));
  }

  async stats(name: string): Promise<QueueStats> {
    this.#check();
    return this.#store.step(name, (queue, now) => queue.stats(now));
  }

  async queues(): Promise<readonly string[]> {
    this.#check();
    return this.#store.names();
  }

  #check(): void {
    if (this.#closed) throw new PqError("CLOSED", "the memory backend is closed");
    if (this.#connection === undefined) throw new PqError("UNAVAILABLE", "the memory backend is not open");
  }
}
