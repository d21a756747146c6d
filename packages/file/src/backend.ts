/** The seam: opening and closing a folder; everything between is the store's. */
import {
  type Backend, type Capabilities, type ControlParams, type ControlResult, type DeliveredJob, type Guarantees, 
  type OpenParams, PqError, type PutOutcome, type PutParams, type QueueStats, type ReadParams, type ReadResult, type SettleOutcome,
  type SettleParams, type TakeParams, type TouchParams, type WaitParams,
} from "@pq/core/backend"; // prettier-ignore
import { fileCapabilities } from "./capabilities.ts";
import { openingError } from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";
import { openSession } from "./opening.ts";
import type { Session } from "./session.ts";

/** A store in a folder. */
export class FileBackend implements Backend {
  readonly name = "file";
  readonly capabilities: Capabilities = fileCapabilities;
  readonly #options: ResolvedOptions;
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  async open(params: OpenParams): Promise<Guarantees> {
    await this.#closing;
    this.#closed = false;
    this.#opening ??= openSession(this.#options, params.report);
    try {
      const session = await this.#opening;
      this.#session = session;
      return session.guarantees;
    } catch (error) {
      this.#opening = undefined;
      throw openingError(this.#options.path, error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end((session) => session.close());
  }

  /** Stop as a killed process would: what is being written is finished, everything else is dropped. For tests. */
  async crash(): Promise<void> {
    await this.#end((session) => session.crash());
    this.#closed = false;
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    return this.#use((session) => session.store.put(params));
  }

  async take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    return this.#use((session) => session.store.take(params));
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#use((session) => session.store.settle(params));
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#use((session) => session.store.touch(params));
  }

  async wait(params: WaitParams): Promise<void> {
    return this.#use((session) => session.store.wait(params));
  }

  async read(params: ReadParams): Promise<ReadResult> {
    return this.#use((session) => session.store.read(params));
  }

  async control(params: ControlParams): Promise<ControlResult> {
    return this.#use((session) => session.store.control(params));
  }

  async stats(queue: string): Promise<QueueStats> {
    return this.#use((session) => session.store.stats(queue));
  }

  async queues(): Promise<readonly string[]> {
    return this.#use(async (session) => session.store.queues());
  }

  #use<T>(act: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw new PqError("CLOSED", "the store is closed");
    if (this.#session === undefined) throw new PqError("UNAVAILABLE", "the store is not open");
    return this.#session.track(act(this.#session));
  }

  async #end(how: (session: Session) => Promise<void>): Promise<void> {
    if (this.#closing === undefined && this.#opening !== undefined) {
      const opening = this.#opening;
      this.#opening = undefined;
      this.#session = undefined;
      this.#closing = opening
        .then(how, () => undefined)
        .finally(() => {
          this.#closing = undefined;
        });
    }
    await this.#closing;
  }
}
