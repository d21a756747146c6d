/** What the tests of this store's own facts share: a server, connections that are closed at the end, and one queue at the seam. */
import {
  type Backend,
  type BackendEvent,
  type ControlResult,
  type DeliveredJob,
  isPqError,
  type JobState,
  type LeaseProof,
  type NewJob,
  newRequestId,
  type PutOutcome,
  type QueueStats,
  type SettleOutcome,
  type Settlement,
  type StoredJob,
} from "@pq/core/backend";
import { FaultProxy, newJob as plainJob } from "@pq/core/testing";
import { startTarantool, type TarantoolOptions as ServerOptions, type TarantoolServer } from "@pq/services";
import { tarantool, type TarantoolOptions } from "../src/index.ts";

/** A backend with the events that it reported. */
export type Reporting = Backend & { readonly events: readonly BackendEvent[] };

/** A server, and all that is connected to it. */
export class Site {
  readonly server: TarantoolServer;
  readonly #backends = new Set<Backend>();
  readonly #proxies = new Set<FaultProxy>();

  /** Start a server of its own. */
  static async start(settings: Omit<ServerOptions, "using"> = {}): Promise<Site> {
    return new Site(await startTarantool({ ...settings, using: "program" }));
  }

  private constructor(server: TarantoolServer) {
    this.server = server;
  }

  /** A backend that is not open yet. */
  unopened(options: TarantoolOptions = {}): Backend {
    const { host, port, user, password } = this.server;
    const login = { user, password };
    const where = options.url !== undefined || options.connect !== undefined ? {} : { host, port };
    const backend = tarantool({ commandTimeout: 2000, ...login, ...where, ...options });
    this.#backends.add(backend);
    return backend;
  }

  /** The same, and nobody says who he is but in the options. */
  anonymous(options: TarantoolOptions): Backend {
    const backend = tarantool({ commandTimeout: 2000, ...options });
    this.#backends.add(backend);
    return backend;
  }

  /** An open backend, and what it reports. */
  async backend(options: TarantoolOptions = {}): Promise<Reporting> {
    return opened(this.unopened(options));
  }

  /** A queue on a connection of its own. */
  async queue(name = "q", options: TarantoolOptions = {}): Promise<Seam> {
    return new Seam(await this.backend(options), name);
  }

  /** A proxy in front of the server. */
  async proxy(isRequest?: (bytes: Uint8Array) => boolean): Promise<FaultProxy> {
    const { host, port } = this.server;
    const proxy = await FaultProxy.listen({ host, port, ...(isRequest !== undefined && { isRequest }) });
    this.#proxies.add(proxy);
    return proxy;
  }

  /** Run Lua as the admin: what it returns, which it gives as one value, read as JSON. */
  async ask<T>(lua: string): Promise<T> {
    return JSON.parse(await this.server.admin(`return require('json').encode((function() ${lua} end)())`)) as T;
  }

  /** Everything that is stored: each row of each of our spaces, as text. */
  async contents(prefix = "pq"): Promise<string> {
    return this.server.admin(contentsOf(prefix));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#backends].map((backend) => backend.close()));
    for (const proxy of this.#proxies) await proxy.close();
    await this.server.close();
  }
}

function contentsOf(prefix: string): string {
  return `
    local digest, msgpack, lines = require('digest'), require('msgpack'), {}
    for _, space in box.space._space:pairs() do
      if space[3]:sub(1, ${prefix.length}) == '${prefix}' then
        for _, row in box.space[space[3]]:pairs() do
          table.insert(lines, space[3] .. ' ' .. digest.base64_encode(msgpack.encode(row:totable()), { nowrap = true }))
        end
      end
    end
    return table.concat(lines, '\\n')`;
}

/** Open a backend, and keep what it reports. */
export async function opened(backend: Backend): Promise<Reporting> {
  const events: BackendEvent[] = [];
  await backend.open({ report: (event) => void events.push(event) });
  return Object.assign(backend, { events });
}

/** A job as plain as can be, but for its payload and these fields. */
export function newJob(payload: string | Uint8Array = "", fields: Partial<Omit<NewJob, "payload">> = {}): NewJob {
  return plainJob({ ...fields, payload });
}

/** So many jobs, each with its number as payload. */
export function newJobs(count: number, fields: Partial<Omit<NewJob, "payload">> = {}): NewJob[] {
  return Array.from({ length: count }, (_, at) => newJob(String(at), fields));
}

/** The payloads as texts. */
export function texts(jobs: readonly { readonly payload: Uint8Array }[]): string[] {
  return jobs.map(({ payload }) => Buffer.from(payload).toString());
}

/** The code of the error that this call ends with, or `done`. */
export async function code(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (isPqError(error)) return error.code;
    throw error;
  }
}

