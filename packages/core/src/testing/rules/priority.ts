/** Lower is sooner, whatever the numbers. */
import assert from "node:assert/strict";
import { newJobId } from "../../id.ts";
import type { NewJob } from "../../job.ts";
import { fail, jobs, release, SHORT } from "../jobs.ts";
import { job, seam } from "../seam-queue.ts";
import type { Rule } from "../rule.ts";

const LOWEST = -(2 ** 31);
const HIGHEST = 2 ** 31 - 1;

/** A job that says its priority. */
function at(priority: number): NewJob {
  return job(String(priority), { priority });
}

export const priority: readonly Rule[] = [
  {
    id: "priority.lower-is-sooner", // kazoo K4 and K11; O14 and mongoqueue M5 with their numbers turned round
    title: "jobs come out by priority, the lower number sooner, and in their order within one",
    promise: "order",
    async run(t) {
      const queue = t.queue<string>();
      await queue.put("four", { priority: 101 });
      await queue.put("one", { priority: 0 });
      await queue.put("two", { priority: 0 });
      await queue.put("three", { priority: 10 });
      for (const expected of ["one", "two", "three", "four"]) {
        const job = await queue.take();
        assert.equal(job?.payload, expected);
        await job.ack();
      }
    },
  },
  {
    id: "priority.extremes",
    title: "priorities from -2^31 to 2^31-1 are ordered as numbers",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const sorted = [LOWEST, LOWEST + 1, -1000, -10, -9, -1, 0, 1, 9, 10, 1000, HIGHEST - 1, HIGHEST];
      const mixed = [0, HIGHEST, -9, 1000, LOWEST, 10, -1, HIGHEST - 1, -1000, 9, 1, LOWEST + 1, -10];
      await q.put(...mixed.map(at));
      assert.deepEqual((await q.drain()).map(Number), sorted);
    },
  },
  {
    id: "priority.fifo-at-the-extremes",
    title: "jobs of an extreme priority keep their order, to the last one",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const ids = Array.from({ length: 10 }, newJobId).sort().toReversed();
      const numbered = ids.map((id, index) => job(`${index}`, { id, priority: index < 5 ? LOWEST : HIGHEST }));
      await q.put(...numbered);
      assert.deepEqual(await q.drain(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    },
  },
  {
    id: "priority.later-put-overtakes", // kazoo's Queue serves a cached list first
    title: "a later, more urgent put is seen by the next take, on every connection",
    promise: "order",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(...jobs("a", "b", "c"));
      await two.takeOne("a");
      await one.put(job("urgent", { priority: -1 }));
      await two.takeOne("urgent");
      await two.takeOne("b");
    },
  },
  {
    id: "priority.in-one-take",
    title: "a take of several gives them in the order of their priorities",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(at(3), at(1), at(2), at(-5));
      assert.deepEqual(await q.takeNames(3), ["-5", "1", "2"]);
    },
  },
  {
    id: "priority.kept-through-returns", // Tarantool N27
    title: "a returned job keeps its priority: it passes its equals, and nobody more urgent",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("released", { priority: 5 }), job("failed", { priority: 5 }));
      const [released, failed] = await q.take(2);
      assert.ok(released && failed, "take gave fewer jobs than are ready");
      await q.put(at(5), at(4), at(6));
      await q.settle(fail(failed), release(released));
      assert.deepEqual(await q.drain(), ["4", "released", "failed", "5", "6"]);
    },
  },
  {
    id: "priority.kept-through-delay",
    title: "a job that falls due takes its place by priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("was delayed", { priority: 1, due: { in: SHORT } }));
      await q.put(at(0), at(2));
      await q.passDue(SHORT);
      assert.deepEqual(await q.drain(), ["0", "was delayed", "2"]);
    },
  },
  {
    id: "priority.no-waiting-ahead",
    title: "settling one job changes nothing in the order of the others",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(at(2), at(0), at(1), at(0), at(2));
      assert.deepEqual(await q.drain(), ["0", "0", "1", "2", "2"]);
    },
  },
];
