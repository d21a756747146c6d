/**
 * The lost reply, at the seam, for each call with all it can do. The suite has the usual ones, through queues. Each case runs on two queues: on one without
 * a fault, on the other with the reply lost and the same request made again. Answers and counts must be the same.
 */
import { type Backend, newJobId, type NewJob, newRequestId, type QueueStats, type Settlement } from "@pq/core/backend";
import { eventually, FaultProxy } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isCall, loadScripts } from "./harness.ts";
import { code, newJob, newJobs, type Reporting, Seam, Site } from "./support.ts";

const there = await available("redis", "program");

/** Prepare a queue with a connection that loses nothing, and give the call, which can be repeated. */
type Case = (seam: Seam) => Promise<(backend: Backend) => Promise<unknown>>;

const putting =
  (jobs: () => NewJob[], more: { maxSize?: number; partial?: boolean; before?: () => NewJob[] } = {}): Case =>
  async (seam) => {
    const before = more.before?.() ?? [];
    if (before.length > 0) await seam.put(...before);
    const { maxSize = null, partial = false } = more;
    const params = {
      request: newRequestId(),
      after: null,
      queue: seam.name,
      jobs: jobs(),
      maxSize,
      partial,
      transaction: null,
    };
    return (backend) => backend.put(params);
  };

const taking =
  (limit: number, jobs: () => NewJob[]): Case =>
  async (seam) => {
    await seam.put(...jobs());
    const params = { request: newRequestId(), queue: seam.name, limit, lease: 60_000 };
    return (backend) => backend.take(params);
  };

type Way = Settlement extends infer Each ? (Each extends Settlement ? Omit<Each, "id" | "fence"> : never) : never;

const settling =
  (ways: readonly Way[], fields: Partial<NewJob> = {}): Case =>
  async (seam) => {
    await seam.put(...newJobs(ways.length, fields));
    const jobs = await seam.take(ways.length);
    const items = jobs.map(({ id, fence }, at) => ({ id, fence, ...ways[at] }) as Settlement);
    const params = { request: newRequestId(), queue: seam.name, items };
    return (backend) => backend.settle(params);
  };

const RESULT = Buffer.from("result");
const ack: Way = { type: "ack", result: null };
const RICH = { priority: 3, group: "g", ttl: 60_000, lease: 30_000, maxAttempts: 1 };
const hasKey = { key: "k" };

async function buried(seam: Seam, count: number): Promise<NewJob[]> {
  const jobs = newJobs(count);
  await seam.putAll(jobs);
  for (let left = count; left > 0; left -= 1000) await seam.bury(...(await seam.take(1000)));
  return jobs;
}

