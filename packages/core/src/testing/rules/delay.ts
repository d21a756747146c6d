/** Delayed jobs: never early, and in their place when they are due. */
import assert from "node:assert/strict";
import { jobs, newJob, SHORT } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";
import { skewed } from "../skewed-clock.ts";
import { notBefore, takeSoon } from "../timing.ts";

const HOUR = 3_600_000;

/** What the store's clock showed at the newest delivery of the leased job that was put first. */
async function takenAt(q: SeamQueue): Promise<number> {
  const [leased] = await q.list("leased");
  const taken = leased?.leaseUntil ?? undefined;
  assert.ok(taken !== undefined, "a leased job has an end of its lease");
  return taken;
}

/** Put a delayed job through a queue whose clock is wrong, and see that its delay is what it says. */
async function delaysThrough(t: RuleContext, error: number): Promise<void> {
  const queue = t.queue<string>("q", { clock: skewed(t.store.clock, error) });
  const q = await seam(t);
  const check = notBefore(t, q, SHORT);
  await queue.put("later", { delay: SHORT });
  await takeSoon(t, q, SHORT);
  check("the job came");
}

export const delay: readonly Rule[] = [
  {
    id: "delay.not-early", // Tarantool O2 and N18
    title: "a delayed job is not given out before its delay is over, and soon after it is",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      const check = notBefore(t, q, SHORT);
      const made = job("later", { due: { in: SHORT } });
      await q.put(made);
      assert.equal((await q.find(made.id))?.state, "delayed");
      await takeSoon(t, q, SHORT);
      check("the job came");
    },
  },
  {
    id: "delay.by-the-stores-clock",
    title: "the moment of delivery by the store's own clock is not before the due time that it tells",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      const made = job("later", { due: { in: SHORT } });
      await q.put(made);
      const found = await q.find(made.id);
      assert.equal(found?.dueAt, (found?.createdAt ?? 0) + SHORT, "a delay counts from the put");
      const lease = 10_000;
      await takeSoon(t, q, SHORT, lease);
      const early = (found?.dueAt ?? 0) - ((await takenAt(q)) - lease);
      assert.ok(early <= 0, `the job came ${early} ms before it was due`);
    },
  },
  {
    id: "delay.without-a-look",
    title: "a job that fell due while nobody looked is before a job put after that moment",
    promise: "order",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(job("due", { due: { in: SHORT } }));
      await one.passDue(SHORT);
      await two.put(job("put later"));
      assert.deepEqual(await one.takeNames(9), ["due", "put later"]);
    },
  },
  {
    id: "delay.after-earlier-puts",
    title: "a delayed job comes after the jobs that were put while it was delayed",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("due", { due: { in: SHORT } }));
      await q.put(...jobs("a", "b"));
      await q.passDue(SHORT);
      assert.deepEqual(await q.takeNames(9), ["a", "b", "due"]);
    },
  },
  {
    id: "delay.by-due-time",
    title: "delayed jobs come out in the order of their due times, equal ones in the order of the array",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const delayed = [90, 30, 60, 30].map((ms, index) => job(`${ms}-${index}`, { due: { in: ms } }));
      await q.put(...delayed);
      await q.passDue(90);
      assert.deepEqual(await q.takeNames(9), ["30-1", "30-3", "60-2", "90-0"]);
    },
  },
  {
    id: "delay.until-a-moment",
    title: "a job put for a moment is due then; for a moment that is over, at once",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      const first = job("first");
      await q.put(first);
      const now = (await q.find(first.id))?.createdAt ?? 0;
      const made = job("later", { due: { at: now + 2 * SHORT } });
      await q.put(made, job("past", { due: { at: now - HOUR } }));
      assert.deepEqual(await q.takeNames(9), ["first", "past"]);
      assert.equal((await q.find(made.id))?.dueAt, now + 2 * SHORT);
      await takeSoon(t, q, 2 * SHORT);
    },
  },
  {
    id: "delay.fast-producer",
    title: "a producer whose clock is an hour fast delays its jobs no longer",
    promise: "P10",
    run: (t) => delaysThrough(t, HOUR),
  },
  {
    id: "delay.slow-producer",
    title: "a producer whose clock is an hour slow delays its jobs no less",
    promise: "P10",
    run: (t) => delaysThrough(t, -HOUR),
  },
  {
    id: "delay.of-a-release", // Tarantool O4 and N23
    title: "a job released with a delay comes back after it, and not before",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      await q.put(newJob("again"));
      const taken = await q.takeOne();
      const check = notBefore(t, q, SHORT);
      assert.equal(await q.release(taken, SHORT), "delayed");
      await takeSoon(t, q, SHORT);
      check("the job came back");
    },
  },
  {
    id: "delay.of-a-retry",
    title: "a failed job comes back after its backoff, and not before",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      await q.put(newJob("again"));
      const taken = await q.takeOne();
      const check = notBefore(t, q, SHORT);
      assert.equal(await q.fail(taken, "not yet", SHORT), "delayed");
      await takeSoon(t, q, SHORT);
      check("the job came back");
    },
  },
];