/** The error that this call ends with, as its code and its message. */
export async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "it did not fail";
  } catch (error) {
    return isPqError(error) ? `${error.code}: ${error.message}` : String(error);
  }
}

/** One queue at the seam: each call has a request id of its own. */
export class Seam {
  readonly backend: Reporting;
  readonly name: string;

  constructor(backend: Reporting, name: string) {
    this.backend = backend;
    this.name = name;
  }

  put(...jobs: readonly NewJob[]): Promise<readonly PutOutcome[]> {
    const params = { request: newRequestId(), after: null, queue: this.name, jobs, transaction: null };
    return this.backend.put({ ...params, maxSize: null, partial: false });
  }

  /** Put them in batches of `size`. */
  async putAll(jobs: readonly NewJob[], size = 1000): Promise<void> {
    for (let at = 0; at < jobs.length; at += size) await this.put(...jobs.slice(at, at + size));
  }

  take(limit = 1, lease = 60_000): Promise<readonly DeliveredJob[]> {
    return this.backend.take({ request: newRequestId(), queue: this.name, limit, lease });
  }

  settle(...items: readonly Settlement[]): Promise<readonly SettleOutcome[]> {
    return this.backend.settle({ request: newRequestId(), queue: this.name, items });
  }

  ack(...proofs: readonly LeaseProof[]): Promise<readonly SettleOutcome[]> {
    return this.settle(...proofs.map(({ id, fence }) => ({ id, fence, type: "ack" as const, result: null })));
  }

  bury(...proofs: readonly LeaseProof[]): Promise<readonly SettleOutcome[]> {
    return this.settle(...proofs.map(({ id, fence }) => ({ id, fence, type: "bury" as const, error: null })));
  }

  touch(lease: number, ...proofs: readonly LeaseProof[]): Promise<readonly boolean[]> {
    const items = proofs.map(({ id, fence }) => ({ id, fence, lease, progress: null }));
    return this.backend.touch({ request: newRequestId(), queue: this.name, items });
  }

  kick(limit: number): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type: "kick", limit });
  }

  delete(...ids: readonly NewJob["id"][]): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type: "delete", ids });
  }

  control(type: "truncate" | "pause" | "resume"): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type });
  }

  wait(timeout: number, signal: AbortSignal = new AbortController().signal): Promise<void> {
    return this.backend.wait({ queue: this.name, timeout, signal });
  }

  /** All jobs of a state. */
  async list(state: JobState): Promise<StoredJob[]> {
    const all: StoredJob[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.backend.read({ queue: this.name, state, limit: 500, cursor });
      all.push(...page.jobs);
      ({ cursor } = page);
    } while (cursor !== null);
    return all;
  }

  stats(): Promise<QueueStats> {
    return this.backend.stats(this.name);
  }

  /** Take and ack until nothing comes; the payloads in their order. */
  async drain(limit = 100): Promise<string[]> {
    const drained: string[] = [];
    for (let jobs = await this.take(limit); jobs.length > 0; jobs = await this.take(limit)) {
      drained.push(...texts(jobs));
      await this.ack(...jobs);
    }
    return drained;
  }
}

/** Chance that can be had again. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed % 2_147_483_646) + 1;
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % below;
  }

  /** Once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}
