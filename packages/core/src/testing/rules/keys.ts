import assert from "node:assert/strict";
import type { NewJob } from "../../job.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { texts } from "../jobs.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

const needs = { capability: "keys" } as const;

/** A second put of the key is answered with its holder, and nothing is stored. */
async function assertHeld(q: SeamQueue, key: string, holder: NewJob): Promise<void> {
  const second = job("second", { key });
  assert.deepEqual(
    await q.put(second),
    [{ status: "duplicate", id: holder.id }],
    `the key ${JSON.stringify(key)} is in use`,
  );
  assert.equal(await q.find(second.id), undefined, "a duplicate was stored all the same");
}

/** A put of the key is accepted, and becomes a job of its own. */
async function assertFree(q: SeamQueue, key: string, why: string): Promise<void> {
  const next = job("next", { key });
  assert.deepEqual(await q.put(next), [{ status: "added" }], `the key is still held, though ${why}`);
  assert.notEqual(await q.find(next.id), undefined, "the put was answered `added`, but there is no such job");
}

/** A queue with one job of the key `k`, taken. */
async function leased(t: RuleContext, options: Partial<NewJob> = {}) {
  const q = await seam(t);
  const first = job("first", { key: "k", ...options });
  await q.put(first);
  return { q, first, taken: await q.takeOne("first") };
}

export const keys: readonly Rule[] = [
  {
    id: "keys.ready-job-holds",
    title: "a second put of the key of a ready job is a duplicate, and tells the id of that job", // tarantool O15
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = job("first", { key: "k" });
      assert.deepEqual(await q.put(first), [{ status: "added" }]);
      await assertHeld(q, "k", first);
      assert.deepEqual(texts(await q.list("ready")), ["first"]);
    },
  },
  {
    id: "keys.delayed-job-holds",
    title: "a delayed job holds its key",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = job("first", { key: "k", due: { in: 60_000 } });
      await q.put(first);
      await assertHeld(q, "k", first);
    },
  },
  {
    id: "keys.leased-job-holds",
    title: "a leased job holds its key",
    promise: "api",
    needs,
    async run(t) {
      const { q, first } = await leased(t);
      await assertHeld(q, "k", first);
    },
  },
  {
    id: "keys.buried-job-holds",
    title: "a buried job holds its key, and keeps it when it is kicked",
    promise: "api",
    needs,
    async run(t) {
      const { q, first, taken } = await leased(t);
      await q.bury(taken);
      await assertHeld(q, "k", first);
      assert.equal((await q.kick()).count, 1);
      await assertHeld(q, "k", first);
      assert.equal((await q.takeOne("first")).key, "k", "the kicked job came without its key");
    },
  },
  {
    id: "keys.returned-job-holds",
    title: "a job keeps its key when it is released, fails, or its lease runs out",
    promise: "api",
    needs,
    async run(t) {
      const { q, first, taken } = await leased(t);
      await q.release(taken);
      await assertHeld(q, "k", first);
      await q.fail(await q.takeOne("first"), "try again", 0);
      await assertHeld(q, "k", first);
      await q.takeOne("first", 30);
      await q.passDue(30);
      await assertHeld(q, "k", first);
    },
  },
  {
    id: "keys.ack-frees",
    title: "an ack frees the key, also when a result is kept",
    promise: "api",
    needs,
    async run(t) {
      const { q, taken } = await leased(t);
      await q.ack(taken);
      await assertFree(q, "k", "its job was acked");
      if (!q.backend.capabilities.results) return;
      await q.put(job("kept", { key: "l", keepResult: 60_000, priority: -1 }));
      assert.equal(await q.ack(await q.takeOne("kept")), "done");
      await assertFree(q, "l", "its job is done");
    },
  },
  {
    id: "keys.delete-frees",
    title: "delete and truncate free the keys of what they remove",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = job("first", { key: "k" });
      await q.put(first);
      await q.delete(first.id);
      await assertFree(q, "k", "its job was deleted");
      await q.control("truncate");
      await assertFree(q, "k", "the queue was truncated");
    },
  },
  {
    id: "keys.ttl-frees",
    title: "a job whose TTL is over no longer holds its key",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("first", { key: "k", ttl: 30 }));
      await q.passDue(30);
      await assertFree(q, "k", "the TTL of its job is over");
    },
  },
  {
    id: "keys.twice-in-one-put",
    title: "of two jobs with one key in one put, the second is a duplicate of the first",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const [first, second, third] = [job("1", { key: "k" }), job("2", { key: "k" }), job("3", { key: "l" })];
      const outcomes = await q.put(first, second, third);
      assert.deepEqual(outcomes, [{ status: "added" }, { status: "duplicate", id: first.id }, { status: "added" }]);
      assert.deepEqual(await q.drain(), ["1", "3"]);
    },
  },
  {
    id: "keys.id-before-key",
    title: "a job whose id and whose key are both taken, even by an earlier job of its put, is a duplicate by its id",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const [known, holder] = [job("known", { key: "k" }), job("holder", { key: "l" })];
      await q.put(known, holder);
      const again = { ...known, key: "l" };
      assert.deepEqual(await q.put(again), [{ status: "duplicate", id: known.id }], "its key is held by another job");
      const first = job("first", { key: "m" });
      assert.deepEqual(
        await q.put(first, { ...known, key: "m" }),
        [{ status: "added" }, { status: "duplicate", id: known.id }],
        "its key is held by an earlier job of the put",
      );
      const unknown = job("unknown", { key: "n" });
      await q.put(job("second", { key: "n" }), unknown);
      assert.deepEqual(await q.put({ ...unknown, key: null }), [{ status: "added" }], "a duplicate kept its id");
    },
  },
  {
    id: "keys.duplicate-changes-nothing",
    title: "a duplicate put changes nothing about the job that holds the key",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = job("first", { key: "k", priority: 5 });
      await q.put(first, job("other", { priority: 3 }));
      const before = await q.find(first.id);
      await q.put(job("second", { key: "k", priority: 1, ttl: 60_000, maxAttempts: 9, headers: "h" }));
      assert.deepEqual(await q.find(first.id), before, "the put of a duplicate overwrote the job that was there");
      assert.deepEqual(await q.drain(), ["other", "first"]);
    },
  },
  {
    id: "keys.apart-by-queue",
    title: "one key may be held in two queues, and each queue answers for its own",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const other = q.sibling("other");
      const [first, second] = [job("first", { key: "k" }), job("second", { key: "k" })];
      assert.deepEqual(await q.put(first), [{ status: "added" }]);
      assert.deepEqual(
        await other.put(second),
        [{ status: "added" }],
        "a key is unique in its queue, not in the store",
      );
      await assertHeld(q, "k", first);
      await assertHeld(other, "k", second);
    },
  },
];
