/** Delayed jobs: never early, and in their place when they are due. */
import assert from "node:assert/strict";
import { parseJobId } from "../../id.ts";
import { jobs, LONG, newJob, SHORT, WINDOW } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, range, seam } from "../seam-queue.ts";
import { skewed } from "../skewed-clock.ts";
import { assertSameTime, notBefore, takeSoon } from "../timing.ts";

const HOUR = 3_600_000;

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
      const check = notBefore(t, q, WINDOW);
      const made = job("later", { due: { in: WINDOW } });
      await q.put(made);
      assert.equal((await q.find(made.id))?.state, "delayed");
      await takeSoon(t, q, WINDOW);
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
      assert.ok(found);
      assertSameTime(q, found.dueAt, found.createdAt + SHORT);
      const lease = 10_000;
      await takeSoon(t, q, SHORT, lease);
      const leaseUntil = (await q.find(made.id))?.leaseUntil ?? 0;
      const early = (found.dueAt ?? 0) - (leaseUntil - lease);
      assert.ok(early < q.backend.capabilities.timePrecision, `the job came ${early} ms before it was due`);
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
      await q.put(job("due", { due: { in: WINDOW } }));
      await q.put(...jobs("a", "b"));
      await q.passDue(WINDOW);
      assert.deepEqual(await q.takeNames(9), ["a", "b", "due"]);
    },
  },
  {
    id: "delay.by-due-time",
    title: "delayed jobs come out in the order of their due times, equal ones in the order of the array",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const step = Math.max(30, 2 * q.backend.capabilities.timePrecision);
      await q.put(...[3, 1, 2, 1].map((steps, index) => job(`${steps}-${index}`, { due: { in: steps * step } })));
      await q.passDue(3 * step);
      assert.deepEqual(await q.takeNames(9), ["1-1", "1-3", "2-2", "3-0"]);
    },
  },
  {
    id: "delay.before-later-requeues",
    title: "a due job is before a job that is requeued, kicked or dug up after it fell due, whoever looks first",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(newJob("requeued"), newJob("kicked"), newJob("dug"));
      const [requeued, kicked, dug] = await q.take(3);
      assert.ok(requeued && kicked && dug, "take gave fewer jobs than were ready");
      await q.bury(kicked);
      await q.bury(dug);
      for (const [name, act] of [
        ["a requeue", () => q.requeue(requeued)],
        ["a kick", () => q.kick(1)],
        ["a dig", () => q.dig(dug.id)],
      ] as const) {
        await q.put(newJob({ payload: `due before ${name}`, due: { in: 30 } }));
        await q.passDue(30);
        await act();
      }
      const due = (name: string): string => `due before ${name}`;
      const order = [due("a requeue"), "requeued", due("a kick"), "kicked", due("a dig"), "dug"];
      assert.deepEqual(await q.drain(), order);
    },
  },
  {
    id: "delay.due-once", // seeded bug 41
    title: "jobs that fall due while several consumers take are given out once each",
    promise: "P6",
    async run(t) {
      const consumers = [await seam(t), await seam(t), await seam(t)];
      const names = range(9).map(String);
      await consumers[0]?.put(...names.map((name) => job(name, { due: { in: SHORT } })));
      await consumers[0]?.passDue(SHORT);
      const taken = await Promise.all([1, 2].flatMap(() => consumers.map((consumer) => consumer.takeNames(3))));
      // Those that race may pass over what others are at: then it is there for the next.
      const left = await consumers[0]?.takeNames(names.length);
      assert.deepEqual([...taken.flat(), ...(left ?? [])].toSorted(), names);
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
      const made = job("later", { due: { at: now + WINDOW } });
      await q.put(made, job("past", { due: { at: now - HOUR } }));
      assert.deepEqual(await q.takeNames(9), ["first", "past"]);
      assertSameTime(q, (await q.find(made.id))?.dueAt, now + WINDOW);
      await takeSoon(t, q, WINDOW);
    },
  },
  {
    id: "delay.moment-of-the-store",
    title: "a moment means the store's time, however wrong the producer's clock",
    promise: "P10",
    async run(t) {
      const q = await seam(t);
      const first = job("first");
      await q.put(first);
      const at = ((await q.find(first.id))?.createdAt ?? 0) + LONG;
      const queue = t.queue<string>("q", { clock: skewed(t.store.clock, HOUR) });
      const { id } = await queue.put("later", { at });
      assertSameTime(q, (await q.find(parseJobId(id)))?.dueAt, at);
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
