/** Only the newest proof counts. */
import assert from "node:assert/strict";
import type { DeliveredJob } from "../../job.ts";
import { ack, bury, bytes, fail, LONG, release, requeue, SHORT } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

/** A job that was delivered twice: the stale proof of the first delivery, and the newest. */
async function deliveredTwice(q: SeamQueue): Promise<[stale: DeliveredJob, newest: DeliveredJob]> {
  await q.put(job("contested"));
  const stale = await q.takeOne("contested");
  await q.release(stale);
  return [stale, await q.takeOne("contested")];
}

export const fence: readonly Rule[] = [
  {
    id: "fence.grows",
    title: "the fence of a job grows with each delivery: after release, requeue, retry, expiry, kick and dig",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("often", { maxAttempts: 100 }));
      const fences: number[] = [];
      const deliver = async (lease?: number): Promise<DeliveredJob> => {
        const taken = await q.takeOne("often", lease);
        fences.push(taken.fence);
        return taken;
      };
      await q.release(await deliver());
      await q.requeue(await deliver());
      await q.fail(await deliver());
      await q.bury(await deliver());
      await q.kick();
      const buried = await deliver();
      await q.bury(buried);
      await q.dig(buried.id);
      await deliver(SHORT);
      await q.passDue(SHORT);
      await deliver();
      const sorted = [...new Set(fences)].toSorted((a, b) => a - b);
      assert.deepEqual(fences, sorted, "fences must grow");
    },
  },
  {
    id: "fence.never-repeats", // Tarantool: ids used again after a tube was emptied
    title:
      "an id that is gone and put again is delivered with a greater fence, so that its old holder cannot settle it",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      const first = job("first");
      await q.put(first);
      const old = await q.takeOne("first");
      await q.delete(first.id);
      await q.put(job("second", { id: first.id }));
      const newest = await q.takeOne("second");
      assert.ok(newest.fence > old.fence, `the fence went from ${old.fence} to ${newest.fence}`);
      assert.equal(await q.ack(old), "lost");
      assert.equal(await q.ack(newest), "gone");
    },
  },
  {
    id: "fence.stale-ack", // kazoo B3, Tarantool 3.2 same-session hazard
    title: "an ack with a stale fence is lost, and takes nothing from the new holder",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      const [stale, newest] = await deliveredTwice(q);
      assert.equal(await q.ack(stale), "lost");
      assert.equal((await q.find(stale.id))?.state, "leased", "the new holder must keep the job");
      assert.equal(await q.ack(newest), "gone");
      assert.deepEqual(await q.takeNames(9), []);
    },
  },
  {
    id: "fence.stale-settlements", // saferedisqueue E2
    title: "release, requeue, fail and bury with a stale fence are lost, and take nothing from the new holder",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      const [stale, newest] = await deliveredTwice(q);
      for (const item of [release(stale), requeue(stale), fail(stale), bury(stale)]) {
        assert.deepEqual(await q.settle(item), ["lost"], `a stale ${item.type}`);
        const { state, fence, lastError } = (await q.find(stale.id)) ?? {};
        assert.deepEqual({ state, fence, lastError }, { state: "leased", fence: newest.fence, lastError: null });
      }
      assert.equal(await q.ack(newest), "gone");
    },
  },
  {
    id: "fence.stale-touch",
    title: "a touch with a stale fence is lost: neither the lease nor the progress changes",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      const [stale] = await deliveredTwice(q);
      const before = await q.find(stale.id);
      assert.equal(await q.touch(stale, 10 * LONG, bytes("stale progress")), false);
      assert.deepEqual(await q.find(stale.id), before);
    },
  },
  {
    id: "fence.never-guessed",
    title: "a fence that was never given out is no proof, however great",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"));
      const held = await q.takeOne("held");
      for (const guess of [held.fence + 1, Number.MAX_SAFE_INTEGER]) {
        assert.equal(await q.ack({ id: held.id, fence: guess }), "lost", `fence ${guess} instead of ${held.fence}`);
      }
      assert.equal(await q.ack(held), "gone");
    },
  },
  {
    id: "fence.second-ack", // kazoo K8, Tarantool O3 and N17
    title: "a second ack of its own is lost: only a repetition of the first call is answered as the first",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("once"));
      const taken = await q.takeOne("once");
      assert.equal(await q.ack(taken), "gone");
      assert.equal(await q.ack(taken), "lost");
      assert.equal((await q.stats()).counters.ack, 1);
    },
  },
  {
    id: "fence.ends-with-the-settlement", // kazoo K9, Tarantool N20
    title: "the proof of a job that was released, retried or buried is worth nothing any more",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      for (const settlement of [release, (taken: DeliveredJob) => fail(taken, "no", LONG), requeue, bury]) {
        const made = job("settled");
        await q.put(made);
        const taken = await q.takeOne("settled");
        const [state] = await q.settle(settlement(taken));
        assert.deepEqual(await q.settle(ack(taken)), ["lost"], `an ack after ${settlement(taken).type}`);
        assert.equal(await q.touch(taken), false, `a touch after ${settlement(taken).type}`);
        assert.equal((await q.find(made.id))?.state, state);
        await q.delete(made.id);
      }
    },
  },
  {
    id: "fence.survives-a-kick",
    title: "the proof of a delivery before a kick is worth nothing after it",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("revived"));
      const stale = await q.takeOne("revived");
      await q.bury(stale);
      await q.kick();
      const newest = await q.takeOne("revived");
      assert.equal(await q.ack(stale), "lost");
      assert.equal(await q.ack(newest), "gone");
    },
  },
  {
    id: "fence.deleted-under-the-holder",
    title: "when a leased job is deleted, its holder has lost the lease",
    promise: "P5",
    async run(t) {
      const [holder, operator] = [await seam(t), await seam(t)];
      await holder.put(job("unwanted"));
      const taken = await holder.takeOne("unwanted");
      await operator.delete(taken.id);
      assert.equal(await holder.touch(taken), false);
      assert.equal(await holder.release(taken), "lost");
      assert.deepEqual(await holder.takeNames(9), [], "a release brought the deleted job back");
    },
  },
];
