/** What the tests of this store's own facts share: a server, connections that are closed at the end, one queue at the seam, and a look past the backend. */
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
  systemClock,
} from "@pq/core/backend";
import { newJob as plainJob } from "@pq/core/testing";
import { crc32c } from "@pq/core/state";
import { fourLetter, startZk, type ZkOptions as ServerOptions, type ZkServer } from "@pq/services";
import { Connection } from "../src/connection.ts";
import { zk, type ZkOptions } from "../src/index.ts";
import { resolveOptions } from "../src/options.ts";
import { ZkClient } from "../src/zk-client.ts";
import { startProxy, type ThreadProxy } from "./proxy.ts";

/** A backend with the events that it reported. */
export type Reporting = Backend & { readonly events: readonly BackendEvent[] };

/** A client past the backend: what an operator, or somebody who does harm, may do. */
export interface Raw {
  readonly zk: ZkClient;
  readonly native: Connection["native"];
  close(): Promise<void>;
}

let roots = 0;

/** Connect to a server, past the backend. */
async function rawClient(hosts: string, options: Partial<ZkOptions> = {}): Promise<Raw> {
  const resolved = resolveOptions({ hosts, ...options });
  const line = new Connection(resolved, systemClock, null);
  await line.connect(new AbortController().signal);
  const client = new ZkClient(line.native, systemClock, 5000, () => line.drop());
  if (resolved.credentials !== null) await client.login(resolved.credentials);
  return { zk: client, native: line.native, close: () => line.leave() };
}

/** All nodes below this one, and itself. */
export async function treeOf(client: ZkClient, path: string): Promise<string[]> {
  const names = (await client.children(path)) ?? [];
  const below = await Promise.all(names.map((name) => treeOf(client, `${path}/${name}`)));
  return [path, ...below.flat()];
}

/** A server, a root of its own on it, and all that is connected. */
export class Site {
  readonly server: Pick<ZkServer, "host" | "port" | "hosts">;
  readonly root: string = `/pq-test-${process.pid}-${roots++}`;
  readonly #close: () => Promise<void>;
  readonly #backends = new Set<Backend>();
  readonly #proxies = new Set<ThreadProxy>();
  readonly #raws = new Set<Raw>();

  /** Start a server of its own. */
  static async start(options: ServerOptions = {}): Promise<Site & { readonly server: ZkServer }> {
    const server = await startZk(options);
    return new Site(server, () => server.close()) as Site & { readonly server: ZkServer };
  }

  /** On a server, or an ensemble, that is there. `close` ends it, after all else was closed. */
  constructor(server: Pick<ZkServer, "host" | "port" | "hosts">, close: () => Promise<void> = async () => undefined) {
    this.server = server;
    this.#close = close;
  }

  /** A backend that is not open yet. */
  unopened(options: Partial<ZkOptions> = {}): Backend {
    const own = { hosts: this.server.hosts, sessionTimeout: 4000 };
    const backend = zk({
      root: this.root,
      commandTimeout: 4000,
      ...(options.client === undefined ? own : {}),
      ...options,
    });
    this.#backends.add(backend);
    return backend;
  }

  /** An open backend, and what it reports. */
  async backend(options: Partial<ZkOptions> = {}): Promise<Reporting> {
    const backend = this.unopened(options);
    const events: BackendEvent[] = [];
    await backend.open({ report: (event) => void events.push(event) });
    return Object.assign(backend, { events });
  }

  /** A queue on a connection of its own. */
  async queue(name = "q", options: Partial<ZkOptions> = {}): Promise<Seam> {
    return new Seam(await this.backend(options), name);
  }

  /** A proxy in front of the server, and its address. */
  async proxy(): Promise<ThreadProxy & { readonly hosts: string }> {
    const proxy = await startProxy(this.server);
    this.#proxies.add(proxy);
    return Object.assign(proxy, { hosts: `${proxy.host}:${proxy.port}` });
  }

  /** Past the backend. */
  async raw(options: Partial<ZkOptions> = {}): Promise<Raw> {
    const raw = await rawClient(this.server.hosts, options);
    this.#raws.add(raw);
    return raw;
  }

  /** A number that the server tells of itself, such as `zk_watch_count`. */
  async figure(name: string): Promise<number> {
    const answer = await fourLetter(this.server.host, this.server.port, "mntr");
    return Number(new RegExp(`^${name}\\s+(\\d+)`, "m").exec(answer)?.[1]);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#backends].map((backend) => backend.close()));
    for (const raw of this.#raws) await raw.close();
    for (const proxy of this.#proxies) await proxy.close();
    await this.#close();
  }
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

/** The error that this call ends with. */
export async function failure(call: Promise<unknown>): Promise<Error> {
  const error = await call.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  return error as Error;
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

  take(limit = 1, lease = 60_000): Promise<readonly DeliveredJob[]> {
    return this.backend.take({ request: newRequestId(), queue: this.name, limit, lease });
  }

  settle(...items: readonly Settlement[]): Promise<readonly SettleOutcome[]> {
    return this.backend.settle({ request: newRequestId(), queue: this.name, items });
  }

  ack(...proofs: readonly LeaseProof[]): Promise<readonly SettleOutcome[]> {
    return this.settle(...proofs.map(({ id, fence }) => ({ id, fence, type: "ack" as const, result: null })));
  }

  touch(lease: number, ...proofs: readonly LeaseProof[]): Promise<readonly boolean[]> {
    const items = proofs.map(({ id, fence }) => ({ id, fence, lease, progress: null }));
    return this.backend.touch({ request: newRequestId(), queue: this.name, items });
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

/** Make an entry's node one of another format, with the right checksum. */
export function setFormat(node: Buffer, format: number): void {
  node.writeUInt8(format, 4);
  node.writeUInt32LE(crc32c(node, 4), 0);
}
