/** Jobs of one priority: who comes first. */
import assert from "node:assert/strict";
import { newJobId } from "../../id.ts";
import {
  assertNothing,
  drain,
  fail,
  LONG,
  outlast,
  putJob,
  putJobs,
  release,
  requeue,
  settle,
  SHORT,
  take,
  takeOne,
  text,
  texts,
} from "../jobs.ts";
import type { Rule } from "../rule.ts";

export const order: readonly Rule[] = [
  {
    id: "order.fifo", // kazoo K3, Tarantool N6
    title: "jobs of one priority come out in the order in which they were put",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      for (const name of ["one", "two", "three"]) await putJob(backend, name);
      assert.deepEqual(await drain(backend), ["one", "two", "three"]);
    },
  },
  {
    id: "order.array",
    title: "jobs of one put come out in the order of the array, also in one take",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      const names = Array.from({ length: 20 }, (_, index) => `job ${index}`);
      await putJobs(backend, ...names);
      assert.deepEqual(texts(await take(backend, 20)), names);
    },
  },
  {
    id: "order.by-the-store",
    title: "the order is the store's own: neither ids nor connections decide it",
    promise: "order",
    async run(t) {
      const [one, two] = [await t.backend(), await t.backend()];
      const falling = Array.from({ length: 8 }, newJobId).sort().reverse();
      for (const [index, id] of falling.entries())
        await putJob(index % 2 === 0 ? one : two, { id, payload: `${index}` });
      assert.deepEqual(await drain(one), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    },
  },
  {
    id: "order.released-first", // kazoo K9, Tarantool N8
    title: "a released job comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two");
      const job = await takeOne(backend);
      await putJob(backend, "three");
      await settle(backend, release(job));
      assert.deepEqual(await drain(backend), ["one", "two", "three"]);
    },
  },
  {
    id: "order.returned-in-their-old-order",
    title: "returned jobs come out in their old order, not in the order of their return",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two", "three", "four");
      const [one, two, three] = await take(backend, 3);
      assert.ok(one && two && three, "take gave fewer jobs than are ready");
      await settle(backend, release(three));
      await settle(backend, release(one));
      await settle(backend, fail(two));
      assert.deepEqual(await drain(backend), ["one", "two", "three", "four"]);
    },
  },
  {
    id: "order.expired-first", // saferedisqueue sends them to the tail
    title: "a job whose lease ran out comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two", "three");
      await take(backend, 2, SHORT);
      await outlast(t, backend, SHORT);
      assert.deepEqual(await drain(backend), ["one", "two", "three"]);
    },
  },
  {
    id: "order.retry-first",
    title: "a retry, once it is due, comes before the undelivered jobs of its priority",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two");
      await settle(backend, fail(await takeOne(backend), "not yet", SHORT));
      await outlast(t, backend, SHORT);
      await putJob(backend, "three");
      assert.deepEqual(await drain(backend), ["one", "two", "three"]);
    },
  },
  {
    id: "order.requeued-last", // Tarantool O8
    title: "a requeued job goes to the end of its priority, and is a fresh one there",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two", "less urgent");
      await putJob(backend, { payload: "least urgent", priority: 1 });
      const [one, two] = await take(backend, 2);
      assert.ok(one && two, "take gave fewer jobs than are ready");
      await settle(backend, requeue(one));
      await settle(backend, release(two));
      await putJob(backend, "four");
      assert.deepEqual(await drain(backend), ["two", "less urgent", "one", "four", "least urgent"]);
    },
  },
  {
    id: "order.requeued-keeps-its-new-place",
    title: "a requeued job that is released comes back to its new place",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, "one", "two");
      await settle(backend, requeue(await takeOne(backend)));
      await putJob(backend, "three");
      const both = await take(backend, 2);
      assert.deepEqual(texts(both), ["two", "one"]);
      await settle(backend, ...both.map((job) => release(job)));
      assert.deepEqual(await drain(backend), ["two", "one", "three"]);
    },
  },
  {
    id: "order.a-batch-is-a-prefix",
    title: "a take of several gives the first ones, and leaves the rest in order for others",
    promise: "order",
    async run(t) {
      const [one, two] = [await t.backend(), await t.backend()];
      await putJobs(one, "a", "b", "c", "d", "e");
      assert.deepEqual(texts(await take(one, 2, LONG)), ["a", "b"]);
      assert.equal(text(await takeOne(two)), "c");
      assert.deepEqual(texts(await take(one, 9, LONG)), ["d", "e"]);
      await assertNothing(two, "all are leased");
    },
  },
];
