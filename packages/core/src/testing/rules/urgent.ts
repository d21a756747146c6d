/** Urgent jobs come before everything, the newest first. */
import assert from "node:assert/strict";
import { newJob, release, SHORT } from "../jobs.ts";
import type { NewJob } from "../../job.ts";
import type { Rule } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";

function urgentJob(name: string): NewJob {
  return newJob({ payload: name, urgent: true });
}

export const urgent: readonly Rule[] = [
  {
    id: "urgent.newest-first", // Tarantool T6 and O5
    title: "an urgent job comes before the others, and before older urgent ones",
    promise: "order",
    async run(t) {
      const queue = t.queue<string>();
      await queue.put("basic");
      await queue.urgent("A");
      await queue.urgent("B");
      for (const expected of ["B", "A", "basic"]) {
        const job = await queue.take();
        assert.equal(job?.payload, expected);
        await job.ack();
      }
    },
  },
  {
    id: "urgent.before-any-priority",
    title: "an urgent job comes before fresh and returned jobs of the lowest priority number",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const priority = -(2 ** 31);
      await q.put(job("returned", { priority }), job("fresh", { priority }));
      await q.release(await q.takeOne("returned"));
      await q.put(urgentJob("urgent"));
      assert.deepEqual(await q.drain(), ["urgent", "returned", "fresh"]);
    },
  },
  {
    id: "urgent.in-one-put",
    title: "of several urgent jobs in one put, the last is the newest",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(urgentJob("older"), urgentJob("newer"));
      await q.put(urgentJob("newest"));
      assert.deepEqual(await q.drain(), ["newest", "newer", "older"]);
    },
  },
  {
    id: "urgent.through-release", // Tarantool T6
    title: "released urgent jobs come back in their old order, before all others",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("basic"));
      await q.put(urgentJob("A"));
      await q.put(urgentJob("B"));
      const [b, a, basic] = await q.take(3);
      assert.ok(b && a && basic, "take gave fewer jobs than are ready");
      await q.put(job("sooner", { priority: -1 }));
      for (const taken of [b, basic, a]) await q.settle(release(taken));
      assert.deepEqual(await q.drain(), ["B", "A", "sooner", "basic"]);
    },
  },
  {
    id: "urgent.through-expiry",
    title: "an urgent job whose lease ran out is still before all others",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(urgentJob("A"));
      await q.takeOne("A", SHORT);
      await q.put(job("sooner", { priority: -1 }), urgentJob("B"));
      await q.passDue(SHORT);
      assert.deepEqual(await q.drain(), ["B", "A", "sooner"]);
    },
  },
  {
    id: "urgent.ended-by-requeue",
    title: "requeue makes an urgent job an ordinary one, at the end of its priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("one"), urgentJob("was urgent"), job("less", { priority: 1 }));
      await q.requeue(await q.takeOne("was urgent"));
      await q.put(job("two"));
      assert.deepEqual(await q.drain(), ["one", "was urgent", "two", "less"]);
    },
  },
  {
    id: "urgent.ended-by-kick",
    title: "kick makes an urgent job an ordinary one, at the end of its priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(job("one"), urgentJob("was urgent"));
      await q.bury(await q.takeOne("was urgent"));
      await q.kick();
      await q.put(job("two"));
      assert.deepEqual(await q.drain(), ["one", "was urgent", "two"]);
    },
  },
];
