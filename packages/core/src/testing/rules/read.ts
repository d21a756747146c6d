import assert from "node:assert/strict";
import { newJobId } from "../../id.ts";
import type { JobState, StoredJob } from "../../job.ts";
import { bytes, LONG, texts } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

/** More jobs than a page holds, and not a multiple of it. */
const COUNT = 11;
const PAGE = 3;

/** Numbers below `COUNT` in an order that is neither of the obvious ones. */
const MIXED: readonly number[] = range(COUNT).map((index) => (index * 7 + 4) % COUNT);

/** The job, which must be there. */
async function find(q: SeamQueue, { id }: { readonly id: StoredJob["id"] }): Promise<StoredJob> {
  const found = await q.find(id);
  assert.ok(found, "read by id does not find a job that is in the queue");
  return found;
}

/** A time of the store, exact up to its precision. */
function assertTime(q: SeamQueue, actual: number | null, expected: number, what: string): void {
  const off = Math.abs((actual ?? Number.NaN) - expected);
  assert.ok(off <= q.backend.capabilities.timePrecision, `${what} is ${actual}, expected ${expected}`);
}

/** Fill the state so that the order in which it is listed is that of the names. */
const FILL: Readonly<Record<JobState, (q: SeamQueue) => Promise<unknown>>> = {
  ready: (q) => q.put(...MIXED.map((name) => job(`${name}`, { priority: name }))),
  delayed: (q) => q.put(...MIXED.map((name) => job(`${name}`, { due: { in: 60_000 + name * 100 } }))),
  async leased(q) {
    await q.put(...MIXED.map((name) => job(`${name}`, { lease: 60_000 + name * 1_000 })));
    await q.take(COUNT);
  },
  async buried(q) {
    await q.put(...MIXED.map((name) => job(`${name}`)));
    const taken = await q.take(COUNT);
    for (const name of range(COUNT)) await q.bury(taken[MIXED.indexOf(name)]!);
  },
  async done(q) {
    await q.put(...MIXED.map((name) => job(`${name}`, { keepResult: 60_000 })));
    const taken = await q.take(COUNT);
    for (const name of range(COUNT)) await q.ack(taken[MIXED.indexOf(name)]!);
  },
};

/** The rule for the pages of one state. */
function pagesOf(state: JobState, order: string): Rule {
  return {
    id: `read.pages-of-${state}`,
    title: `the pages of ${state} jobs give each job once, ${order}`,
    promise: "api",
    ...(state === "done" && { needs: { capability: "results" } }),
    async run(t) {
      const q = await seam(t);
      await FILL[state](q);
      const first = await q.backend.read({ queue: q.name, state, limit: PAGE, cursor: null });
      assert.equal(first.jobs.length, PAGE, "the first page is not full");
      const all = await q.list(state, PAGE);
      assert.deepEqual(texts(all), range(COUNT).map(String));
      for (const one of all) assert.equal(one.state, state);
      assert.deepEqual(texts(await q.list(state, COUNT)), range(COUNT).map(String), "all jobs in one page");
    },
  };
}

/** A job taken from a queue of its own. */
async function taken(t: RuleContext, maxAttempts = 3) {
  const q = await seam(t);
  await q.put(job("job", { maxAttempts }));
  return { q, held: await q.takeOne("job") };
}

