import { EventEmitter, once } from "node:events";
import { describe, expect, it } from "vitest";
import type { Backend, OpenParams, PutParams } from "../src/backend.ts";
import { newJobId, newRequestId } from "../src/id.ts";
import type { JobId, NewJob } from "../src/job.ts";
import { ManualClock } from "../src/testing/manual-clock.ts";
import { ReferenceBackend } from "../src/testing/reference/backend.ts";
import { ReferenceStore } from "../src/testing/reference/store.ts";
import { SeamFaults } from "../src/testing/seam-faults.ts";

const openParams: OpenParams = { report: () => undefined };
const unknown: unknown = expect.objectContaining({ code: "OUTCOME_UNKNOWN" });
const unavailable: unknown = expect.objectContaining({ code: "UNAVAILABLE" });

function newJob(): NewJob {
  return {
    id: newJobId(),
    payload: new Uint8Array([1]),
    priority: 0,
    urgent: false,
    due: null,
    ttl: null,
    lease: null,
    key: null,
    group: null,
    maxAttempts: 3,
    keepResult: null,
    headers: "",
  };
}

async function setUp(faults: SeamFaults = new SeamFaults()) {
  const clock = new ManualClock();
  const store = new ReferenceStore(clock);
  const direct = new ReferenceBackend(store);
  const backend = faults.wrap(new ReferenceBackend(store));
  await direct.open();
  await backend.open(openParams);
  const stored = async (): Promise<number> => (await direct.stats("q")).counters.put;
  return { faults, clock, store, direct, backend, stored };
}

function put(backend: Backend, job: NewJob = newJob()): ReturnType<Backend["put"]> {
  return backend.put({
    request: newRequestId(),
    after: null,
    queue: "q",
    jobs: [job],
    maxSize: null,
    partial: false,
    transaction: null,
  });
}

function wait(backend: Backend, signal: AbortSignal = new AbortController().signal): Promise<void> {
  return backend.wait({ queue: "q", timeout: 60_000, signal });
}

/** Has the promise settled once everything that can run has run? */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  const mark = (): void => void (over = true);
  promise.then(mark, mark);
  await new Promise((resolve) => setImmediate(resolve));
  return over;
}

/** Every call of the seam that can be lost, and what it rejects with when its reply is. */
const calls: { name: string; error: unknown; run: (backend: Backend, id: JobId) => Promise<unknown> }[] = [
  { name: "put", error: unknown, run: (backend) => put(backend) },
  {
    name: "take",
    error: unknown,
    run: (backend) => backend.take({ request: newRequestId(), queue: "q", limit: 1, lease: 1000 }),
  },
  {
    name: "settle",
    error: unknown,
    run: (backend, id) =>
      backend.settle({ request: newRequestId(), queue: "q", items: [{ id, fence: 1, type: "requeue" }] }),
  },
  {
    name: "touch",
    error: unknown,
    run: (backend, id) =>
      backend.touch({ request: newRequestId(), queue: "q", items: [{ id, fence: 1, lease: 9000, progress: null }] }),
  },
  {
    name: "control",
    error: unknown,
    run: (backend) => backend.control({ request: newRequestId(), queue: "q", type: "pause" }),
  },
  { name: "read", error: unavailable, run: (backend, id) => backend.read({ queue: "q", ids: [id] }) },
  { name: "stats", error: unavailable, run: (backend) => backend.stats("q") },
  { name: "queues", error: unavailable, run: (backend) => backend.queues() },
];

