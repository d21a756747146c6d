/**
 * One run:
 *
 *     faults: producers put, workers work, the nemesis rages
 *     heal:   no more faults; producers go on for a moment
 *     drain:  producers have ended; everything is worked off, with handlers that behave
 *     end:    workers have ended; what is left in the store is read without a proxy
 */
import { mkdtemp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Queue } from "@pq/core";
import { JOB_STATES } from "@pq/core/backend";
import type { RunOptions } from "./args.ts";
import { backendOf } from "./client/backends.ts";
import { LEASE, QUEUE } from "./client/spec.ts";
import { CONDUCTOR, type History, historyOf, type ProcessLines } from "./check/history.ts";
import { Client, type ClientSettings } from "./clients.ts";
import type { Event, Phase } from "./event.ts";
import { Nemesis } from "./nemesis.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";
import type { Store } from "./store.ts";
import { stores } from "./stores/index.ts";
import { now, pass } from "./time.ts";

const PRODUCERS = 2;
const WORKERS = 4;
/** Long enough to sit out most faults, and so short that many calls end as of unknown outcome; in ms. */
const DEADLINES = [5000, 700];
/** A client that does not end by itself within so many ms is killed. */
const FAREWELL = 30_000;
/** Producers go on for so long after the last fault, in ms. */
const HEALING = 3000;
/** And where the store can heal, for so many calls each: enough for every worker to get some of their jobs. */
const HEALING_CALLS = 100;
/** P7 of the contract: what a lease and a minute do not bring back is stuck, in ms. */
export const RECOVERY: number = LEASE + 60_000;

/** What a run leaves behind. */
export interface RunResult {
  readonly history: History;
  readonly version: string;
  readonly setup: string;
  readonly exactCounters: boolean;
  readonly faults: Readonly<Record<string, number>>;
  readonly cuts: number;
  readonly linksCut: number;
  readonly restarts: number;
  /** Connections that clients made. */
  readonly connections: number;
  readonly seconds: number;
}

/** Run. */
export async function run(options: RunOptions): Promise<RunResult> {
  const folder = options.keep ?? (await mkdtemp(join(tmpdir(), "pq-faults-")));
  await mkdir(folder, { recursive: true });
  const store = await stores[options.store](options);
  try {
    return await conduct(store, folder, options);
  } finally {
    await store.close();
    if (options.keep === undefined) await rm(folder, { recursive: true });
  }
}

async function conduct(store: Store, folder: string, options: RunOptions): Promise<RunResult> {
  const { version, setup, exactCounters } = store;
  const began = now();
  const conductor = new Recorder(join(folder, `${CONDUCTOR}.jsonl`));
  const phase = (name: Phase["name"]): void => conductor.write({ type: "phase", at: now(), name });
  const { seed, bug } = options;
  const clients = await startClients(store, {
    folder,
    seed,
    rate: store.rate,
    bug,
    deadlines: DEADLINES,
    conductor,
  });
  const nemesis = new Nemesis({ store, clients, random: new Random(seed, "nemesis"), conductor, lease: LEASE });
  const progress = (): void =>
    console.log(`  ${Math.round((now() - began) / 1000)} s: ${nemesis.cuts} cuts, ${nemesis.restarts} restarts`);

  phase("faults");
  await nemesis.rage(options, progress);
  phase("heal");
  for (const client of clients) client.tell("calm");
  await pass(options.weak ? HEALING : Math.max(HEALING, (HEALING_CALLS / store.rate) * 1000));
  await endAll(clients, "producer");
  phase("drain");
  await drain(store);
  // So that each says of its health what holds now.
  await pass(1500);
  await endAll(clients, "worker");
  phase("end");
  await readRest(store, conductor);
  conductor.close();

  const connections = clients.reduce((sum, { proxy }) => sum + proxy.statistics().connections, 0);
  for (const { proxy } of clients) await proxy.close();
  const { counts, cuts, linksCut, restarts } = nemesis;
  const seconds = (now() - began) / 1000;
  const history = historyOf(await readLines(folder), store.session);
  return { history, version, setup, exactCounters, faults: counts, cuts, linksCut, restarts, connections, seconds };
}

async function startClients(store: Store, settings: ClientSettings): Promise<Client[]> {
  const roles = [...Array<"producer">(PRODUCERS).fill("producer"), ...Array<"worker">(WORKERS).fill("worker")];
  const clients: Client[] = [];
  for (const [index, role] of roles.entries()) {
    const proxy = await store.proxy();
    clients.push(new Client(index, role, { proxy, place: store.place(proxy) }, settings));
  }
  for (const client of clients) client.start();
  return clients;
}

async function endAll(clients: readonly Client[], role: Client["role"]): Promise<void> {
  const ended = clients.filter((client) => client.role === role).map((client) => client.end(FAREWELL));
  await Promise.all(ended);
}

async function openQueue(store: Store): Promise<Queue> {
  return new Queue(QUEUE, { backend: await backendOf(store.place()), lease: LEASE });
}

/** Wait until the queue is empty, or until that has taken longer than is promised. */
async function drain(store: Store): Promise<void> {
  await using queue = await openQueue(store);
  await queue.join({ timeout: RECOVERY }).catch((error: unknown) => console.log(`  ${String(error)}`));
}

async function readRest(store: Store, conductor: Recorder): Promise<void> {
  await using queue = await openQueue(store);
  const { counters, paused: _paused, ...states } = await queue.stats();
  conductor.write({ type: "totals", at: now(), states, counters: { ...counters } });
  for (const state of JOB_STATES) {
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<Queue["list"]>> = await queue.list({ state, limit: 1000, cursor });
      for (const { id, attempt, maxAttempts, buryReason } of page.jobs) {
        conductor.write({ type: "present", at: now(), id, state, attempt, maxAttempts, buryReason });
      }
      cursor = page.cursor;
    } while (cursor !== null);
  }
}

async function readLines(folder: string): Promise<ProcessLines[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".jsonl"));
  return Promise.all(
    files.map(async (file) => {
      const lines = (await readFile(join(folder, file), "utf8")).split("\n");
      // What follows the last line end was cut off by a SIGKILL.
      const events = lines.slice(0, -1).map((line) => JSON.parse(line) as Event);
      return { process: file.replace(/\.jsonl$/, ""), events };
    }),
  );
}
