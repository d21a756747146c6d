/**
 * Faults for a store that lives inside the process and has no server to put a proxy in front of: they are caused at
 * the seam, between core and the backend.
 *
 * Every connection goes over one line, which is in one of four states:
 * - `up`: calls pass. A loss that was armed hits the next call, cuts the connection of that call, and is used up.
 * - `half-open`: calls that change something reach the store, others do not, and no answer comes back. When it heals,
 *   everything in flight is cut.
 * - `paused`: calls and answers wait, and go on in their order when the line is up again.
 * - `down`: calls are refused at once, while the store restarts.
 *
 * To cut a connection is to reject what is in flight on it, though the store may apply it all the same, now or later.
 * A `wait` can be cut but neither lost nor applied, and its signal ends it in every state.
 */
import type {
  Backend,
  ControlParams,
  ControlResult,
  Guarantees,
  OpenParams,
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
} from "../backend.ts";
import type { Capabilities } from "../capabilities.ts";
import { PqError } from "../errors.ts";
import type { DeliveredJob } from "../job.ts";

type Loss = "reply" | "request";
type Line = "up" | "half-open" | "paused" | "down";

/** What a loss or a cut does to a call: a `local` one (`wait`, `open`) takes no loss and changes nothing. */
type Kind = "write" | "read" | "local";

/** The state that all connections share. */
export class FaultyLine {
  readonly connections: Set<FaultyBackend> = new Set();
  /** The losses still to come, the next one first. */
  readonly losses: Loss[] = [];
  /** What the store is busy with. */
  readonly working: Set<Promise<unknown>> = new Set();
  state: Line = "up";
  /** Resolves when the line is up again. */
  healed: Promise<void> = Promise.resolve();

  /** Let the store work. */
  async work<T>(act: () => Promise<T>): Promise<T> {
    const call = act();
    this.working.add(call);
    try {
      return await call;
    } finally {
      this.working.delete(call);
    }
  }

  is(state: Line): boolean {
    return this.state === state;
  }

  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  /** Go from `up` into another state; returns the way back, which may be called twice. */
  leave(state: Line): () => void {
    if (this.state !== "up") throw new Error(`the line is ${this.state}: heal it before the next fault`);
    let resolve = nothing;
    this.healed = new Promise((done) => (resolve = done));
    this.state = state;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.state = "up";
      if (state === "half-open") this.cut();
      resolve();
    };
  }

  async restart(drop: () => Promise<void> | void): Promise<void> {
    const heal = this.leave("down");
    this.cut();
    try {
      await drop();
      for (const connection of this.connections) await connection.reopen();
    } finally {
      heal();
    }
  }
}

/** One connection over the line. */
export class FaultyBackend implements Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #line: FaultyLine;
  readonly #make: () => Backend;
  /** One entry for each call in flight: rejects it. */
  readonly #inFlight = new Set<() => void>();
  #inner: Backend;
  /** What it was opened with, while it is open. */
  #opened: OpenParams | undefined;

  constructor(line: FaultyLine, make: () => Backend) {
    this.#line = line;
    this.#make = make;
    this.#inner = make();
    this.name = this.#inner.name;
    this.capabilities = this.#inner.capabilities;
  }

  open(params: OpenParams): Promise<Guarantees> {
    this.#opened = params;
    this.#line.connections.add(this);
    return this.#call("local", () => this.#line.work(() => this.#inner.open(params)));
  }

  async close(): Promise<void> {
    this.#opened = undefined;
    this.#line.connections.delete(this);
    if (this.#line.state !== "up") this.cut();
    await this.#line.work(() => this.#inner.close());
  }

  put(params: PutParams): Promise<readonly PutOutcome[]> {
    return this.#call("write", () => this.#inner.put(params));
  }

  take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    return this.#call("write", () => this.#inner.take(params));
  }

  settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#call("write", () => this.#inner.settle(params));
  }

  touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#call("write", () => this.#inner.touch(params));
  }

  async wait(params: WaitParams): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([params.signal, over.signal]);
    const aborted = new Promise<void>((resolve) => {
      // While the line is up the backend itself must end it: nobody would notice otherwise that it does not.
      const end = (): void => (this.#line.is("up") ? undefined : resolve());
      if (params.signal.aborted) end();
      params.signal.addEventListener("abort", end, { signal: over.signal });
    });
    try {
      await Promise.race([aborted, this.#call("local", () => this.#inner.wait({ ...params, signal }))]);
    } finally {
      over.abort();
    }
  }

  read(params: ReadParams): Promise<ReadResult> {
    return this.#call("read", () => this.#inner.read(params));
  }

  control(params: ControlParams): Promise<ControlResult> {
    return this.#call("write", () => this.#inner.control(params));
  }

  stats(queue: string): Promise<QueueStats> {
    return this.#call("read", () => this.#inner.stats(queue));
  }

  queues(): Promise<readonly string[]> {
    return this.#call("read", () => this.#inner.queues());
  }

  /** Reject everything in flight. */
  cut(): void {
    for (const reject of this.#inFlight) reject();
    this.#inFlight.clear();
  }

  /** Open again after a restart. */
  async reopen(): Promise<void> {
    if (this.#opened === undefined) return;
    this.#inner = this.#make();
    await this.#inner.open(this.#opened);
  }

  /** A call that `cut` can reject. One that was not opened, or is closed, is no matter of the line. */
  #call<T>(kind: Kind, act: () => Promise<T>): Promise<T> {
    if (this.#opened === undefined) return act();
    return new Promise<T>((resolve, reject) => {
      const cut = (): void => reject(lost(kind));
      const settled = (): void => void this.#inFlight.delete(cut);
      this.#inFlight.add(cut);
      this.#pass(kind, act, settled).then(resolve, reject).finally(settled).catch(reject);
    });
  }

  /** Over the line and back. What never comes back is rejected by `cut`. */
  async #pass<T>(kind: Kind, act: () => Promise<T>, settled: () => void): Promise<T> {
    const line = this.#line;
    while (line.is("paused")) await line.healed;
    if (line.is("down")) throw unavailable();
    if (line.is("half-open")) {
      if (kind === "write") line.work(act).catch(nothing);
      return never();
    }
    const loss = kind === "local" ? undefined : line.losses.shift();
    if (loss === "request") {
      settled(); // its outcome is known, unlike that of the calls it takes along
      this.cut();
      throw unavailable();
    }
    const answer = await (kind === "local" ? act() : line.work(act));
    if (loss === "reply") this.cut();
    while (line.is("paused")) await line.healed;
    if (line.is("half-open")) return never();
    return answer;
  }
}

function nothing(): void {}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

function unavailable(): PqError {
  return new PqError("UNAVAILABLE", "the connection was cut before the call reached the store");
}

/** What becomes of a call whose answer does not come: reads change nothing, so their outcome is known. */
function lost(kind: Kind): PqError {
  if (kind !== "write") return new PqError("UNAVAILABLE", "the connection was cut");
  return new PqError("OUTCOME_UNKNOWN", "the connection was cut before the answer came");
}
