/** Jobs of one priority: who comes first. */
import assert from "node:assert/strict";
import { newJobId } from "../../id.ts";
import { fail, jobs, release, requeue, SHORT, texts } from "../jobs.ts";
import { job, seam } from "../seam-queue.ts";
import type { Rule } from "../rule.ts";

export const order: readonly Rule[] = [
  {
    id: "order.fifo", // kazoo K3, Tarantool N6
    title: "jobs of one priority come out in the order in which they were put",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      for (const name of ["one", "two", "three"]) await q.put(job(name));
      assert.deepEqual(await q.drain(), ["one", "two", "three"]);
    },
  },
  {
    id: "order.array",
    title: "jobs of one put come out in the order of the array, also in one take",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const names = Array.from({ length: 20 }, (_, index) => `job ${index}`);
      await q.put(...jobs(...names));
      assert.deepEqual(await q.takeNames(20), names);
    },
  },
  {
    id: "order.by-the-store",
    title: "the order is the store's own: neither ids nor connections decide it",
    promise: "order",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      const falling = Array.from({ length: 8 }, newJobId).sort().toReversed();
      for (const [index, id] of falling.entries()) {
        await (index % 2 === 0 ? one : two).put(job(`${index}`, { id }));
      }
      assert.deepEqual(await one.drain(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    },
  },
  {
    id: "order.released-first", // kazoo K9, Tarantool N8
    title: "a released job comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two"));
      const first = await q.takeOne("one");
      await q.put(job("three"));
      await q.settle(release(first));
      assert.deepEqual(await q.drain(), ["one", "two", "three"]);
    },
  },
  {
    id: "order.returned-in-their-old-order",
    title: "returned jobs come out in their old order, not in the order of their return",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two", "three", "four"));
      const [one, two, three] = await q.take(3);
      assert.ok(one && two && three, "take gave fewer jobs than are ready");
      await q.settle(release(three));
      await q.settle(release(one));
      await q.settle(fail(two));
      assert.deepEqual(await q.drain(), ["one", "two", "three", "four"]);
    },
  },
  {
    id: "order.expired-first", // saferedisqueue sends them to the tail
    title: "a job whose lease ran out comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two", "three"));
      await q.take(2, SHORT);
      await q.passDue(SHORT);
      assert.deepEqual(await q.drain(), ["one", "two", "three"]);
    },
  },
  {
    id: "order.retry-first",
    title: "a retry, once it is due, comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two"));
      await q.settle(fail(await q.takeOne(), "not yet", SHORT));
      await q.passDue(SHORT);
      await q.put(job("three"));
      assert.deepEqual(await q.drain(), ["one", "two", "three"]);
    },
  },
  {
    id: "order.requeued-last", // Tarantool O8
    title: "a requeued job goes to the end of its priority, and is a fresh one there",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two", "less urgent"));
      await q.put(job("least urgent", { priority: 1 }));
      const [one, two] = await q.take(2);
      assert.ok(one && two, "take gave fewer jobs than are ready");
      await q.settle(requeue(one));
      await q.settle(release(two));
      await q.put(job("four"));
      assert.deepEqual(await q.drain(), ["two", "less urgent", "one", "four", "least urgent"]);
    },
  },
  {
    id: "order.requeued-keeps-its-new-place",
    title: "a requeued job that is released comes back to its new place",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two"));
      await q.settle(requeue(await q.takeOne()));
      await q.put(job("three"));
      const both = await q.take(2);
      assert.deepEqual(texts(both), ["two", "one"]);
      await q.settle(...both.map((one) => release(one)));
      assert.deepEqual(await q.drain(), ["two", "one", "three"]);
    },
  },
  {
    id: "order.fresh-after-returns",
    title: "a job that was returned before is a fresh one again once it is requeued, kicked or dug up",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("requeued", "kicked", "dug"));
      await q.settle(...(await q.take(3)).map((one) => release(one)));
      const [requeued, kicked, dug] = await q.take(3);
      assert.ok(requeued && kicked && dug, "take gave fewer jobs than are ready");
      await q.bury(kicked);
      await q.bury(dug);
      await q.put(job("waiting"));
      await q.requeue(requeued);
      await q.kick(1);
      await q.dig(dug.id);
      assert.deepEqual(await q.drain(), ["waiting", "requeued", "kicked", "dug"]);
    },
  },
  {
    id: "order.a-batch-is-a-prefix",
    title: "a take of several gives the first ones, and leaves the rest in order for others",
    promise: "order",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(...jobs("a", "b", "c", "d", "e"));
      assert.deepEqual(await one.takeNames(2), ["a", "b"]);
      await two.takeOne("c");
      assert.deepEqual(await one.takeNames(9), ["d", "e"]);
      assert.deepEqual(await two.takeNames(9), [], "all are leased");
    },
  },
];
