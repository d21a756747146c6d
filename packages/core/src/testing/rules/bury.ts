/** Jobs put aside, and how they come back: bury, kick and dig. */
import assert from "node:assert/strict";
import { newJobId, newRequestId } from "../../id.ts";
import type { DeliveredJob } from "../../job.ts";
import { jobs } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

/** Put jobs of these names and bury them, one after the other. */
async function buried(q: SeamQueue, ...names: readonly string[]): Promise<DeliveredJob[]> {
  const taken: DeliveredJob[] = [];
  for (const name of names) {
    await q.put(job(name));
    const one = await q.takeOne(name);
    assert.equal(await q.bury(one, `error of ${name}`), "buried");
    taken.push(one);
  }
  return taken;
}

export const bury: readonly Rule[] = [
  {
    id: "bury.puts-aside", // Tarantool O11 and N20
    title: "a buried job stays, with its reason and error, and is not delivered",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      const [taken] = await buried(q, "bad");
      assert.ok(taken);
      const { state, buryReason, lastError, attempt, leaseUntil } = (await q.find(taken.id)) ?? {};
      const expected = {
        state: "buried",
        buryReason: "buried",
        lastError: "error of bad",
        attempt: 1,
        leaseUntil: null,
      };
      assert.deepEqual({ state, buryReason, lastError, attempt, leaseUntil }, expected);
      assert.deepEqual(await q.takeNames(9), []);
    },
  },
  {
    id: "bury.in-one-state", // seeded bugs 19 and 20
    title: "a buried job is in one state, never in two and never in none",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      await buried(q, "bad");
      const { ready, delayed, leased, buried: aside, done } = await q.stats();
      assert.deepEqual({ ready, delayed, leased, aside, done }, { ready: 0, delayed: 0, leased: 0, aside: 1, done: 0 });
      assert.deepEqual((await q.list("leased")).length, 0);
      assert.deepEqual((await q.list("buried")).length, 1);
    },
  },
  {
    id: "bury.keeps-the-error",
    title: "burying without an error keeps that of the attempt before",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("bad"));
      await q.fail(await q.takeOne("bad"), "the only error");
      const taken = await q.takeOne("bad");
      await q.bury(taken, null);
      assert.equal((await q.find(taken.id))?.lastError, "the only error");
    },
  },
  {
    id: "bury.kick-limit", // Tarantool N10 and O13; the 1.5 server digs all, whatever the count
    title: "kick makes as many ready as it is told, the longest buried first, and tells how many",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      for (const name of ["one", "two", "three", "four"]) {
        await queue.put(name);
        const job = await queue.take();
        await job?.bury();
      }
      assert.equal(await queue.kick(3), 3);
      for (const expected of ["one", "two", "three"]) assert.equal((await queue.take())?.payload, expected);
      assert.equal(await queue.take(), null);
      assert.equal(await queue.kick(100_500), 1);
      assert.equal((await queue.take())?.payload, "four");
      assert.equal(await queue.kick(1), 0);
    },
  },
  {
    id: "bury.kick-by-burial",
    title: "kick goes by the time of the burial, not by the order of the jobs",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("one", "two", "three"));
      const [one, two, three] = await q.take(3);
      assert.ok(one && two && three, "take gave fewer jobs than are ready");
      for (const taken of [two, three, one]) await q.bury(taken);
      await q.kick(2);
      assert.deepEqual(await q.takeNames(9), ["two", "three"]);
    },
  },
  {
    id: "bury.kick-renews",
    title: "a kicked job has fresh attempts, and its reason is gone",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("again", { maxAttempts: 2 }));
      await q.fail(await q.takeOne("again"));
      assert.equal(await q.fail(await q.takeOne("again")), "buried");
      await q.kick();
      const taken = await q.takeOne("again");
      assert.equal(taken.attempt, 1);
      assert.equal((await q.find(taken.id))?.buryReason, null);
      assert.equal(await q.fail(taken), "ready", "it has attempts left again");
    },
  },
  {
    id: "bury.back-at-the-end",
    title: "kicked and dug jobs go to the end of their priority, as fresh ones",
    promise: "order",
    async run(t) {
      const q = await seam(t);
      const [, dug] = await buried(q, "kicked", "dug");
      assert.ok(dug);
      await q.put(job("fresh"), job("less", { priority: 1 }));
      await q.kick(1);
      await q.dig(dug.id);
      await q.put(job("fresher"));
      assert.deepEqual(await q.drain(), ["fresh", "kicked", "dug", "fresher", "less"]);
    },
  },
  {
    id: "bury.kick-repeated",
    title: "a kick that is repeated with its request id is answered as the first time, and kicks no more",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      await buried(q, "one", "two");
      const params = { request: newRequestId(), queue: q.name, type: "kick", limit: 1 } as const;
      assert.equal((await q.backend.control(params)).count, 1);
      assert.equal((await q.backend.control(params)).count, 1);
      assert.deepEqual(await q.takeNames(9), ["one"]);
    },
  },
  {
    id: "bury.dig", // Tarantool O11
    title: "dig makes certain buried jobs ready, and tells of each other one why not",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const [one, two] = await buried(q, "one", "two");
      assert.ok(one && two);
      const [ready, delayed] = [job("ready", { priority: 1 }), job("delayed", { due: { in: 60_000 } })];
      await q.put(ready, delayed);
      const { count, outcomes } = await q.dig(ready.id, two.id, newJobId(), delayed.id);
      assert.deepEqual(
        { count, outcomes },
        { count: 1, outcomes: ["invalid-state", "done", "not-found", "invalid-state"] },
      );
      assert.deepEqual(await q.takeNames(9), ["two", "ready"]);
    },
  },
  {
    id: "bury.dig-leaves-holders-alone",
    title: "dig does nothing to a leased job",
    promise: "P6",
    async run(t) {
      const [holder, operator] = [await seam(t), await seam(t)];
      await holder.put(job("held"));
      const held = await holder.takeOne("held");
      assert.deepEqual((await operator.dig(held.id)).outcomes, ["invalid-state"]);
      assert.deepEqual(await operator.takeNames(9), []);
      assert.equal(await holder.ack(held), "gone");
    },
  },
];