describe.each(calls)("$name", ({ name, error, run }) => {
  const changing = !["read", "stats", "queues"].includes(name);

  /** A store with one ready job, and the same one leased where the call needs a lease. */
  async function withJob() {
    const all = await setUp();
    const job = newJob();
    await put(all.backend, job);
    if (name === "settle" || name === "touch") {
      await all.direct.take({ request: newRequestId(), queue: "q", limit: 1, lease: 1000 });
    }
    const snapshot = async (): Promise<string> =>
      JSON.stringify([await all.direct.stats("q"), await all.direct.read({ queue: "q", ids: [job.id] })]);
    return { ...all, id: job.id, snapshot };
  }

  it("is applied when its reply is lost, once", async () => {
    const { faults, backend, snapshot, id } = await withJob();
    const before = await snapshot();
    faults.loseReply();
    await expect(run(backend, id)).rejects.toEqual(error);
    expect((await snapshot()) !== before).toBe(changing);
    await expect(backend.stats("q")).resolves.toBeDefined();
  });

  it("is not applied when its request is lost, once", async () => {
    const { faults, backend, snapshot, id } = await withJob();
    const before = await snapshot();
    faults.loseRequest();
    await expect(run(backend, id)).rejects.toEqual(unavailable);
    expect(await snapshot()).toBe(before);
    await expect(run(backend, id)).resolves.toBeDefined();
  });

  it("is rejected by a cut while it is in flight", async () => {
    const { faults, backend, id } = await withJob();
    const call = run(backend, id);
    faults.cut();
    await expect(call).rejects.toEqual(error);
    await expect(run(backend, id)).resolves.toBeDefined();
  });

  it("settles only after a half-open line healed, and is applied when it changes something", async () => {
    const { faults, backend, snapshot, id } = await withJob();
    const before = await snapshot();
    const heal = faults.halfOpen();
    const call = run(backend, id);
    expect(await settled(call)).toBe(false);
    expect((await snapshot()) !== before).toBe(changing);
    heal();
    await expect(call).rejects.toEqual(error);
    await expect(backend.stats("q")).resolves.toBeDefined();
  });

  it("waits for a paused store, then succeeds", async () => {
    const { faults, backend, snapshot, id } = await withJob();
    const before = await snapshot();
    const resume = faults.pause();
    const call = run(backend, id);
    expect(await settled(call)).toBe(false);
    expect(await snapshot()).toBe(before);
    resume();
    await expect(call).resolves.toBeDefined();
    expect((await snapshot()) !== before).toBe(changing);
  });
});

describe("wait", () => {
  it("neither uses up an armed loss nor is lost", async () => {
    const { faults, backend } = await setUp();
    const over = new AbortController();
    faults.loseReply();
    const waiting = wait(backend, over.signal);
    over.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(put(backend)).rejects.toEqual(unknown);
  });

  it("is rejected by a cut, and leaves no waiter behind that would swallow a wake-up", async () => {
    const { faults, backend, direct } = await setUp();
    const first = wait(backend);
    faults.cut();
    await expect(first).rejects.toEqual(unavailable);
    const second = wait(backend);
    await put(direct);
    await expect(second).resolves.toBeUndefined();
  });

  it.each(["halfOpen", "pause"] as const)("ends by its signal under %s", async (fault) => {
    const { faults, backend } = await setUp();
    const over = new AbortController();
    const running = wait(backend, over.signal);
    const heal = faults[fault]();
    const later = wait(backend, over.signal);
    over.abort();
    await expect(Promise.all([running, later])).resolves.toBeDefined();
    heal();
  });

  it("that runs is cut when a half-open line heals", async () => {
    const { faults, backend } = await setUp();
    const waiting = wait(backend);
    const heal = faults.halfOpen();
    expect(await settled(waiting)).toBe(false);
    heal();
    await expect(waiting).rejects.toEqual(unavailable);
  });
});

