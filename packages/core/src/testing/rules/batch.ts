/** Calls for many jobs: puts that are all or nothing, and answers that stand in the order of the questions. */
import assert from "node:assert/strict";
import { newJobId, newRequestId } from "../../id.ts";
import { ack, bury, LONG, release, texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam } from "../seam-queue.ts";

export const batch: readonly Rule[] = [
  {
    id: "batch.put-keeps-its-order",
    title: "the jobs of one put come out in the order of the array, and no other job comes between them",
    promise: "order",
    async run(t) {
      const [a, b] = [await seam(t), await seam(t)];
      const named = (prefix: string): string[] => range(50).map((index) => `${prefix}${index}`);
      await Promise.all([a.put(...named("a").map((name) => job(name))), b.put(...named("b").map((name) => job(name)))]);
      const order = texts(await a.take(100));
      const first = order[0]?.[0] ?? "";
      assert.deepEqual(order, [...named(first), ...named(first === "a" ? "b" : "a")]);
    },
  },
  {
    id: "batch.put-is-seen-whole",
    title: "a reader at any moment sees none or all of the jobs of one put", // kazoo B2
    promise: "P9",
    async run(t) {
      const [q, reader] = [await seam(t), await seam(t)];
      for (const round of range(4)) {
        const put = { stored: false };
        const putting = q.put(...range(50).map((index) => job(`${index}`))).finally(() => (put.stored = true));
        try {
          for (; !put.stored; await t.pass(1)) {
            const { ready } = await reader.stats();
            assert.equal(ready % 50, 0, `in round ${round} a reader saw ${ready % 50} of the 50 jobs of one put`);
          }
        } finally {
          await putting;
        }
      }
      assert.equal((await reader.stats()).ready, 200);
    },
  },
  {
    id: "batch.put-is-taken-whole",
    title: "a consumer that takes while a put is stored gets none or all of its jobs",
    promise: "P9",
    async run(t) {
      const [q, consumer] = [await seam(t), await seam(t)];
      const put = { stored: false };
      const putting = q.put(...range(50).map((index) => job(`${index}`))).finally(() => (put.stored = true));
      try {
        for (; !put.stored; await t.pass(1)) {
          const { length } = await consumer.take(100);
          assert.ok(length === 0 || length === 50, `a consumer got ${length} of the 50 jobs of one put`);
        }
      } finally {
        await putting;
      }
    },
  },
  {
    id: "batch.largest",
    title: "a put of `maxBatch` jobs stores every one of them, in order",
    promise: "P9",
    async run(t) {
      const q = await seam(t);
      const { maxBatch } = q.backend.capabilities;
      const outcomes = await q.put(...range(maxBatch).map((index) => job(`${index}`)));
      assert.equal(outcomes.length, maxBatch);
      assert.ok(outcomes.every(({ status }) => status === "added"));
      assert.equal((await q.stats()).ready, maxBatch, "the store does not hold all the jobs of its largest put");
      const taken = texts(await q.take(maxBatch));
      assert.deepEqual([taken[0], taken.at(-1), new Set(taken).size], ["0", `${taken.length - 1}`, taken.length]);
    },
  },
  {
    id: "batch.repeated-take-keeps-its-order",
    title: "a take of many that is repeated gives its jobs in the order of the first time",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      await q.put(...[3, 1, 4, 0, 2].map((priority) => job(`${priority}`, { priority })));
      const params = { request: newRequestId(), queue: q.name, limit: 9, lease: LONG };
      assert.deepEqual(texts(await q.backend.take(params)), ["0", "1", "2", "3", "4"]);
      assert.deepEqual(texts(await q.backend.take(params)), ["0", "1", "2", "3", "4"]);
    },
  },
  {
    id: "batch.settle-each-by-itself",
    title: "in a settle of many, each is answered in its place, and a lost lease spoils no other",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(...range(5).map((index) => job(`${index}`)));
      const [one, two, three, four, five] = await q.take(5);
      assert.ok(one && two && three && four && five, "take gave fewer jobs than were ready");
      await q.ack(two);
      const unknown = { id: newJobId(), fence: 1 };
      const stale = { id: four.id, fence: four.fence + 1 };
      const items = [release(one), ack(two), bury(three), ack(unknown), ack(stale), ack(five)];
      assert.deepEqual(await q.settle(...items), ["ready", "lost", "buried", "lost", "lost", "gone"]);
      assert.deepEqual(texts(await q.list("leased")), ["3"]);
      assert.deepEqual(texts(await q.list("ready")), ["0"]);
    },
  },
  {
    id: "batch.touch-each-by-itself",
    title: "in a touch of many, each is answered in its place, and a lost lease spoils no other",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("1"), job("2"), job("3"));
      const [one, two, three] = await q.take(3, LONG);
      assert.ok(one && two && three, "take gave fewer jobs than were ready");
      await q.ack(two);
      const items = [one, two, { id: newJobId(), fence: 1 }, three].map(({ id, fence }) => ({
        id,
        fence,
        lease: 5 * LONG,
        progress: null,
      }));
      const extended = await q.backend.touch({ request: newRequestId(), queue: q.name, items });
      assert.deepEqual(extended, [true, false, false, true]);
      const left = (await q.list("leased")).map(({ leaseUntil, createdAt }) => (leaseUntil ?? 0) - createdAt);
      assert.ok(left.length === 2 && left.every((ms) => ms > 4 * LONG), "a lease answered as extended was not");
    },
  },
  {
    id: "batch.dig-and-delete-each-by-itself",
    title: "dig and delete answer for each id in its place, and count what they did",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const [ready, buried, leased] = [job("ready", { priority: 2 }), job("buried"), job("leased", { priority: 1 })];
      await q.put(ready, buried, leased);
      await q.bury(await q.takeOne("buried"));
      await q.takeOne("leased");
      const dug = await q.dig(ready.id, newJobId(), buried.id, leased.id);
      assert.deepEqual(dug, { count: 1, outcomes: ["invalid-state", "not-found", "done", "invalid-state"] });
      const deleted = await q.delete(newJobId(), leased.id, ready.id);
      assert.deepEqual(deleted, { count: 2, outcomes: ["not-found", "done", "done"] });
      assert.deepEqual(await q.drain(), ["buried"]);
    },
  },
  {
    id: "batch.truncate-removes-all",
    title: "truncate removes the jobs of every state, holders have lost their leases, and the queue goes on", // tarantool T8
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const { results } = q.backend.capabilities;
      await q.put(job("done", { keepResult: results ? 60_000 : null }), job("buried"), job("leased"), job("ready"));
      await q.put(job("delayed", { due: { in: 60_000 } }));
      await q.ack(await q.takeOne("done"));
      await q.bury(await q.takeOne("buried"));
      const held = await q.takeOne("leased");
      await q.sibling("other").put(job("other"));
      assert.equal((await q.control("truncate")).count, results ? 5 : 4);
      const { counters, paused, ...left } = await q.stats();
      assert.deepEqual(left, { ready: 0, delayed: 0, leased: 0, buried: 0, done: 0 });
      assert.equal(counters.put, 5, "truncate must leave the counters");
      assert.equal(paused, false);
      assert.equal(await q.touch(held), false, "the lease of a removed job was extended");
      assert.equal(await q.ack(held), "lost", "the lease of a removed job is still held");
      assert.equal((await q.control("truncate")).count, 0);
      await q.put(job("next"));
      assert.deepEqual(await q.drain(), ["next"]);
      await q.sibling("other").takeOne("other");
    },
  },
];
