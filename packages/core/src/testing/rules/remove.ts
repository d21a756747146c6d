/** Jobs removed by an operator: delete and truncate. */
import assert from "node:assert/strict";
import { newJobId, newRequestId } from "../../id.ts";
import type { NewJob } from "../../job.ts";
import { jobs, LONG, text, texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

/** One job in each state, done ones only where the store keeps results. */
async function oneOfEach(q: SeamQueue): Promise<NewJob[]> {
  const keepResult = q.backend.capabilities.results ? LONG : null;
  const [done, buried, leased] = [job("done", { keepResult }), job("buried"), job("leased")];
  await q.put(done, buried, leased);
  await q.ack(await q.takeOne("done"));
  await q.bury(await q.takeOne("buried"));
  await q.takeOne("leased");
  const [delayed, ready] = [job("delayed", { due: { in: LONG } }), job("ready")];
  await q.put(delayed, ready);
  return [...(keepResult === null ? [] : [done]), buried, leased, delayed, ready];
}

/** See that the queue has no job in any state. */
async function assertEmpty(q: SeamQueue): Promise<void> {
  const { ready, delayed, leased, buried, done } = await q.stats();
  assert.deepEqual([ready, delayed, leased, buried, done], [0, 0, 0, 0, 0], "jobs are left");
  assert.deepEqual(await q.takeNames(9), []);
}

export const remove: readonly Rule[] = [
  {
    id: "remove.delete-in-any-state", // Tarantool N10 and N19
    title: "delete removes a job in any state, and only the jobs it names",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const all = await oneOfEach(q);
      const other = job("other");
      await q.put(other);
      const { count, outcomes } = await q.delete(...all.map(({ id }) => id));
      assert.deepEqual([count, new Set(outcomes)], [all.length, new Set(["done"])]);
      for (const one of all) assert.equal(await q.find(one.id), undefined, `the ${text(one)} job is still there`);
      assert.equal((await q.find(other.id))?.state, "ready");
    },
  },
  {
    id: "remove.delete-tells", // Tarantool O3
    title: "delete tells of each job whether it was there",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      const { id } = await queue.put("one");
      assert.equal(await queue.delete(id), true);
      assert.equal(await queue.delete(id), false, "it was removed before");
      assert.equal(await queue.delete(newJobId()), false, "it never was there");
      assert.equal(await queue.peek(id), null);
    },
  },
  {
    id: "remove.truncate", // Tarantool T8 and N15
    title: "truncate removes the jobs of every state, tells how many, and leaves a working queue",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const all = await oneOfEach(q);
      assert.equal((await q.control("truncate")).count, all.length);
      await assertEmpty(q);
      assert.equal((await q.control("truncate")).count, 0);
      await q.put(...jobs("a", "b"));
      assert.deepEqual(await q.drain(), ["a", "b"]);
    },
  },
  {
    id: "remove.truncate-under-holders", // Tarantool leaves their rows behind
    title: "whoever holds a job of a truncated queue has lost the lease",
    promise: "P5",
    async run(t) {
      const [holder, operator] = [await seam(t), await seam(t)];
      await holder.put(...jobs("a", "b", "c"));
      const [a, b, c] = await holder.take(3);
      assert.ok(a && b && c, "take gave fewer jobs than are ready");
      await operator.control("truncate");
      assert.equal(await holder.touch(a), false);
      assert.deepEqual(await Promise.all([holder.ack(a), holder.fail(b), holder.bury(c)]), ["lost", "lost", "lost"]);
      await assertEmpty(operator);
    },
  },
  {
    id: "remove.delete-repeated",
    title: "a repeated delete does not remove the job that has the id by then",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const [first, other] = [job("first"), job("other")];
      await q.put(first, other);
      const params = { request: newRequestId(), queue: q.name, type: "delete", ids: [first.id] } as const;
      assert.deepEqual(await q.backend.control(params), { count: 1, outcomes: ["done"] });
      for (const name of ["second", "third"]) {
        await q.put(job(name, { id: first.id }));
        const again = await q.backend.control(params);
        assert.deepEqual(again, { count: 1, outcomes: ["done"] }, "the answer must be that of the first time");
        assert.deepEqual(
          texts(await q.list("ready")),
          ["other", name],
          "a repeated delete removed what was put after it",
        );
        await q.delete(first.id);
      }
      assert.deepEqual(await q.drain(), ["other"]);
    },
  },
  {
    id: "remove.id-that-moved-on",
    title: "whoever held a job of an id that was removed and put again finds the new job, not the old one",
    promise: "states",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      const id = job("").id;
      for (const name of ["deleted", "dug", "settled"]) {
        await one.put(job("old", { id }), job("beside"));
        const [old] = await one.take(2);
        assert.ok(old !== undefined, "take gave fewer jobs than are ready");
        await two.control("truncate");
        await two.put(job(name, { id }));
        const newest = await two.takeOne(name);
        if (name === "dug") await two.bury(newest);
        if (name === "deleted") assert.deepEqual((await one.delete(id)).outcomes, ["done"]);
        else if (name === "dug") assert.deepEqual((await one.dig(id)).outcomes, ["done"]);
        else assert.equal(await one.ack(newest), "gone");
        await two.control("truncate");
      }
    },
  },
  {
    id: "remove.truncate-repeated",
    title: "a repeated truncate removes no job that was put in between",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("a", "b"));
      const params = { request: newRequestId(), queue: q.name, type: "truncate" } as const;
      assert.equal((await q.backend.control(params)).count, 2);
      await q.put(job("new"));
      assert.equal((await q.backend.control(params)).count, 2, "the answer must be that of the first time");
      assert.deepEqual(await q.takeNames(9), ["new"]);
    },
  },
];