describe("the line", () => {
  it("cuts the other calls of a connection that loses a reply, and no other connection", async () => {
    const { faults, backend, store } = await setUp();
    const other = faults.wrap(new ReferenceBackend(store));
    await other.open(openParams);
    const over = new AbortController();
    const here = wait(backend);
    const there = wait(other, over.signal);
    faults.loseReply();
    await expect(put(backend)).rejects.toEqual(unknown);
    await expect(here).rejects.toEqual(unavailable);
    over.abort();
    await expect(there).resolves.toBeUndefined();
  });

  it("loses as many calls as were armed, of whichever connection comes", async () => {
    const { faults, backend, store, stored } = await setUp();
    const other = faults.wrap(new ReferenceBackend(store));
    await other.open(openParams);
    faults.loseReply();
    faults.loseRequest();
    await expect(put(backend)).rejects.toEqual(unknown);
    await expect(put(other)).rejects.toEqual(unavailable);
    await put(backend);
    expect(await stored()).toBe(2);
  });

  it("keeps the order of calls that a pause held back", async () => {
    const { faults, backend, direct } = await setUp();
    const jobs = [newJob(), newJob(), newJob()];
    const resume = faults.pause();
    const puts = jobs.map((job) => put(backend, job));
    resume();
    await Promise.all(puts);
    const { jobs: found } = await direct.read({ queue: "q", state: "ready", limit: 10, cursor: null });
    expect(found.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
  });

  it("takes one fault at a time, and healing twice heals once", async () => {
    const { faults } = await setUp();
    const heal = faults.halfOpen();
    expect(() => faults.pause()).toThrow(/half-open/);
    heal();
    const resume = faults.pause();
    heal();
    expect(() => faults.halfOpen()).toThrow(/paused/);
    resume();
  });

  it("lets a connection close that hangs, rejecting its calls; a closed one says so", async () => {
    const { faults, backend } = await setUp();
    const heal = faults.halfOpen();
    const call = put(backend);
    await Promise.all([expect(call).rejects.toEqual(unknown), backend.close()]);
    await expect(put(backend)).rejects.toMatchObject({ code: "CLOSED" });
    heal();
  });

  it("passes an error of the backend on", async () => {
    const { backend, direct } = await setUp();
    const broken = new SeamFaults().wrap({
      name: direct.name,
      capabilities: direct.capabilities,
      open: () => direct.open(),
      stats: () => Promise.reject(new Error("broken")),
    } as unknown as Backend);
    await broken.open(openParams);
    await expect(broken.stats("q")).rejects.toThrow("broken");
    expect(broken.name).toBe(backend.name);
    expect(broken.capabilities).toBe(backend.capabilities);
  });
});

describe("idle", () => {
  it("waits for calls that the store works on, also those whose answer is lost, and not for a wait", async () => {
    const disk = new EventEmitter();
    const { backend, direct, faults } = await setUp();
    const slow = faults.wrap({
      name: direct.name,
      capabilities: direct.capabilities,
      open: () => direct.open(),
      close: () => direct.close(),
      stats: async (queue: string) => {
        await once(disk, "ready");
        return direct.stats(queue);
      },
      put: async (params: PutParams) => {
        await once(disk, "ready");
        return direct.put(params);
      },
    } as unknown as Backend);
    await slow.open(openParams);
    const over = new AbortController();
    const waiting = wait(backend, over.signal);
    await faults.idle();
    const looking = slow.stats("q");
    expect(await settled(faults.idle())).toBe(false);
    disk.emit("ready");
    await Promise.all([faults.idle(), looking]);
    const heal = faults.halfOpen();
    const putting = put(slow);
    expect(await settled(faults.idle())).toBe(false);
    disk.emit("ready");
    await faults.idle();
    heal();
    over.abort();
    await Promise.all([expect(putting).rejects.toEqual(unknown), waiting.catch(() => undefined)]);
  });
});

describe("restart", () => {
  it("is missing without a way to do it", () => {
    expect(new SeamFaults().restart).toBeUndefined();
  });

  it("cuts what is in flight, refuses calls meanwhile, and opens anew what was open", async () => {
    const dropping = new EventEmitter();
    const faults = new SeamFaults({ restart: async () => void (await once(dropping, "done")) });
    const store = new ReferenceStore(new ManualClock());
    const made: Backend[] = [];
    const backend = faults.wrap(() => {
      const next = new ReferenceBackend(store);
      made.push(next);
      return next;
    });
    await backend.open(openParams);
    await put(backend);
    const waiting = wait(backend);
    const call = put(backend);
    const restarted = faults.restart?.();
    await Promise.all([expect(waiting).rejects.toEqual(unavailable), expect(call).rejects.toEqual(unknown)]);
    await expect(put(backend)).rejects.toEqual(unavailable);
    dropping.emit("done");
    await restarted;
    expect(made).toHaveLength(2);
    expect((await backend.stats("q")).ready).toBe(2);
  });

  it("is up again when dropping failed, and tells why", async () => {
    const faults = new SeamFaults({ restart: () => Promise.reject(new Error("no disk")) });
    const { backend } = await setUp(faults);
    await expect(faults.restart?.()).rejects.toThrow("no disk");
    await expect(put(backend)).resolves.toEqual([{ status: "added" }]);
  });
});
