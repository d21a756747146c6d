/** What the tests of this store's own facts share: a server, connections that are closed after each test, and one queue at the seam. */
import {
  type Backend,
  type BackendEvent,
  type ControlResult,
  type DeliveredJob,
  isPqError,
  type LeaseProof,
  type NewJob,
  newRequestId,
  type PutOutcome,
  type SettleOutcome,
  type Settlement,
} from "@pq/core/backend";
import { newJob as plainJob } from "@pq/core/testing";
import { type RedisFlavour, type RedisServer, startRedis } from "@pq/services";
import { Redis, type RedisOptions as ClientOptions } from "ioredis";
import { redis, type RedisOptions } from "../src/index.ts";

/** A server, and all that is connected to it. */
export class Site {
  readonly server: RedisServer;
  /** Straight to the server: what an operator, or somebody who does harm, may do. */
  readonly admin: Redis;
  readonly #backends = new Set<Backend>();
  readonly #clients = new Set<Redis>();

  /** Start a server of its own with these arguments. */
  static async start(args: readonly string[] = [], flavour: RedisFlavour = "redis"): Promise<Site> {
    return new Site(await startRedis({ flavour, using: "program", args }));
  }

  private constructor(server: RedisServer) {
    this.server = server;
    this.admin = this.client();
  }

  /** A client of ioredis. */
  client(options: Omit<ClientOptions, "replyMapping"> = {}): Redis {
    const client = new Redis(this.server.port, this.server.host, options);
    client.on("error", () => undefined);
    this.#clients.add(client);
    return client;
  }

  /** A backend that is not open yet. */
  unopened(options: RedisOptions = {}): Backend {
    const { host, port } = this.server;
    const elsewhere = options.url ?? options.client ?? options.cluster;
    const where = elsewhere === undefined ? { options: { host, port, ...options.options } } : {};
    const backend = redis({ commandTimeout: 2000, ...options, ...where });
    this.#backends.add(backend);
    return backend;
  }

  /** An open backend, and what it reports. */
  async backend(options: RedisOptions = {}): Promise<Reporting> {
    const backend = this.unopened(options);
    const events: BackendEvent[] = [];
    await backend.open({ report: (event) => void events.push(event) });
    return Object.assign(backend, { events });
  }

  /** A queue on a connection of its own. */
  async queue(name = "q", options: RedisOptions = {}): Promise<Seam> {
    return new Seam(await this.backend(options), name);
  }

  /** Everything that is stored: each key with its dump. */
  async contents(): Promise<Record<string, string>> {
    const keys = (await this.admin.keysBuffer("*")).toSorted((a, b) => Buffer.compare(a, b));
    const dumps = await Promise.all(keys.map((key) => this.#dump(key)));
    return Object.fromEntries(keys.map((key, at) => [key.toString("latin1"), dumps[at] ?? ""]));
  }

  /** A server may change the order of a hash's fields at any time, when it makes its table larger or smaller. */
  async #dump(key: Buffer): Promise<string> {
    if ((await this.admin.type(key)) !== "hash") return (await this.admin.dumpBuffer(key)).toString("base64");
    const fields = Object.entries(await this.admin.hgetallBuffer(key));
    return JSON.stringify(fields.map(([field, value]) => `${field}: ${value.toString("base64")}`).toSorted());
  }

  /** What INFO says, by name. */
  async info(section: string): Promise<ReadonlyMap<string, string>> {
    const lines = (await this.admin.info(section)).split("\r\n").filter((line) => line.includes(":"));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#backends].map((backend) => backend.close()));
    for (const client of this.#clients) client.disconnect();
    await this.server.close();
  }
}

/** A backend with the events that it reported. */
export type Reporting = Backend & { readonly events: readonly BackendEvent[] };

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

/** One queue at the seam: each call has a request id of its own. */
export class Seam {
  readonly backend: Reporting;
  readonly name: string;

  constructor(backend: Reporting, name: string) {
    this.backend = backend;
    this.name = name;
  }

  put(...jobs: readonly NewJob[]): Promise<readonly PutOutcome[]> {
    return this.backend.put({
      request: newRequestId(),
      after: null,
      queue: this.name,
      jobs,
      maxSize: null,
      partial: false,
      transaction: null,
    });
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

  stats(): ReturnType<Backend["stats"]> {
    return this.backend.stats(this.name);
  }

  wait(timeout: number, signal: AbortSignal = new AbortController().signal): Promise<void> {
    return this.backend.wait({ queue: this.name, timeout, signal });
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
