/** The seam on ZooKeeper: opens and closes, and passes each call to its queue. */
import type {
  Backend, Capabilities, Clock, ControlParams, ControlResult, DeliveredJob, Guarantees, OpenParams, PutOutcome, PutParams,
  QueueStats, ReadParams, ReadResult, SettleOutcome, SettleParams, TakeParams, TouchParams, WaitParams,
} from "@pq/core/backend"; // prettier-ignore
import { PqError, systemClock } from "@pq/core/backend";
import { zkCapabilities } from "./capabilities.ts";
import { callError } from "./errors.ts";
import { checkFormat } from "./format.ts";
import { guaranteesOf } from "./guarantees.ts";
import { Members } from "./members.ts";
import type { ResolvedOptions } from "./options.ts";
import { decodeName, Paths } from "./paths.ts";
import { ZkQueue } from "./queue.ts";
import { ServerTime } from "./server-time.ts";
import { Session } from "./session.ts";

/** What there is between `open` and `close`. */
interface Opened {
  readonly guarantees: Guarantees;
  readonly queues: Map<string, ZkQueue>;
}

/** A store on ZooKeeper. */
export class ZkBackend implements Backend {
  readonly name = "zk";
  readonly capabilities: Capabilities = zkCapabilities;
  readonly #options: ResolvedOptions;
  readonly #clock: Clock = systemClock;
  readonly #paths: Paths;
  readonly #time: ServerTime;
  readonly #members: Members;
  readonly #session: Session;
  #report: OpenParams["report"] = () => undefined;
  #opening: Promise<Opened> | null = null;
  #opened: Opened | null = null;
  #closing: Promise<void> | null = null;
  /** Calls under way. */
  #calls = 0;
  #idle: () => void = () => undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#paths = new Paths(options.root);
    this.#time = new ServerTime(this.#clock);
    this.#members = new Members(this.#paths);
    this.#session = new Session(options, this.#paths, this.#clock, {
      down: (message) => this.#down(message),
      up: (message, lost) => this.#up(message, lost),
      fired: (path) => this.#fired(path),
    });
  }

  async open({ report }: OpenParams): Promise<Guarantees> {
    // Nothing is awaited otherwise: a `close` that comes at once is to find that it is opening.
    if (this.#closing !== null) await this.#closing;
    this.#report = report;
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return (await this.#opening).guarantees;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = null;
    });
    return this.#closing;
  }

  put(params: PutParams): Promise<readonly PutOutcome[]> {
    return this.#call(params.queue, (queue) => queue.put(params));
  }

  take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    return this.#call(params.queue, (queue) => queue.take(params));
  }

  settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#call(params.queue, (queue) => queue.settle(params));
  }

  touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#call(params.queue, (queue) => queue.touch(params));
  }

  control(params: ControlParams): Promise<ControlResult> {
    return this.#call(params.queue, (queue) => queue.control(params));
  }

  async wait(params: WaitParams): Promise<void> {
    return this.#queue(params.queue).wait(params);
  }

  read(params: ReadParams): Promise<ReadResult> {
    return this.#call(params.queue, (queue) => queue.read(params));
  }

  stats(queue: string): Promise<QueueStats> {
    return this.#call(queue, (known) => known.stats());
  }

  async queues(): Promise<readonly string[]> {
    this.#get();
    try {
      const zk = this.#session.use();
      const groups = (await zk.children(this.#paths.names)) ?? [];
      const names = await Promise.all(groups.map((group) => zk.children(this.#paths.nameGroup(group))));
      return names
        .flatMap((some) => some ?? [])
        .map(decodeName)
        .filter((name) => name !== null);
    } catch (error) {
      throw callError(error, this.#options.address, false);
    }
  }

  async #open(): Promise<Opened> {
    await this.#session.open();
    try {
      const zk = this.#session.use();
      await checkFormat(zk, this.#paths);
      await this.#members.read(zk);
      this.#opened = { guarantees: await guaranteesOf(zk), queues: new Map() };
      return this.#opened;
    } catch (error) {
      await this.#session.close();
      throw callError(error, this.#options.address, false);
    }
  }

  async #close(): Promise<void> {
    if (this.#opened === null) await this.#session.close();
    await this.#opening?.catch(() => undefined);
    const opened = this.#opened;
    if (opened === null) return;
    this.#opened = null;
    this.#opening = null;
    for (const queue of opened.queues.values()) queue.stopWaiting();
    await this.#settled();
    await Promise.all([...opened.queues.values()].map((queue) => queue.close()));
    await this.#session.close();
  }

  /** Resolves when no call is under way; each ends by its own deadlines. */
  async #settled(): Promise<void> {
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  async #call<T>(name: string, act: (queue: ZkQueue) => Promise<T>): Promise<T> {
    const queue = this.#queue(name);
    this.#calls++;
    try {
      return await act(queue);
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#idle();
    }
  }

  #get(): Opened {
    if (this.#opened === null) throw new PqError("CLOSED", "the zk backend is closed");
    return this.#opened;
  }

  #queue(name: string): ZkQueue {
    const { queues } = this.#get();
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new ZkQueue(name, {
        paths: this.#paths,
        clock: this.#clock,
        time: this.#time,
        members: this.#members,
        address: this.#options.address,
        restricted: this.#options.credentials !== null,
        use: () => this.#session.use(),
        member: () => this.#session.member,
        isOver: () => this.#session.isOver,
        report: (event) => this.#report(event),
      });
      queues.set(name, queue);
    }
    return queue;
  }

  #down(message: string): void {
    this.#members.forget();
    if (this.#opened === null) return;
    for (const queue of this.#opened.queues.values()) queue.down();
    this.#report({ type: "disconnected", message });
  }

  #up(message: string, lost: string | null): void {
    if (this.#opened === null) return;
    if (lost !== null) for (const queue of this.#opened.queues.values()) queue.lost(lost);
    this.#report({ type: "reconnected", message });
    this.#readMembers();
  }

  #fired(path: string): void {
    if (this.#members.isWatch(path)) this.#readMembers();
    else for (const queue of this.#opened?.queues.values() ?? []) queue.fired(path);
  }

  /** A session came or went. */
  #readMembers(): void {
    this.#reap().catch(() => undefined);
  }

  async #reap(): Promise<void> {
    await this.#members.read(this.#session.use());
    await Promise.all([...(this.#opened?.queues.values() ?? [])].map((queue) => queue.reap().catch(() => undefined)));
  }
}
