import assert from "node:assert/strict";
import { texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, restart, seam } from "../seam-queue.ts";

export const pause: readonly Rule[] = [
  {
    id: "pause.gives-nothing-takes-all",
    title: "a paused queue accepts puts and gives nothing out until it is resumed",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.put(job("before"));
      assert.equal((await q.control("pause")).count, 0);
      assert.equal((await q.stats()).paused, true);
      assert.deepEqual(await q.put(job("during")), [{ status: "added" }]);
      assert.deepEqual(await q.takeNames(10), [], "a paused queue gave jobs out");
      await q.control("pause");
      await q.control("resume");
      assert.equal((await q.stats()).paused, false);
      assert.deepEqual(await q.drain(), ["before", "during"]);
    },
  },
  {
    id: "pause.settlements-go-on",
    title: "the jobs leased from a queue are touched and settled while it is paused",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.put(...["ack", "release", "requeue", "fail", "bury"].map((name) => job(name)));
      const [acked, released, requeued, failed, buried] = await q.take(5);
      assert.ok(acked && released && requeued && failed && buried, "take gave fewer jobs than were ready");
      await q.control("pause");
      assert.equal(await q.touch(acked), true);
      assert.equal(await q.ack(acked), "gone");
      assert.equal(await q.release(released), "ready");
      assert.equal(await q.requeue(requeued), "ready");
      assert.equal(await q.fail(failed), "ready");
      assert.equal(await q.bury(buried), "buried");
      assert.equal((await q.kick()).count, 1);
      assert.deepEqual(await q.takeNames(10), [], "a returned job was given out by a paused queue");
      await q.control("resume");
      assert.deepEqual(await q.drain(), ["release", "fail", "requeue", "bury"]);
    },
  },
  {
    id: "pause.for-all-connections",
    title: "a pause holds for every connection, also for those made later, and for its queue only",
    promise: "api",
    async run(t) {
      const [a, b] = [await seam(t), await seam(t)];
      await a.put(job("job"));
      await a.sibling("other").put(job("other"));
      await a.control("pause");
      assert.deepEqual(await b.takeNames(1), [], "another connection does not know of the pause");
      const later = await seam(t);
      assert.deepEqual(await later.takeNames(1), [], "a new connection does not know of the pause");
      await a.sibling("other").takeOne("other");
      await b.control("resume");
      await a.takeOne("job");
    },
  },
  {
    id: "pause.kept-by-restart",
    title: "a pause outlives a restart of the store",
    promise: "api",
    needs: { faults: ["restart"] },
    async run(t) {
      const q = await seam(t);
      await q.put(job("job"));
      await q.control("pause");
      await restart(t, q);
      assert.equal((await q.stats()).paused, true, "the restart ended the pause");
      assert.deepEqual(await q.takeNames(1), [], "the restart ended the pause");
      await q.control("resume");
      await q.takeOne("job");
    },
  },
  {
    id: "pause.time-goes-on",
    title: "while a queue is paused, jobs fall due, leases run out and TTLs end",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.put(job("leased", { priority: -1 }), job("due", { due: { in: 30 } }), job("ends", { ttl: 30 }));
      await q.takeOne("leased", 30);
      await q.control("pause");
      await q.passDue(30);
      assert.deepEqual(texts(await q.list("ready")), ["leased", "due"]);
      const { ready, delayed, leased } = await q.stats();
      assert.deepEqual({ ready, delayed, leased }, { ready: 2, delayed: 0, leased: 0 });
    },
  },
  {
    id: "pause.before-the-first-put",
    title: "a queue can be paused before it has had a job",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.control("pause");
      await q.put(job("job"));
      assert.deepEqual(await q.takeNames(1), [], "the pause of an unknown queue was forgotten");
      await q.control("resume");
      await q.takeOne("job");
    },
  },
  {
    id: "pause.resume-wakes",
    title: "resume wakes a waiting consumer",
    promise: "P7",
    async run(t) {
      const [q, waiting] = [await seam(t), await seam(t)];
      await q.put(job("job"));
      await q.control("pause");
      await waiting.expectWaiter(async () => void (await q.control("resume")), "job", "a resume");
    },
  },
  {
    id: "pause.waiting-does-not-spin",
    title: "a wait on a paused queue with jobs does not come back at once, again and again",
    promise: "P14",
    async run(t) {
      const q = await seam(t);
      await q.put(job("job"));
      await q.control("pause");
      const rounds = await q.roundsOfWaiting(200);
      assert.ok(rounds < 20, `${rounds} waits on a paused queue came back within 200 ms, though nothing can be taken`);
    },
  },
];
