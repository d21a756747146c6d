/** What the tests of this store share. */
import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BackendEvent,
  type Clock,
  type DeliveredJob,
  type JobId,
  type NewJob,
  newRequestId,
  type PutOutcome,
  type RequestId,
  type Settlement,
  type SettleOutcome,
} from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { FileBackend } from "../src/backend.ts";
import { type FileOptions, resolveOptions } from "../src/options.ts";

/** A folder that is removed at the end of the block. */
export async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await fs.mkdtemp(join(tmpdir(), "pq-file-"));
  return { path, [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true, force: true }) };
}

/** A job id that is the same for the same number. */
export function testId(n: number): JobId {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}` as JobId;
}

/** The number of a test id. */
export function numberOf(id: JobId): number {
  return Number.parseInt(id.slice(24), 16);
}

/** A request id that is the same for the same number. */
export function testRequest(n: number): RequestId {
  return n.toString(16).padStart(32, "0") as RequestId;
}

/** Numbers that are the same for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

/** A plain job. */
export function job(n: number, payload: string | Uint8Array = `payload ${n}`, more: Partial<NewJob> = {}): NewJob {
  return newJob({ id: testId(n), payload, ...more });
}

/** Jobs with these numbers. */
export function jobs(from: number, to: number): NewJob[] {
  return Array.from({ length: to - from }, (_, i) => job(from + i));
}

/** One queue of an open store, with less to write. */
export class TestQueue implements AsyncDisposable {
  readonly backend: FileBackend;
  readonly events: BackendEvent[] = [];
  readonly #name: string;

  constructor(backend: FileBackend, name = "q") {
    this.backend = backend;
    this.#name = name;
  }

  /** Open a folder. */
  static async open(options: FileOptions & { readonly clock?: Clock }, name?: string): Promise<TestQueue> {
    const queue = new TestQueue(new FileBackend(resolveOptions({ reserveBytes: 0, ...options })), name);
    await queue.open();
    return queue;
  }

  async open(): Promise<void> {
    await this.backend.open({ report: (event) => this.events.push(event) });
  }

  put(...all: NewJob[]): Promise<readonly PutOutcome[]> {
    return this.backend.put({
      request: newRequestId(),
      after: null,
      queue: this.#name,
      jobs: all,
      maxSize: null,
      partial: false,
      transaction: null,
    });
  }

  take(limit = 1, lease = 60_000): Promise<readonly DeliveredJob[]> {
    return this.backend.take({ request: newRequestId(), queue: this.#name, limit, lease });
  }

  settle(...items: Settlement[]): Promise<readonly SettleOutcome[]> {
    return this.backend.settle({ request: newRequestId(), queue: this.#name, items });
  }

  /** Ack all of them, and check that it was right. */
  async ack(...delivered: readonly DeliveredJob[]): Promise<void> {
    const outcomes = await this.settle(
      ...delivered.map(({ id, fence }) => ({ id, fence, type: "ack", result: null }) as const),
    );
    assert.ok(outcomes.every((outcome) => outcome === "gone"));
  }

  /** The numbers of the ready jobs, in their order, read with their payloads. */
  async ready(): Promise<number[]> {
    const numbers: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.backend.read({ queue: this.#name, state: "ready", limit: 1000, cursor });
      for (const { id, payload } of page.jobs) {
        assert.equal(Buffer.from(payload).toString(), `payload ${numberOf(id)}`);
        numbers.push(numberOf(id));
      }
      cursor = page.cursor;
    } while (cursor !== null);
    return numbers;
  }

  /** Take and ack everything; the numbers in the order of delivery. */
  async drain(batch = 100): Promise<number[]> {
    const numbers: number[] = [];
    for (let got = await this.take(batch); got.length > 0; got = await this.take(batch)) {
      numbers.push(...got.map(({ id }) => numberOf(id)));
      await this.ack(...got);
    }
    return numbers;
  }

  /** Numbers of ready, delayed and leased jobs. */
  async size(): Promise<number> {
    const { ready, delayed, leased } = await this.backend.stats(this.#name);
    return ready + delayed + leased;
  }

  close(): Promise<void> {
    return this.backend.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.backend.close();
  }
}

/** The numbers from `from` to below `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