export const read: readonly Rule[] = [
  pagesOf("ready", "in the order of their places"),
  pagesOf("delayed", "by due time"),
  pagesOf("leased", "by the end of their leases"),
  pagesOf("buried", "in the order in which they were buried"),
  pagesOf("done", "in the order in which they were acked"),
  {
    id: "read.by-ids",
    title: "a read by ids gives those that exist in the order asked for, and leaves out the rest",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const jobs = range(4).map((index) => job(`${index}`, index === 1 ? { due: { in: 60_000 } } : {}));
      await q.put(...jobs);
      await q.sibling("other").put(job("elsewhere"));
      await q.bury(await q.takeOne("0"));
      const [elsewhere] = await q.sibling("other").list("ready");
      assert.ok(elsewhere);
      const ids = [jobs[3]!.id, newJobId(), jobs[0]!.id, elsewhere.id, jobs[1]!.id];
      const { jobs: found, cursor } = await q.backend.read({ queue: q.name, ids });
      assert.deepEqual(texts(found), ["3", "0", "1"]);
      assert.deepEqual(
        found.map(({ state }) => state),
        ["ready", "buried", "delayed"],
      );
      assert.equal(cursor, null);
    },
  },
  {
    id: "read.new-job",
    title: "a new job is read as it was put",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const one = job("job", { priority: -7, ttl: 90_000, maxAttempts: 5, headers: '{"a":1}', due: { in: 60_000 } });
      const urgent = job("urgent", { urgent: true });
      await q.put(one, urgent);
      const found = await find(q, one);
      assertTime(q, found.dueAt, found.createdAt + 60_000, "dueAt");
      assertTime(q, found.expiresAt, found.createdAt + 90_000, "expiresAt");
      const { id, priority, maxAttempts, headers } = one;
      const { createdAt, dueAt, expiresAt } = found;
      const given = { id, priority, maxAttempts, headers, payload: "job", urgent: false, key: null, group: null };
      const now = { state: "delayed", attempt: 0, fence: 0, createdAt, dueAt, expiresAt, leaseUntil: null };
      const nothing = { buryReason: null, lastError: null, progress: null, result: null };
      assert.deepEqual({ ...found, payload: texts([found])[0] }, { ...given, ...now, ...nothing });
      const { urgent: isUrgent, dueAt: notDue, expiresAt: never } = await find(q, urgent);
      assert.deepEqual({ isUrgent, notDue, never }, { isUrgent: true, notDue: null, never: null });
      const moment = { at: createdAt + 70_000 };
      const later = job("later", { due: moment });
      await q.put(later);
      assertTime(q, (await find(q, later)).dueAt, moment.at, "dueAt of a job put for a moment");
    },
  },
  {
    id: "read.due-job",
    title: "a job that fell due is read as ready, without a due time",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const one = job("job", { due: { in: 30 } });
      await q.put(one);
      await q.passDue(30);
      const ready = await find(q, one);
      assert.deepEqual([ready.state, ready.dueAt], ["ready", null]);
      await q.takeOne("job");
      const leased = await find(q, one);
      assert.deepEqual([leased.state, leased.dueAt], ["leased", null]);
    },
  },
  {
    id: "read.leased-job",
    title: "a leased job is read with its attempt, fence, the end of its lease and its progress",
    promise: "api",
    async run(t) {
      const { q, held } = await taken(t);
      const after = job("after");
      await q.put(after);
      const { createdAt: later } = await find(q, after);
      const found = await find(q, held);
      assert.deepEqual([found.state, found.attempt, found.fence], ["leased", 1, held.fence]);
      assert.equal(found.createdAt, held.createdAt, "the delivered job and the stored one disagree on createdAt");
      const slack = q.backend.capabilities.timePrecision;
      const until = found.leaseUntil ?? 0;
      assert.ok(until >= found.createdAt + LONG - slack && until <= later + LONG + slack, `the lease ends at ${until}`);
      await q.touch(held, 2 * LONG, bytes("half"));
      const touched = await find(q, held);
      assert.deepEqual(texts([{ payload: touched.progress ?? new Uint8Array() }]), ["half"]);
      assert.ok((touched.leaseUntil ?? 0) >= until + LONG - slack, "a touch did not move leaseUntil");
    },
  },
  {
    id: "read.returned-job",
    title: "a returned job is read without a lease, with its last error and the time of its retry",
    promise: "api",
    async run(t) {
      const { q, held } = await taken(t);
      await q.touch(held, LONG, bytes("half"));
      await q.fail(held, "it broke", 60_000);
      const failed = await find(q, held);
      assert.deepEqual(
        [failed.state, failed.attempt, failed.fence, failed.lastError, failed.leaseUntil],
        ["delayed", 1, held.fence, "it broke", null],
      );
      assert.ok((failed.dueAt ?? 0) >= failed.createdAt + 60_000 - 1, "dueAt is not the time of the retry");
      assert.deepEqual(texts([{ payload: failed.progress ?? new Uint8Array() }]), ["half"], "the progress was lost");
    },
  },
  {
    id: "read.buried-job",
    title: "a buried job is read with the reason and its last error, and loses the reason when it is dug up",
    promise: "states",
    async run(t) {
      const { q, held } = await taken(t, 1);
      await q.fail(held, "it broke");
      const failed = await find(q, held);
      assert.deepEqual([failed.state, failed.buryReason, failed.lastError], ["buried", "failed", "it broke"]);
      await q.dig(held.id);
      const dug = await find(q, held);
      assert.deepEqual([dug.state, dug.buryReason, dug.attempt, dug.lastError], ["ready", null, 0, "it broke"]);
      await q.bury(await q.takeOne("job"), "no good");
      const buried = await find(q, held);
      assert.deepEqual([buried.buryReason, buried.lastError], ["buried", "no good"]);
      await q.kick();
      await q.takeOne("job", 30);
      await q.passDue(30);
      const expired = await find(q, held);
      assert.deepEqual([expired.state, expired.buryReason], ["buried", "lease-expired"]);
      assert.equal(expired.leaseUntil, null);
    },
  },
  {
    id: "read.changes-nothing",
    title: "reading leases nothing and changes nothing", // tarantool N17
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.put(job("1"), job("2"), job("3"));
      const held = await q.takeOne("1");
      const before = { stats: await q.stats(), held: await find(q, held), ready: await q.list("ready") };
      for (const state of ["ready", "leased", "buried"] as const) await q.list(state, 1);
      const after = { stats: await q.stats(), held: await find(q, held), ready: await q.list("ready") };
      assert.deepEqual(after, before);
      const second = await q.takeOne("2");
      assert.equal(second.attempt, 1, "reading was counted as an attempt");
      assert.equal(await q.ack(held), "gone");
    },
  },
  {
    id: "read.no-expired-job",
    title: "a job whose TTL is over is not read, by id or by state",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const one = job("job", { ttl: 30 });
      await q.put(one);
      await q.passDue(30);
      assert.equal(await q.find(one.id), undefined);
      assert.deepEqual(await q.list("ready"), []);
    },
  },
];
