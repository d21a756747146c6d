/**
 * A call is several commands. Here each of them in turn is lost, with its reply or before it arrives, for every call with all that it can do; then
 * the same call is made again on another connection, as core would, or as another machine would find it. The answer, the counts and the
 * jobs must be those of a queue on which nothing was lost.
 */
import { type Backend, JOB_STATES, newJobId, type NewJob, newRequestId, type Settlement } from "@pq/core/backend";
import { FaultProxy, newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newJobs, Seam, Site } from "./site.ts";
import { code } from "./support.ts";

const there = await available("mongo");

/** Prepare a queue on a connection that loses nothing, and give the call, which can be repeated. */
type Case = (seam: Seam) => Promise<(backend: Backend) => Promise<unknown>>;

interface PutMore {
  readonly maxSize?: number;
  readonly partial?: boolean;
  readonly before?: () => NewJob[];
}

const putting =
  (jobs: () => NewJob[], { before, ...more }: PutMore = {}): Case =>
  async (seam) => {
    if (before !== undefined) await seam.put(...before());
    const plain = { after: null, maxSize: null, partial: false, transaction: null };
    const params = { ...plain, request: newRequestId(), queue: seam.name, jobs: jobs(), ...more };
    return (backend) => backend.put(params);
  };

const taking =
  (limit: number, ...puts: (() => NewJob[])[]): Case =>
  async (seam) => {
    for (const jobs of puts) await seam.put(...jobs());
    const params = { request: newRequestId(), queue: seam.name, limit, lease: 60_000 };
    return (backend) => backend.take(params);
  };

type Way = Settlement extends infer Each ? (Each extends Settlement ? Omit<Each, "id" | "fence"> : never) : never;

/** Jobs of several pages. */
const settling =
  (ways: readonly Way[], fields: Partial<NewJob> = {}): Case =>
  async (seam) => {
    for (const job of newJobs(ways.length, fields)) await seam.put(job);
    const jobs = await seam.take(ways.length);
    const items = jobs.map(({ id, fence }, at) => ({ id, fence, ...ways[at] }) as Settlement);
    const params = { request: newRequestId(), queue: seam.name, items };
    return (backend) => backend.settle(params);
  };

const ack: Way = { type: "ack", result: null };
const RICH = { priority: 3, group: "g", ttl: 60_000, lease: 30_000, maxAttempts: 1 };
const hasKey = { key: "k" };
const LARGE = Buffer.alloc(5000, "x");

async function buried(seam: Seam, count: number): Promise<NewJob[]> {
  const jobs = newJobs(count);
  for (const job of jobs) await seam.put(job);
  await seam.bury(...(await seam.take(count)));
  return jobs;
}

const cases: Readonly<Record<string, Case>> = {
  "put of one": putting(() => [newJob("a")]),
  "put of large ones": putting(() => [newJob({ payload: LARGE }), newJob({ payload: LARGE })]),
  "put with all features": putting(() => [newJob({ ...RICH, ...hasKey }), newJob({ ...RICH, group: "h" })]),
  "put behind others of its group": putting(() => [newJob(RICH)], { before: () => [newJob(RICH)] }),
  "put of an urgent member": putting(() => [newJob({ group: "g", urgent: true })], { before: () => [newJob(RICH)] }),
  "put of a duplicate": putting(() => [newJob(hasKey), newJob("c")], { before: () => [newJob(hasKey)] }),
  "put into a full queue": putting(() => newJobs(2), { maxSize: 1 }),
  "put of a part": putting(() => newJobs(3), { maxSize: 2, partial: true }),
  "put with room": putting(() => newJobs(3), { maxSize: 20, before: () => newJobs(3) }),
  "take of one": taking(1, () => newJobs(2)),
  "take of several pages": taking(
    5,
    () => newJobs(2),
    () => newJobs(2),
    () => [newJob({ payload: LARGE })],
  ),
  "take of members of groups": taking(5, () => [newJob(RICH), newJob(RICH), newJob({ group: "h" }), newJob("c")]),
  ack: settling([ack]),
  "ack of several pages": settling([ack, ack, ack]),
  "ack with results": settling(
    [
      { type: "ack", result: LARGE },
      { type: "ack", result: null },
    ],
    { keepResult: 60_000 },
  ),
  "ack of a member": settling([ack], RICH),
  "a settle of all kinds": settling([
    ack,
    { type: "release", delay: 0 },
    { type: "release", delay: 60_000 },
    { type: "requeue" },
    { type: "fail", delay: 0, error: "e" },
    { type: "fail", delay: 60_000, error: "e" },
    { type: "bury", error: "b" },
    { type: "bury", error: null },
  ]),
  "a release of a member": settling([{ type: "release", delay: 0 }], { group: "g" }),
  "a fail of the last attempt": settling([{ type: "fail", delay: 0, error: "why" }], RICH),
  touch: async (seam) => {
    await seam.put(...newJobs(2));
    const jobs = await seam.take(2);
    const items = jobs.map(({ id, fence }) => ({ id, fence, lease: 90_000, progress: Buffer.from("half") }));
    const params = { request: newRequestId(), queue: seam.name, items };
    return (backend) => backend.touch(params);
  },
  kick: async (seam) => {
    await buried(seam, 4);
    return controlling(seam, { type: "kick", limit: 3 });
  },
  dig: async (seam) => {
    const [a, b] = await buried(seam, 2);
    return controlling(seam, { type: "dig", ids: [b!.id, newJobId(), a!.id] });
  },
  delete: async (seam) => {
    const jobs = newJobs(3, { group: "g" });
    for (const job of jobs) await seam.put(job);
    await seam.take(1);
    return controlling(seam, { type: "delete", ids: [jobs[2]!.id, newJobId(), jobs[0]!.id] });
  },
  truncate: async (seam) => {
    await seam.put(...newJobs(4));
    await seam.put(...newJobs(4, { group: "g" }));
    await seam.take(3);
    return controlling(seam, { type: "truncate" });
  },
  pause: async (seam) => controlling(seam, { type: "pause" }),
  resume: async (seam) => {
    await seam.control("pause");
    return controlling(seam, { type: "resume" });
  },
};

