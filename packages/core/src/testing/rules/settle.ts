/** How a delivery ends, and what the store answers. */
import assert from "node:assert/strict";
import type { SettleParams, Settlement } from "../../backend.ts";
import type { LeaseProof } from "../../job.ts";
import { newRequestId } from "../../id.ts";
import { ack, bury, bytes, fail, jobs, LONG, release, requeue, SHORT } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";

/** A call that can be made twice. */
function call(...items: readonly Settlement[]): SettleParams {
  return { request: newRequestId(), queue: "q", items };
}

export const settle: readonly Rule[] = [
  {
    id: "settle.ack-is-final", // mongoqueue M6, Tarantool N5 and N17
    title: "an acked job is gone: from reads and counts, and it is never delivered again",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("done"));
      const taken = await q.takeOne("done", SHORT);
      assert.equal(await q.ack(taken), "gone");
      assert.equal(await q.find(taken.id), undefined);
      await q.passDue(SHORT);
      assert.deepEqual(await q.takeNames(9), [], "an acked job came back when its lease was over");
      const { ready, delayed, leased, buried, done } = await q.stats();
      assert.deepEqual([ready, delayed, leased, buried, done], [0, 0, 0, 0, 0]);
    },
  },
  {
    id: "settle.release-is-at-once", // mongoqueue M7, kazoo K9
    title: "a released job is there for the next take of anybody",
    promise: "P7",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(job("back"));
      assert.equal(await one.release(await one.takeOne("back")), "ready");
      await two.takeOne("back");
    },
  },
  {
    id: "settle.tells-the-state",
    title: "each settlement answers with the state in which the job is now",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const ends: [(taken: LeaseProof) => Settlement, string][] = [
        [ack, "gone"],
        [release, "ready"],
        [(taken) => release(taken, LONG), "delayed"],
        [requeue, "ready"],
        [fail, "ready"],
        [(taken) => fail(taken, "no", LONG), "delayed"],
        [bury, "buried"],
      ];
      for (const [end, state] of ends) {
        const made = job("job");
        await q.put(made);
        const item = end(await q.takeOne("job"));
        assert.deepEqual(await q.settle(item), [state], `the answer to ${item.type}`);
        assert.equal((await q.find(made.id))?.state ?? "gone", state, `the state after ${item.type}`);
        await q.delete(made.id);
      }
    },
  },
  {
    id: "settle.mixed-batch",
    title: "a batch settles each item by its own proof and answers in order: a lost one spoils no other",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("acked", "stale", "released", "requeued", "failed", "buried", "last"));
      const taken = await q.take(6);
      const [acked, stale, released, requeued, failed, buried] = taken;
      assert.ok(acked && stale && released && requeued && failed && buried, "take gave fewer jobs than are ready");
      await q.release(stale);
      const outcomes = await q.settle(
        ack(acked),
        ack(stale),
        release(released),
        requeue(requeued),
        fail(failed, "no", LONG),
        bury(buried),
      );
      assert.deepEqual(outcomes, ["gone", "lost", "ready", "ready", "delayed", "buried"]);
      assert.deepEqual(await q.takeNames(9), ["stale", "released", "last", "requeued"]);
    },
  },
  {
    id: "settle.repeated-call",
    title: "a settlement that is repeated with its request id is answered as the first time",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      await q.put(...jobs("acked", "released", "failed", "buried"));
      const [acked, released, failed, buried] = await q.take(4);
      assert.ok(acked && released && failed && buried, "take gave fewer jobs than are ready");
      const params = call(ack(acked), release(released), fail(failed), bury(buried));
      const first = await q.backend.settle(params);
      assert.deepEqual(first, ["gone", "ready", "ready", "buried"]);
      assert.deepEqual(await q.backend.settle(params), first);
      const { counters } = await q.stats();
      assert.deepEqual([counters.ack, counters.release, counters.fail, counters.bury], [1, 1, 1, 1]);
    },
  },
  {
    id: "settle.repeated-changes-nothing",
    title: "a repeated release takes the job from nobody who got it in between",
    promise: "P4",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(job("passed on"));
      const params = call(release(await one.takeOne()));
      assert.deepEqual(await one.backend.settle(params), ["ready"]);
      const newest = await two.takeOne("passed on");
      assert.deepEqual(await one.backend.settle(params), ["ready"], "the answer must be that of the first time");
      assert.equal(await two.ack(newest), "gone");
    },
  },
  {
    id: "settle.repeated-when-the-id-is-back",
    title: "a settlement is answered as the first time also when its id was put again since",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const first = job("first");
      await q.put(first);
      const params = call(ack(await q.takeOne("first")));
      assert.deepEqual(await q.backend.settle(params), ["gone"]);
      await q.put(job("second", { id: first.id }));
      assert.deepEqual(await q.backend.settle(params), ["gone"], "a ready job has the id now");
      const second = await q.takeOne("second");
      assert.deepEqual(await q.backend.settle(params), ["gone"], "a leased job has the id now");
      assert.equal(await q.ack(second), "gone");
      await q.put(job("third", { id: first.id }));
      assert.deepEqual(await q.backend.settle(params), ["gone"], "the id was put a third time");
    },
  },
  {
    id: "settle.repeated-touch",
    title: "a touch that is repeated with its request id is answered as the first time, and changes nothing",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"));
      const { id, fence } = await q.takeOne("held");
      const items = [{ id, fence, lease: LONG, progress: bytes("old") }];
      const params = { request: newRequestId(), queue: q.name, items };
      assert.deepEqual(await q.backend.touch(params), [true]);
      await q.touch({ id, fence }, LONG, bytes("new"));
      assert.deepEqual(await q.backend.touch(params), [true]);
      assert.equal(Buffer.from((await q.find(id))?.progress ?? []).toString(), "new");
      await q.release({ id, fence });
      assert.deepEqual(await q.backend.touch(params), [true], "the answer must be that of the first time");
    },
  },
  {
    id: "settle.passes-on-what-was-reported", // mongoqueue M8 and M9, which are empty upstream
    title: "the next holder gets the last error and the progress of those before it",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const error = `it failed: \u{1F4A5} "quoted"\n${"far ".repeat(200)}`;
      const progress = Buffer.from([0, 255, 128, 10]);
      await q.put(job("hard"));
      const first = await q.takeOne("hard");
      assert.deepEqual([first.lastError, first.progress], [null, null]);
      assert.equal(await q.touch(first, LONG, progress), true);
      assert.equal(await q.touch(first, LONG, null), true);
      await q.fail(first, error);
      const second = await q.takeOne("hard");
      assert.equal(second.lastError, error);
      assert.deepEqual([...(second.progress ?? [])], [...progress], "progress must outlive a touch without any");
      await q.release(second);
      const third = await q.takeOne("hard");
      assert.equal(third.lastError, error, "a release must not hide the error");
      assert.deepEqual([...(third.progress ?? [])], [...progress]);
    },
  },
  {
    id: "settle.run", // mongoqueue M11 and M12, Tarantool O19
    title: "run() acks the job when its function returns, and fails it with the error when it throws",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      await queue.put("work", { backoff: { type: "fixed", delay: 0 } });
      const first = await queue.take();
      assert.ok(first);
      const broken = first.run(() => Promise.reject(new Error("out of paper")));
      await assert.rejects(broken, /out of paper/);
      const second = await queue.take();
      assert.equal(second?.attempt, 2);
      assert.match(second.lastError ?? "", /out of paper/);
      assert.equal(await second.run((job) => job.payload), "work");
      assert.equal(await queue.size(), 0);
    },
  },
  {
    id: "settle.disposed-is-released", // Tarantool T7
    title: "a job that is disposed of unsettled is released at once; a settled one is left alone",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      await queue.put("given up");
      const first = await queue.take();
      await first?.[Symbol.asyncDispose]();
      const second = await queue.take();
      assert.deepEqual([second?.payload, second?.attempt], ["given up", 1]);
      await second?.ack();
      await second?.[Symbol.asyncDispose]();
      assert.equal(await queue.take(), null);
    },
  },
];