const cases: Readonly<Record<string, Case>> = {
  "put of one": putting(() => [newJob("a")]),
  "put of many": putting(() => newJobs(500)),
  "put with all features": putting(() => [newJob("a", { ...RICH, ...hasKey }), newJob("b", RICH)]),
  "put of a delayed job": putting(() => [newJob("a", { due: { in: 60_000 } })]),
  "put of an urgent job": putting(() => [newJob("a", { urgent: true })]),
  "put of a duplicate": putting(() => [newJob("b", hasKey), newJob("c")], { before: () => [newJob("a", hasKey)] }),
  "put into a full queue": putting(() => newJobs(2), { maxSize: 1 }),
  "put of a part": putting(() => newJobs(3), { maxSize: 2, partial: true }),
  "take of one": taking(1, () => newJobs(2)),
  "take of many": taking(100, () => newJobs(150)),
  "take of jobs with all features": taking(5, () => [
    newJob("a", { ...RICH, ...hasKey }),
    newJob("b", RICH),
    newJob("c"),
  ]),
  "take of nothing": taking(1, () => [newJob("a", { due: { in: 60_000 } })]),
  ack: settling([ack]),
  "ack of many": settling(Array.from({ length: 50 }, () => ack)),
  "ack with a result": settling([{ type: "ack", result: RESULT }], { keepResult: 60_000 }),
  "ack of a job with all features": settling([ack], RICH),
  release: settling([{ type: "release", delay: 0 }]),
  "release with a delay": settling([{ type: "release", delay: 60_000 }], hasKey),
  requeue: settling([{ type: "requeue" }]),
  fail: settling([{ type: "fail", delay: 0, error: "why" }]),
  "fail with a delay": settling([{ type: "fail", delay: 60_000, error: "why" }]),
  "fail of the last attempt": settling([{ type: "fail", delay: 0, error: "why" }], RICH),
  bury: settling([{ type: "bury", error: null }]),
  "bury with an error": settling([{ type: "bury", error: "why" }], { group: "g" }),
  "a settle of all kinds": settling([
    ack,
    { type: "release", delay: 0 },
    { type: "requeue" },
    { type: "fail", delay: 0, error: "e" },
    { type: "bury", error: "b" },
  ]),
  "a settle that is lost": async (seam) => {
    await seam.put(newJob("a"));
    const [job] = await seam.take(1);
    const items = [{ id: job!.id, fence: job!.fence + 1, type: "ack" as const, result: null }];
    const params = { request: newRequestId(), queue: seam.name, items };
    return (backend) => backend.settle(params);
  },
  touch: touching(null),
  "touch with progress": touching(Buffer.from("half")),
  kick: async (seam) => {
    await buried(seam, 3);
    return controlling(seam, { type: "kick", limit: 2 });
  },
  "kick of more than one step": async (seam) => {
    await buried(seam, 2500);
    return controlling(seam, { type: "kick", limit: 2200 });
  },
  dig: async (seam) => {
    const [a, b] = await buried(seam, 2);
    return controlling(seam, { type: "dig", ids: [b!.id, newJobId(), a!.id] });
  },
  delete: async (seam) => {
    const jobs = newJobs(3);
    await seam.put(...jobs);
    await seam.take(1);
    return controlling(seam, { type: "delete", ids: [jobs[2]!.id, newJobId(), jobs[0]!.id] });
  },
  truncate: async (seam) => {
    await seam.put(...newJobs(10));
    await seam.take(3);
    return controlling(seam, { type: "truncate" });
  },
  pause: async (seam) => controlling(seam, { type: "pause" }),
  resume: async (seam) => {
    await seam.control("pause");
    return controlling(seam, { type: "resume" });
  },
};

function touching(progress: Buffer | null): Case {
  return async (seam) => {
    await seam.put(newJob("a"));
    const [job] = await seam.take(1);
    const stale = { id: job!.id, fence: job!.fence + 1, lease: 90_000, progress };
    const items = [
      { id: job!.id, fence: job!.fence, lease: 90_000, progress },
      { ...stale, id: newJobId() },
    ];
    const params = { request: newRequestId(), queue: seam.name, items };
    return (backend) => backend.touch(params);
  };
}

type Command =
  | { type: "kick"; limit: number }
  | { type: "dig" | "delete"; ids: NewJob["id"][] }
  | { type: "truncate" | "pause" | "resume" };

function controlling(seam: Seam, command: Command): (backend: Backend) => Promise<unknown> {
  const params = { request: newRequestId(), queue: seam.name, ...command };
  return (backend) => backend.control(params);
}

describe.skipIf(!there.available).concurrent("a lost reply", () => {
  let site: Site;
  let sound: Reporting;

  beforeAll(async () => {
    site = await Site.start();
    await loadScripts(site.server);
    sound = await site.backend();
  });

  afterAll(async () => site.close());

  /** What there is to compare: without what differs between two jobs of the same kind. */
  async function outcome(answer: unknown, name: string): Promise<{ answer: string; stats: QueueStats }> {
    const text = JSON.stringify(answer, (field, value: unknown) =>
      field === "id" || field === "createdAt" ? undefined : value,
    );
    return { answer: text, stats: await sound.stats(name) };
  }

  test.each(Object.entries(cases))(
    "of %s: the same request again gives the same answer, and does nothing twice",
    async (name, prepare) => {
      await using proxy = await FaultProxy.listen({ port: site.server.port, isRequest: isCall });
      const lossy = await site.backend({ url: `redis://${proxy.host}:${proxy.port}` });
      const whole = await prepare(new Seam(sound, `${name}, sound`));
      const expected = await outcome(await whole(sound), `${name}, sound`);
      const broken = await prepare(new Seam(sound, `${name}, lossy`));
      proxy.loseReply();
      expect(await code(broken(lossy))).toBe("OUTCOME_UNKNOWN");
      // It was done, and all of it that one step does.
      const after = await sound.stats(`${name}, lossy`);
      if (!name.startsWith("kick of more")) expect(after).toEqual(expected.stats);
      const again = await eventually(() => broken(lossy));
      expect(await outcome(again, `${name}, lossy`)).toEqual(expected);
      expect(await outcome(await broken(sound), `${name}, lossy`)).toEqual(expected);
      await lossy.close();
    },
  );
});
