/** The store: each method of the seam is one script, or a few commands. */
import { randomBytes } from "node:crypto";
import {
  type Backend,
  type Capabilities,
  type ControlParams,
  type ControlResult,
  type DeliveredJob,
  type Guarantees,
  isPqError,
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
import { readControl, readPut, readSettle, readStats, readTake, readTouch } from "./answers.ts";
import { idsToBytes } from "./bytes.ts";
import { redisCapabilities } from "./capabilities.ts";
import { type Connection, connection } from "./connection.ts";
import { readGuarantees } from "./guarantees.ts";
import { formatKey, type QueueKeys, queueKeys, registryKey } from "./keys.ts";
import type { Argument } from "./lane.ts";
import type { ResolvedOptions } from "./options.ts";
import { readCursor, readPage } from "./page.ts";
import { controlArguments, putArguments, requestBytes, settleArguments, touchArguments } from "./requests.ts";
import { control } from "./scripts/control.ts";
import { put } from "./scripts/put.ts";
import { readJobs } from "./scripts/read.ts";
import type { Script } from "./scripts/script.ts";
import { settle } from "./scripts/settle.ts";
import { stats } from "./scripts/stats.ts";
import { take } from "./scripts/take.ts";
import { touch } from "./scripts/touch.ts";
import { QueueWaiter } from "./waiting.ts";

/** The stored format that this version writes and reads. */
const FORMAT = 1;

/** A queue as this backend knows it. */
interface Known {
  readonly keys: QueueKeys;
  readonly waiters: QueueWaiter[];
  /** Its name is in the registry. */
  registered: boolean;
}

/** A store on Redis or Valkey. */
export class RedisBackend implements Backend {
  readonly name = "redis";
  readonly capabilities: Capabilities = redisCapabilities;
  readonly #options: ResolvedOptions;
  readonly #connection: Connection;
  readonly #id = randomBytes(8).toString("hex");
  readonly #queues = new Map<string, Known>();
  #opening: Promise<Guarantees> | undefined;
  #closed = false;
  #report: OpenParams["report"] = () => undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#connection = connection(options);
    this.#connection.onState((up, message) => {
      // The server may have come back without its data.
      for (const known of this.#queues.values()) known.registered = false;
      this.#report({ type: up ? "reconnected" : "disconnected", message });
    });
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
    for (const { waiters } of this.#queues.values()) for (const waiter of waiters) waiter.close();
    this.#queues.clear();
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.catch(() => undefined);
    await this.#connection.close();
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    const known = this.#known(params.queue);
    const args = putArguments(params);
    if (!known.registered) await this.#register(params.queue, known);
    return readPut((await this.#run(put, known, args)) as Buffer, params.jobs.length);
  }

  async take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    const { queue, request, limit, lease } = params;
    const args = [requestBytes(request), String(limit), String(lease)];
    const answer = (await this.#run(take, this.#known(queue), args)) as Buffer[] | null;
    const { jobs, damaged } = readTake(answer, params);
    for (const id of damaged) {
      const message = `job ${id} could not be read and was put aside, into the hash "damaged" of its queue`;
      this.#report({ type: "damage", queue, message });
    }
    return jobs;
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return readSettle((await this.#run(settle, this.#known(params.queue), settleArguments(params))) as Buffer);
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    return readTouch((await this.#run(touch, this.#known(params.queue), touchArguments(params))) as Buffer);
  }

  async wait(params: WaitParams): Promise<void> {
    if (params.signal.aborted) return;
    const known = this.#known(params.queue);
    let waiter = known.waiters.find(({ free }) => free);
    if (waiter === undefined) known.waiters.push((waiter = this.#newWaiter(known)));
    await waiter.wait(params);
  }

  async read(params: ReadParams): Promise<ReadResult> {
    const args: Argument[] =
      "ids" in params
        ? ["ids", idsToBytes(params.ids)]
        : [params.state, String(params.limit), ...readCursor(params.cursor)];
    return readPage((await this.#run(readJobs, this.#known(params.queue), args)) as Parameters<typeof readPage>[0]);
  }

  async control(params: ControlParams): Promise<ControlResult> {
    const known = this.#known(params.queue);
    const args = controlArguments(params);
    for (let steps = 0; ; steps++) {
      const answer = this.#run(control, known, args);
      const result = readControl((await (steps === 0 ? answer : afterSome(answer))) as Buffer, params);
      if (result !== undefined) return result;
    }
  }

  async stats(queue: string): Promise<QueueStats> {
    return readStats((await this.#run(stats, this.#known(queue), [])) as Parameters<typeof readStats>[0]);
  }

  async queues(): Promise<readonly string[]> {
    this.#check();
    const registry = registryKey(this.#options.prefix);
    const names = ((await this.#connection.command(registry, "smembers", registry)) as Buffer[]).map(String);
    const hadJobs = await Promise.all(
      names.map((name) => {
        const { meta } = this.#keys(name);
        return this.#connection.command(meta, "hexists", meta, "put");
      }),
    );
    return names.filter((_, index) => hadJobs[index] === 1);
  }

  async #open(): Promise<Guarantees> {
    await this.#connection.open();
    const guarantees = await readGuarantees(this.#connection, this.#options);
    const key = formatKey(this.#options.prefix);
    await this.#connection.command(key, "setnx", key, String(FORMAT));
    const format = Number(String(await this.#connection.command(key, "get", key)));
    if (!Number.isInteger(format)) throw new PqError("CORRUPT", `the key ${key} holds no version of a stored format`);
    if (format > FORMAT) throw newerFormat(format);
    return guarantees;
  }

  async #run(script: Script, { keys }: Known, args: readonly Argument[]): Promise<unknown> {
    return this.#connection.run(script, keys.all, args);
  }

  /** Before the first put, so that no queue is forgotten: a name without a job does no harm. */
  async #register(queue: string, known: Known): Promise<void> {
    const registry = registryKey(this.#options.prefix);
    try {
      await this.#connection.command(registry, "sadd", registry, queue);
    } catch (error) {
      const why = error instanceof Error ? error.message : "";
      throw new PqError("UNAVAILABLE", why, { cause: error });
    }
    known.registered = true;
  }

  #known(queue: string): Known {
    this.#check();
    let known = this.#queues.get(queue);
    if (known === undefined) {
      known = { keys: this.#keys(queue), waiters: [], registered: false };
      this.#queues.set(queue, known);
    }
    return known;
  }

  #keys(queue: string): QueueKeys {
    const { prefix, target } = this.#options;
    return queueKeys(prefix, queue, target.kind === "cluster" || target.kind === "borrowed-cluster");
  }

  #newWaiter({ keys, waiters }: Known): QueueWaiter {
    return new QueueWaiter({
      keys,
      name: `${this.#id}-${waiters.length}`,
      run: (script, all, args) => this.#connection.run(script, all, args),
      blocking: () => this.#connection.blocking(),
    });
  }

  #check(): void {
    if (this.#closed) throw new PqError("CLOSED", "the redis backend is closed");
  }
}

/** A later step of a call: whatever becomes of it, the steps before it were applied. */
async function afterSome(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (!isPqError(error, "UNAVAILABLE")) throw error;
    throw new PqError("OUTCOME_UNKNOWN", error.message, { cause: error });
  }
}

function newerFormat(format: number): PqError {
  return new PqError(
    "INCOMPATIBLE_VERSION",
    `the stored format is ${format}, and this version of @pq/redis knows ${FORMAT}: upgrade the package`,
  );
}
