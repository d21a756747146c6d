/**
 * The backend: calls go over one connection, waits over another. Everything that decides anything is in the server; here is only
 * what may become of a call on its way.
 */
import {
  type Backend,
  type BackendEvent,
  type Capabilities,
  type ControlParams,
  type ControlResult,
} from "@pq/core/backend";
import { type DeliveredJob, defineCapabilities, type Guarantees, isPqError, type OpenParams } from "@pq/core/backend";
import {
  PqError,
  type PutOutcome,
  type PutParams,
  type QueueStats,
  type ReadParams,
  type ReadResult,
} from "@pq/core/backend";
import { type SettleOutcome, type SettleParams, sleep, systemClock, type TakeParams } from "@pq/core/backend";
import type { TouchParams, WaitParams } from "@pq/core/backend";
import { Line, LinkError } from "./link.ts";
import type { Calls, Changes, Looks } from "./protocol.ts";

/** What the store can do. Importable without a server. */
export const tcpCapabilities: Capabilities = defineCapabilities({ lateness: 50 });

export interface TcpOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
  /** A call fails when it is not answered within so many milliseconds. Default 10,000. */
  readonly deadline?: number;
}

export class TcpBackend implements Backend {
  readonly name = "tcpstore";
  readonly capabilities: Capabilities = tcpCapabilities;
  readonly #deadline: number;
  readonly #calls: Line;
  readonly #waits: Line;
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Each ends one `wait`. */
  readonly #waiting = new Set<() => void>();
  #report: (event: BackendEvent) => void = () => undefined;
  #opened: Promise<Guarantees> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ host = "127.0.0.1", port, deadline = 10_000 }: TcpOptions) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new RangeError("port must be an integer from 1 to 65535");
    }
    if (!(deadline > 0)) throw new RangeError("deadline must be a number of milliseconds above 0");
    this.#deadline = deadline;
    this.#calls = new Line({ host, port, deadline }, (event) => this.#tell(event));
    this.#waits = new Line({ host, port, deadline }, () => undefined); // it is lost and found together with the other
  }

  /** A server that no longer answers calls brings no news either. */
  #tell(event: BackendEvent): void {
    if (event.type === "disconnected") this.#waits.drop();
    this.#report(event);
  }

  open({ report }: OpenParams): Promise<Guarantees> {
    this.#report = report;
    return (this.#opened ??= this.#open());
  }

  async #open(): Promise<Guarantees> {
    try {
      await this.#closing;
      this.#closing = undefined;
      return await this.#calls.request("hello", null, this.#deadline);
    } catch (error) {
      this.#opened = undefined;
      throw toPqError(error, false);
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** Bounded, since each call is. */
  async #close(): Promise<void> {
    for (const end of this.#waiting) end();
    const opening = this.#opened;
    this.#opened = undefined;
    await Promise.allSettled([...this.#inFlight, opening]);
    this.#calls.drop();
    this.#waits.drop();
  }

  put(params: PutParams): Promise<readonly PutOutcome[]> {
    return this.#call("put", params, true);
  }

  take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    return this.#call("take", params, true);
  }

  settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#call("settle", params, true);
  }

  touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#call("touch", params, true);
  }

  control(params: ControlParams): Promise<ControlResult> {
    return this.#call("control", params, true);
  }

  read(params: ReadParams): Promise<ReadResult> {
    return this.#call("read", params, false);
  }

  stats(queue: string): Promise<QueueStats> {
    return this.#call("stats", { queue }, false);
  }

  queues(): Promise<readonly string[]> {
    return this.#call("queues", null, false);
  }

  /** Whatever the server does, it ends by the timeout, the signal, or `close`. */
  async wait({ queue, timeout, signal }: WaitParams): Promise<void> {
    this.#refuseClosed();
    const over = new AbortController();
    const end = (): void => over.abort();
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
    this.#waiting.add(end);
    try {
      await Promise.race([this.#news(queue, timeout, over.signal), sleep(systemClock, timeout, over.signal)]);
    } catch (error) {
      throw toPqError(error, false);
    } finally {
      end();
      this.#waiting.delete(end);
      signal.removeEventListener("abort", end);
    }
  }

  /** Resolves when the server has news of the queue. When nobody cares any longer, the server is told. */
  async #news(queue: string, timeout: number, signal: AbortSignal): Promise<void> {
    const link = await this.#waits.link();
    if (signal.aborted) return;
    const cancelled = { queue, wait: link.next };
    const cancel = (): void => void link.request("cancel", cancelled, this.#deadline).catch(() => undefined);
    signal.addEventListener("abort", cancel);
    try {
      await link.request("wait", { queue, timeout }, timeout + this.#deadline);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new PqError("CLOSED", "the tcpstore backend is closed");
  }

  async #call<O extends keyof (Changes & Looks)>(
    op: O,
    params: Calls[O]["params"],
    changes: boolean,
  ): Promise<Calls[O]["answer"]> {
    this.#refuseClosed();
    const call = this.#calls.request(op, params, this.#deadline);
    this.#inFlight.add(call);
    try {
      return await call;
    } catch (error) {
      throw toPqError(error, changes);
    } finally {
      this.#inFlight.delete(call);
    }
  }
}

/** The error of a call that `changes` something or not. */
function toPqError(error: unknown, changes: boolean): PqError {
  if (isPqError(error)) return error;
  const unknown = changes && !(error instanceof LinkError && !error.sent);
  const message = error instanceof Error ? error.message : "the call failed";
  return new PqError(unknown ? "OUTCOME_UNKNOWN" : "UNAVAILABLE", message, { cause: error });
}