type Command =
  | { type: "kick"; limit: number }
  | { type: "dig" | "delete"; ids: NewJob["id"][] }
  | { type: "truncate" | "pause" | "resume" };

function controlling(seam: Seam, command: Command): (backend: Backend) => Promise<unknown> {
  const params = { request: newRequestId(), queue: seam.name, ...command };
  return (backend) => backend.control(params);
}

/** A command on one of the store's collections, but for `meta`: that is asked in the background of opening. */
const COMMAND = /(?:insert|update|delete|find|findAndModify|aggregate)\0.{4}pq\.(?!meta)/s;
/** More commands than any call has. */
const MOST_COMMANDS = 60;

describe.skipIf(!there.available).concurrent("each command of a call", () => {
  let site: Site;
  let sound: Seam["backend"];

  beforeAll(async () => {
    site = await Site.start();
    sound = await site.backend();
  });

  afterAll(async () => site.close());

  /** All that there is to compare: without what differs between two jobs of the same kind. */
  async function outcome(answer: unknown, queue: string): Promise<unknown> {
    const { counters, ...counts } = await sound.stats(queue);
    const lists: unknown[] = [];
    for (const state of JOB_STATES) lists.push(await sound.read({ queue, state, limit: 100, cursor: null }));
    const differs = new Set(["id", "createdAt", "fence", "dueAt", "expiresAt", "leaseUntil"]);
    const plain = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (field, each: unknown) => (differs.has(field) ? undefined : each)));
    return { answer: plain(answer), counts, counters, lists: plain(lists) };
  }

  /** Lose the command of this number: `false` when the call has fewer. */
  async function lose(
    kind: "loseReply" | "loseRequest",
    number: number,
    name: string,
    prepare: Case,
  ): Promise<boolean> {
    let commands = 0;
    const isRequest = (bytes: Uint8Array): boolean =>
      COMMAND.test(Buffer.from(bytes).toString("latin1")) && commands++ === number;
    await using proxy = await FaultProxy.listen({ port: site.server.port, isRequest });
    const url = `mongodb://${proxy.host}:${proxy.port}/?directConnection=true`;
    const lossy = await site.backend({ url });
    const call = await prepare(new Seam(sound, name));
    commands = 0;
    proxy[kind]();
    const first = await code(call(lossy));
    const reached = commands > number;
    expect(reached ? ["UNAVAILABLE", "OUTCOME_UNKNOWN"] : ["done"]).toContain(first);
    await lossy.close();
    const whole = await prepare(new Seam(sound, `${name}, whole`));
    const expected = await outcome(await whole(sound), `${name}, whole`);
    expect(await outcome(await call(sound), name)).toEqual(expected);
    expect(await outcome(await call(sound), name)).toEqual(expected);
    return reached;
  }

  test.each(Object.entries(cases))(
    "of %s may be lost",
    async (name, prepare) => {
      for (const kind of ["loseReply", "loseRequest"] as const) {
        let number = 0;
        while (await lose(kind, number, `${name}, ${kind} ${number}`, prepare)) number++;
        expect(number).toBeGreaterThan(0);
        expect(number).toBeLessThan(MOST_COMMANDS);
      }
    },
    120_000,
  );
});
