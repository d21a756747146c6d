/** What the tests of whole backends share: a server, a database, connections that are closed at the end, and one queue at the seam. */
import {
  type Backend,
  type BackendEvent,
  type ControlResult,
  type DeliveredJob,
  type LeaseProof,
  type NewJob,
  newRequestId,
  type PutOutcome,
  type QueueStats,
  type SettleOutcome,
  type Settlement,
} from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { type MongoServer, startMongo } from "@pq/services";
import { type Db, MongoClient } from "mongodb";
import { mongo, type MongoOptions } from "../src/index.ts";
import { ownDatabase } from "./support.ts";

/** A backend with the events that it reported. */
export type Reporting = Backend & { readonly events: readonly BackendEvent[] };

/** A server, a database on it, and all that is connected to it. */
export class Site {
  readonly server: MongoServer;
  readonly #client: MongoClient;
  /** Straight to the database: what an operator, or somebody who does harm, may do. */
  readonly db: Db;
  readonly #backends = new Set<Backend>();

  /** Start a server of its own. `heap`: memory of a stand-in, in MiB. */
  static async start(storage: "file" | "memory" = "memory", heap = 512): Promise<Site> {
    return new Site(await startMongo({ storage, heap }));
  }

  private constructor(server: MongoServer) {
    this.server = server;
    this.#client = new MongoClient(server.url);
    this.db = this.#client.db(ownDatabase());
  }

  /** A backend that is not open yet. */
  unopened(options: MongoOptions = {}): Backend {
    const url = options.client === undefined ? { url: this.server.url } : {};
    const backend = mongo({ commandTimeout: 5000, db: this.db.databaseName, ...url, ...options });
    this.#backends.add(backend);
    return backend;
  }

  /** An open backend, and what it reports. */
  async backend(options: MongoOptions = {}): Promise<Reporting> {
    const backend = this.unopened(options);
    const events: BackendEvent[] = [];
    await backend.open({ report: (event) => void events.push(event) });
    return Object.assign(backend, { events });
  }

  /** A queue on a connection of its own. */
  async queue(name = "q", options: MongoOptions = {}): Promise<Seam> {
    return new Seam(await this.backend(options), name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#backends].map((backend) => backend.close()));
    await this.db.dropDatabase();
    await this.#client.close();
    await this.server.close();
  }
}

/** So many jobs, each with its number as payload. */
export function newJobs(count: number, fields: Partial<Omit<NewJob, "payload">> = {}): NewJob[] {
  return Array.from({ length: count }, (_, at) => newJob({ ...fields, payload: String(at) }));
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

  bury(...proofs: readonly LeaseProof[]): Promise<readonly SettleOutcome[]> {
    return this.settle(...proofs.map(({ id, fence }) => ({ id, fence, type: "bury" as const, error: null })));
  }

  control(type: "truncate" | "pause" | "resume"): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type });
  }

  stats(): Promise<QueueStats> {
    return this.backend.stats(this.name);
  }
}
