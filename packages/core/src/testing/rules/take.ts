/** What a take gives, and that it gives it to one only. */
import assert from "node:assert/strict";
import type { TakeParams } from "../../backend.ts";
import { newRequestId } from "../../id.ts";
import { jobs, LONG, newJob, texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam } from "../seam-queue.ts";

/** A call that can be made twice. */
function call(limit: number): TakeParams {
  return { request: newRequestId(), queue: "q", limit, lease: LONG };
}

export const take: readonly Rule[] = [
  {
    id: "take.nothing", // kazoo K2 and K6, mongoqueue M4, Tarantool T3
    title: "an unknown, empty or drained queue gives nothing, at once",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      assert.equal(await queue.take(), null, "an unknown queue");
      await queue.put("one");
      const one = await queue.take();
      assert.equal(await queue.take(), null, "its only job is leased");
      await one?.ack();
      assert.equal(await queue.take(), null, "its only job is done");
      assert.deepEqual(await queue.takeMany(10), []);
    },
  },
  {
    id: "take.limit",
    title: "a take gives as many jobs as it asks for, or all there are",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("a", "b", "c", "d", "e"));
      assert.deepEqual(await q.takeNames(3), ["a", "b", "c"]);
      assert.deepEqual(await q.takeNames(100), ["d", "e"]);
    },
  },
  {
    id: "take.each-job-once", // kazoo K12, Tarantool N29
    title: "concurrent takes on two connections give each job to one of them only, and leave none behind",
    promise: "P6",
    async run(t) {
      const consumers = [await seam(t), await seam(t)];
      const names = range(12).map(String);
      await consumers[0]?.put(...jobs(...names));
      const taken = await Promise.all([1, 2, 3].flatMap(() => consumers.map((consumer) => consumer.takeNames(3))));
      // Those that race may pass over what others are at: then it is there for the next.
      const left = await consumers[0]?.takeNames(names.length);
      assert.deepEqual([...taken.flat(), ...(left ?? [])].toSorted(), names.toSorted());
    },
  },
  {
    id: "take.delivers-what-was-put",
    title: "a delivered job carries its bytes and fields exactly, and the state of a first delivery",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      const { keys, groups } = q.backend.capabilities;
      const payload = Buffer.from([0, 1, 127, 128, 192, 255, 0]);
      const fields = { priority: -3, key: keys ? "k" : null, group: groups ? "g" : null, maxAttempts: 9, headers: "h" };
      const made = newJob({ ...fields, payload });
      await q.put(made);
      const before = await q.find(made.id);
      const { fence, payload: bytes, ...rest } = await q.takeOne();
      assert.deepEqual([...bytes], [...payload]);
      assert.ok(Number.isSafeInteger(fence) && fence > 0, "a fence is a positive safe integer");
      const first = { attempt: 1, lease: LONG, lastError: null, progress: null, createdAt: before?.createdAt };
      assert.deepEqual(rest, { id: made.id, ...fields, ...first });
    },
  },
  {
    id: "take.repeated-call",
    title: "a repeated take gives the same jobs with the same proofs, and burns no attempt",
    promise: "P4",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(...jobs("a", "b", "c"));
      const params = call(2);
      const first = await one.backend.take(params);
      const again = await two.backend.take(params);
      const proofs = (taken: typeof first): unknown => taken.map(({ id, fence, attempt }) => ({ id, fence, attempt }));
      assert.deepEqual(proofs(again), proofs(first));
      assert.equal((await one.stats()).counters.take, 2, "a repeated take must not be counted again");
      assert.deepEqual(await one.takeNames(9), ["c"]);
    },
  },
  {
    id: "take.repeated-in-part",
    title: "a repeated take gives only those of its jobs that it still holds",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("acked", "held", "given away"));
      const params = call(3);
      const [acked, , given] = await q.backend.take(params);
      assert.ok(acked && given, "take gave fewer jobs than are ready");
      await q.ack(acked);
      await q.release(given);
      await q.takeOne("given away");
      assert.deepEqual(texts(await q.backend.take(params)), ["held"]);
    },
  },
  {
    id: "take.repeated-after-nothing",
    title: "a repeated take that had given nothing takes anew",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const params = call(1);
      assert.deepEqual(await q.backend.take(params), []);
      await q.put(job("late"));
      assert.deepEqual(texts(await q.backend.take(params)), ["late"]);
    },
  },
  {
    id: "take.its-own-queue",
    title: "a take gives jobs of its own queue only",
    promise: "api",
    async run(t) {
      const [one, other] = [await seam(t, "one"), await seam(t, "other")];
      await one.put(job("of one"));
      assert.deepEqual(await other.takeNames(9), []);
      await other.put(job("of other"));
      assert.deepEqual(await one.takeNames(9), ["of one"]);
      assert.deepEqual(await other.takeNames(9), ["of other"]);
    },
  },
];
