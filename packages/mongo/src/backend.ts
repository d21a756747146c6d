/** The store: each method of the seam is a few commands on pages. `schema.ts` says what is stored. */
import {
  type Backend,
  type Capabilities,
  type ControlParams,
  type ControlResult,
  type DeliveredJob,
  type Guarantees,
  type OpenParams,
  PqError,
  type PutOutcome,
  type PutParams,
  type QueueStats,
  type ReadParams,
  type ReadResult,
  type SettleOutcome,
  type SettleParams,
  type TakeParams,
  type TouchParams,
  type WaitParams,
} from "@pq/core/backend";
import type { Call } from "./call.ts";
import { mongoCapabilities } from "./capabilities.ts";
import { operatorChange, settleChange, touchChange } from "./changes.ts";
import { Connection } from "./connection.ts";
import { kick, truncate } from "./control.ts";
import { Folding } from "./folding.ts";
import { readGuarantees } from "./guarantees.ts";
import { setPaused } from "./head.ts";
import { prepare } from "./meta.ts";
import type { ResolvedOptions } from "./options.ts";
import { Pages } from "./pages.ts";
import type { QueueParts } from "./parts.ts";
import { put } from "./put.ts";
import { putInTransaction } from "./put-in-transaction.ts";
import { readIds, readState } from "./read.ts";
import { Rounds } from "./rounds.ts";
import { ServerTime } from "./server-time.ts";
import { UserTransaction } from "./session.ts";
import { queueNames, readStats } from "./stats.ts";
import { PageStream } from "./stream.ts";
import { sweep } from "./sweep.ts";
import { Waiting } from "./waiting.ts";

/** A queue as this backend knows it. */
interface Known extends QueueParts {
  readonly rounds: Rounds;
  readonly waiting: Waiting;
  readonly folding: Folding;
}

/** A store on MongoDB. */
export class MongoBackend implements Backend {
  readonly name = "mongo";
  readonly capabilities: Capabilities = mongoCapabilities;
  readonly #connection: Connection;
  readonly #time = new ServerTime();
  readonly #queues = new Map<string, Known>();
  readonly #silence: number;
  /** Where the server has them. */
  #stream: PageStream | undefined;
  #opening: Promise<Guarantees> | undefined;
  #closed = false;
  #hasTransactions = false;
  #sweeping = new AbortController();
  #report: OpenParams["report"] = () => undefined;

  constructor(options: ResolvedOptions) {
    this.#connection = new Connection(options);
    this.#silence = Math.ceil(options.commandTimeout / 2);
    this.#connection.onState((up, message) => this.#report({ type: up ? "reconnected" : "disconnected", message }));
  }

  open({ report }: OpenParams): Promise<Guarantees> {
    this.#report = report;
    this.#closed = false;
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sweeping.abort();
    for (const { waiting } of this.#queues.values()) waiting.close();
    this.#queues.clear();
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.catch(() => undefined);
    this.#stream?.close();
    this.#stream = undefined;
    await this.#connection.close();
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    const known = this.#known(params.queue);
    const call = this.#connection.call();
    if (params.transaction !== null) {
      return putInTransaction(call, known, params, this.#transaction(params.transaction));
    }
    const outcomes = await put(call, known, params);
    known.freed();
    return outcomes;
  }

  async take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    return this.#known(params.queue).rounds.take(params);
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#known(params.queue).rounds.change(settleChange(params));
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#known(params.queue).rounds.change(touchChange(params));
  }

  async wait(params: WaitParams): Promise<void> {
    return this.#known(params.queue).waiting.wait(params);
  }

  async read(params: ReadParams): Promise<ReadResult> {
    const known = this.#known(params.queue);
    const call = this.#connection.call("read");
    if ("ids" in params) return { jobs: await readIds(call, known, params.ids), cursor: null };
    return readState(call, known, params);
  }

  async control(params: ControlParams): Promise<ControlResult> {
    const known = this.#known(params.queue);
    switch (params.type) {
      case "kick":
        return kick(this.#connection.call(), known, params);
      case "truncate":
        return truncate(this.#connection.call(), known, params);
      case "dig":
      case "delete":
        return known.rounds.change(operatorChange(params));
      case "pause":
      case "resume":
        await setPaused(this.#connection.call(), params.queue, params.request, params.type === "pause");
        if (params.type === "resume") known.freed();
        return { count: 0, outcomes: [] };
    }
  }

  async stats(queue: string): Promise<QueueStats> {
    return readStats(this.#connection.call("read"), this.#known(queue));
  }

  async queues(): Promise<readonly string[]> {
    this.#check();
    return queueNames(this.#connection.call("read"));
  }

  async #open(): Promise<Guarantees> {
    await this.#connection.open();
    const { guarantees, server } = await readGuarantees(this.#connection);
    this.#time.saw(server.now);
    this.#hasTransactions = server.transactions;
    await prepare(this.#connection.call("read"));
    if (server.changeStreams) this.#stream = this.#newStream();
    this.#sweep();
    return guarantees;
  }

  #sweep(): void {
    this.#sweeping = new AbortController();
    const { signal } = this.#sweeping;
    // What it does not get to is for another day.
    sweep({ call: () => this.#connection.call("read"), signal }).catch(() => undefined);
  }

  #newStream(): PageStream {
    const report: OpenParams["report"] = (event) => this.#report(event);
    return new PageStream({ connection: this.#connection, report, silence: this.#silence });
  }

  #transaction(session: object): UserTransaction {
    if (this.#hasTransactions) return new UserTransaction(session);
    const remedy = "use a replica set or a sharded cluster, or put the job once your data are stored";
    throw new PqError("UNSUPPORTED", `${this.#connection.address} has no transactions: ${remedy}`);
  }

  #known(queue: string): Known {
    this.#check();
    let known = this.#queues.get(queue);
    if (known === undefined) this.#queues.set(queue, (known = this.#newQueue(queue)));
    known.folding.inUse();
    return known;
  }

  #newQueue(queue: string): Known {
    const parts: QueueParts = {
      queue,
      pages: new Pages(queue, (event) => this.#report(event)),
      time: this.#time,
      report: (event) => this.#report(event),
      freed: () => this.#queues.get(queue)?.waiting.signal(),
    };
    const newCall = (): Call => this.#connection.call();
    return {
      ...parts,
      rounds: new Rounds(parts, newCall),
      waiting: new Waiting(parts, this.#connection, this.#stream),
      folding: new Folding(parts, newCall),
    };
  }

  #check(): void {
    if (this.#closed) throw new PqError("CLOSED", "the mongo backend is closed");
  }
}
