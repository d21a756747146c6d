/** What a store must still know after it was killed and started again on the same data. */
import assert from "node:assert/strict";
import { newRequestId } from "../../id.ts";
import { ack, bytes, texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, restart as restartStore, seam } from "../seam-queue.ts";

const needs = { faults: ["restart"] } as const;

export const restart: readonly Rule[] = [
  {
    id: "restart.keeps-jobs",
    title: "every accepted job outlives a restart, whole and in its place", // pqueue P1, P2; tarantool N34
    promise: "P2",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("3", { priority: 1 }), job("1", { headers: "h" }), job("2", { maxAttempts: 7, ttl: 60_000 }));
      await q.put(job("urgent", { urgent: true }), job("buried", { priority: -9 }));
      await q.put(job("returned", { priority: 1 }));
      await q.bury(await q.takeOne("urgent"), "no good");
      await q.bury(await q.takeOne("buried"), "no good");
      const before = { ready: await q.list("ready"), buried: await q.list("buried") };
      await restartStore(t, q);
      assert.deepEqual({ ready: await q.list("ready"), buried: await q.list("buried") }, before);
      await q.put(job("new"));
      assert.deepEqual(await q.drain(), ["1", "2", "new", "3", "returned"]);
    },
  },
  {
    id: "restart.keeps-delays",
    title: "a delayed job is delayed after a restart, and falls due at its time",
    promise: "P10",
    needs,
    async run(t) {
      const q = await seam(t);
      const late = job("late", { due: { in: 60_000 } });
      await q.put(late, job("soon", { due: { in: 300 } }));
      const before = await q.find(late.id);
      await restartStore(t, q);
      assert.deepEqual(await q.find(late.id), before);
      await q.passDue(300);
      assert.deepEqual(await q.drain(), ["soon"]);
    },
  },
  {
    id: "restart.keeps-leases-or-attempts",
    title:
      "after a restart a lease is either valid still, or its job comes again with the next attempt and a higher fence",
    promise: "P5",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("job"));
      await q.release(await q.takeOne("job"));
      const first = await q.takeOne("job");
      await q.fail(first, "failed", 0);
      const held = await q.takeOne("job");
      await restartStore(t, q);
      const [again] = await q.take();
      if (again === undefined) {
        assert.equal(await q.touch(held), true, "the job is not given out, so its lease was to be valid");
      } else {
        assert.equal(again.attempt, 3, "an attempt was forgotten or made up");
        assert.ok(again.fence > held.fence, `the fence went from ${held.fence} to ${again.fence}`);
        assert.equal(await q.ack(held), "lost", "the job was given to another, and its lease is valid still");
      }
      const proof = again ?? held;
      await q.release(proof);
      const last = await q.takeOne("job");
      assert.ok(last.fence > proof.fence, `the fence went from ${proof.fence} to ${last.fence}`);
      assert.ok(last.attempt >= 2 && last.attempt <= 3, `the attempt is ${last.attempt}`);
    },
  },
  {
    id: "restart.keeps-keys",
    title: "keys are held after a restart",
    promise: "api",
    needs: { ...needs, capability: "keys" },
    async run(t) {
      const q = await seam(t);
      const first = job("first", { key: "k" });
      await q.put(first);
      await restartStore(t, q);
      assert.deepEqual(await q.put(job("second", { key: "k" })), [{ status: "duplicate", id: first.id }]);
    },
  },
  {
    id: "restart.keeps-results",
    title: "a kept result outlives a restart",
    promise: "states",
    needs: { ...needs, capability: "results" },
    async run(t) {
      const q = await seam(t);
      const one = job("job", { keepResult: 60_000 });
      await q.put(one);
      await q.ack(await q.takeOne("job"), bytes("result"));
      await restartStore(t, q);
      assert.deepEqual(texts([{ payload: (await q.find(one.id))?.result ?? bytes("none") }]), ["result"]);
    },
  },
  {
    id: "restart.keeps-what-is-over",
    title: "no job that was acked, deleted or ended comes back with a restart", // seeded bug 10
    promise: "P5",
    needs,
    async run(t) {
      const q = await seam(t);
      const removed = job("deleted", { priority: 1 });
      await q.put(job("acked"), removed, job("left", { priority: 2 }));
      await q.ack(await q.takeOne("acked"));
      await q.delete(removed.id);
      await restartStore(t, q);
      assert.deepEqual(await q.drain(), ["left"]);
    },
  },
  {
    id: "restart.answers-repetitions",
    title: "a call that was applied before a restart is answered as the first time when it is repeated after it",
    promise: "P4",
    needs,
    async run(t) {
      const q = await seam(t);
      const put = {
        request: newRequestId(),
        after: null,
        queue: q.name,
        jobs: [job("job")],
        maxSize: null,
        partial: false,
        transaction: null,
      };
      await q.backend.put(put);
      const settle = { request: newRequestId(), queue: q.name, items: [ack(await q.takeOne("job"))] };
      await q.backend.settle(settle);
      await restartStore(t, q);
      assert.deepEqual(await q.backend.settle(settle), ["gone"], "a repeated ack was taken for a stale one");
      assert.deepEqual(await q.backend.put(put), [{ status: "added" }]);
      assert.deepEqual(await q.takeNames(1), [], "a repeated put brought an acked job back");
    },
  },
];
