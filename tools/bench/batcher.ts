/** What coalescing concurrent calls buys, and what it costs a call that is alone. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, newJobId, newRequestId, type NewJob } from "@pq/core/backend";
import { memory } from "@pq/core/testing";
import { bytes, file, Queue } from "@pq/file";
import type { Comparison, Side } from "./compare.ts";

const PAYLOAD = Buffer.alloc(100, "x");

/** The comparisons of this file. */
export async function batcher(): Promise<readonly Comparison[]> {
  return [
    await onFile("100 puts in flight, file, durability disk", 4_000, (backend) => ({
      a: putsThroughQueue("coalesced by the queue", backend, 100),
      b: putsThroughQueue("a call for each job", oneJobACall(backend), 100),
    })),
    await onFile("1 put in flight, file, durability disk", 2_000, (backend) => ({
      a: putsThroughQueue("through the queue", backend, 1),
      b: putsAtTheSeam("straight at the seam", backend, 1),
    })),
    {
      title: "1 put in flight, a store that answers at once: what the queue itself costs",
      jobs: 50_000,
      a: putsThroughQueue("through the queue", instant(), 1),
      b: putsAtTheSeam("straight at the seam", instant(), 1),
    },
  ];
}

type Sides = (backend: Backend) => Pick<Comparison, "a" | "b">;

async function onFile(title: string, jobs: number, sides: Sides): Promise<Comparison> {
  const folder = await mkdtemp(join(tmpdir(), "pq-bench-"));
  const backend = file(folder);
  await backend.open({ report: (event) => console.error(event) });
  const end = async (): Promise<void> => {
    await backend.close();
    await rm(folder, { recursive: true });
  };
  return { title, jobs, ...sides(backend), end };
}

/** The same store, but it takes one job a call: the queue has nothing to coalesce. */
function oneJobACall(backend: Backend): Backend {
  return changed(backend, { capabilities: { ...backend.capabilities, maxBatch: 1 } });
}

/** No store at all: every put is answered at once and forgotten. */
function instant(): Backend {
  return changed(memory(), { put: async ({ jobs }) => jobs.map(() => ({ status: "added" })) });
}

function changed(backend: Backend, differences: Partial<Backend>): Backend {
  return new Proxy(backend, {
    get: (target, name) => {
      if (name in differences) return Reflect.get(differences, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A job as the queue makes it of a payload without options. */
function plainJob(): NewJob {
  const nothing = { due: null, ttl: null, lease: null, key: null, group: null, keepResult: null };
  return { id: newJobId(), payload: PAYLOAD, priority: 0, urgent: false, maxAttempts: 3, headers: "", ...nothing };
}

async function empty(backend: Backend): Promise<void> {
  await backend.control({ request: newRequestId(), queue: "bench", type: "truncate" });
}

function putsThroughQueue(name: string, backend: Backend, inFlight: number): Side {
  const queue = new Queue<Uint8Array>("bench", { backend, codec: bytes });
  return {
    name,
    run: async (jobs) => {
      await inTurns(jobs, inFlight, () => queue.put(PAYLOAD));
      await empty(backend);
    },
  };
}

function putsAtTheSeam(name: string, backend: Backend, inFlight: number): Side {
  return {
    name,
    run: async (jobs) => {
      await backend.open({ report: (event) => console.error(event) });
      await inTurns(jobs, inFlight, () =>
        backend.put({
          request: newRequestId(),
          after: null,
          queue: "bench",
          jobs: [plainJob()],
          maxSize: null,
          partial: true,
          transaction: null,
        }),
      );
      await empty(backend);
    },
  };
}

/** `jobs` calls, so many of them at a time. */
async function inTurns(jobs: number, inFlight: number, work: () => Promise<unknown>): Promise<void> {
  let left = jobs;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
