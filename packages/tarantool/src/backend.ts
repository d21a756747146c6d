/** The store: each method of the seam is one call of the scripts on the server. */
import { randomBytes } from "node:crypto";
import {
  type Backend,
  type Capabilities,
  type ControlParams,
  type ControlResult,
  type DeliveredJob,
  type Guarantees,
  isPqError,
  type JobId,
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
import { readControl, readIds, readPut, readSettle, readStats, readTouch } from "./answers.ts";
import { idsToBytes, requestBytes } from "./bytes.ts";
import { tarantoolCapabilities } from "./capabilities.ts";
import { readGuarantees } from "./guarantees.ts";
import type { Received, Sendable } from "./iproto/value.ts";
import { type CallParams, Link } from "./link.ts";
import type { ResolvedOptions } from "./options.ts";
import { controlCall, putCall, settleCall, touchCall } from "./requests.ts";
import { Blobs, cursorAfter, deliveredJob, readCursor, type Row, storedJob } from "./rows.ts";
import { Waiting } from "./waiting.ts";

/** The number of each state, as `lua/spaces.lua` has it. */
const STATE_NUMBERS = { ready: 1, delayed: 2, leased: 3, buried: 4, done: 5 } as const;

/** A store on Tarantool. */
export class TarantoolBackend implements Backend {
  readonly name = "tarantool";
  readonly capabilities: Capabilities = tarantoolCapabilities;
  readonly #options: ResolvedOptions;
  /** What the server knows this process by. */
  readonly #member = randomBytes(16);
  readonly #link: Link;
  readonly #waiting: Waiting;
  #opening: Promise<Guarantees> | undefined;
  #closed = false;
  #report: OpenParams["report"] = () => undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#link = new Link(options, this.#member, (up, message) =>
      this.#report({ type: up ? "reconnected" : "disconnected", message }),
    );
    this.#waiting = new Waiting(this.#link);
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
    this.#waiting.close();
    const opening = this.#opening;
    this.#opening = undefined;
    this.#link.waitNoLonger();
    await opening?.catch(() => undefined);
    await this.#link.close();
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    const [answer] = await this.#call(putCall(params));
    if (answer === false) throw new PqError("UNAVAILABLE", "the put before this one has not come");
    return readPut(answer as Buffer, params.jobs.length);
  }

  async take({ queue, request, limit, lease }: TakeParams): Promise<readonly DeliveredJob[]> {
    const args = [queue, requestBytes(request), limit, lease, this.#member];
    const [rows, found, damaged, first] = await this.#call({ method: "take", args, changes: true });
    const blobs = new Blobs(found as readonly Received[]);
    for (const id of readIds(damaged as readonly Received[])) {
      const message = `job ${id} could not be read and was put aside, into the space ${this.#options.prefix}_damaged`;
      this.#report({ type: "damage", queue, message });
    }
    const leased = { lease, firstFence: (first ?? null) as number | null };
    return (rows as readonly Row[]).map((row, index) => deliveredJob(row, index, blobs, leased));
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    const [answer] = await this.#call(settleCall(params));
    return readSettle(answer as Buffer);
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    const [answer] = await this.#call(touchCall(params));
    return readTouch(answer as Buffer);
  }

  async wait(params: WaitParams): Promise<void> {
    if (params.signal.aborted) return;
    this.#check();
    await this.#waiting.wait(params);
  }

  async read(params: ReadParams): Promise<ReadResult> {
    if ("ids" in params) return { jobs: await this.#readIds(params.queue, params.ids), cursor: null };
    const { queue, state, limit, cursor } = params;
    const args = [queue, STATE_NUMBERS[state], limit, ...readCursor(cursor)];
    const [rows, found, more] = await this.#call({ method: "list", args, changes: false });
    const jobs = rows as readonly Row[];
    const blobs = new Blobs(found as readonly Received[]);
    return {
      jobs: jobs.map((row, index) => storedJob(row, index, blobs)),
      cursor: more === true && jobs.length > 0 ? cursorAfter(jobs.at(-1)!) : null,
    };
  }

  async control(params: ControlParams): Promise<ControlResult> {
    const call = controlCall(params);
    for (let steps = 0; ; steps++) {
      const answer = this.#call(call);
      const result = readControl(await (steps === 0 ? answer : afterSome(answer)), params);
      if (result !== undefined) return result;
    }
  }

  async stats(queue: string): Promise<QueueStats> {
    const [row] = await this.#call({ method: "stats", args: [queue], changes: false });
    return readStats(row as Row | null);
  }

  async queues(): Promise<readonly string[]> {
    const [names] = await this.#call({ method: "queues", args: [], changes: false });
    return (names as readonly Buffer[]).map(String);
  }

  async #open(): Promise<Guarantees> {
    await this.#link.open();
    const [settings] = await this.#link.call({ method: "server", args: [], changes: false });
    return readGuarantees(settings, this.#options.durability);
  }

  /** As many calls as it takes: large jobs come in several answers. */
  async #readIds(queue: string, ids: readonly JobId[]): Promise<ReadResult["jobs"]> {
    const jobs: ReadResult["jobs"][number][] = [];
    for (let from = 0; from < ids.length;) {
      const args: Sendable[] = [queue, idsToBytes(ids.slice(from))];
      const [rows, found, looked] = await this.#call({ method: "read", args, changes: false });
      const blobs = new Blobs(found as readonly Received[]);
      jobs.push(...(rows as readonly Row[]).map((row, index) => storedJob(row, index, blobs)));
      from += looked as number;
    }
    return jobs;
  }

  async #call(params: CallParams): Promise<readonly Received[]> {
    this.#check();
    return this.#link.call(params);
  }

  #check(): void {
    if (this.#closed) throw new PqError("CLOSED", "the tarantool backend is closed");
  }
}

/** A later step of a call: whatever becomes of it, the steps before it were applied. */
async function afterSome<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isPqError(error, "UNAVAILABLE")) throw error;
    throw new PqError("OUTCOME_UNKNOWN", error.message, { cause: error });
  }
}
