/** What counts as an attempt, and what happens after the last one. */
import assert from "node:assert/strict";
import { type JobId, UNLIMITED_ATTEMPTS } from "../../job.ts";
import { LONG, SHORT } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

/** See that the job is buried, why, and with what last error. */
async function assertBuried(q: SeamQueue, id: JobId, reason: string, error: string | null): Promise<void> {
  const { state, buryReason, lastError } = (await q.find(id)) ?? {};
  assert.deepEqual({ state, buryReason, lastError }, { state: "buried", buryReason: reason, lastError: error });
  assert.deepEqual(await q.takeNames(9), [], "a buried job was delivered");
}

export const attempts: readonly Rule[] = [
  {
    id: "attempts.counted-with-the-delivery",
    title: "the attempt counts from the moment of delivery, whatever becomes of the consumer",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      await q.put(job("poison"));
      const { id, attempt } = await q.takeOne("poison");
      assert.equal(attempt, 1);
      assert.equal((await q.find(id))?.attempt, 1, "the store must have counted before the consumer does anything");
    },
  },
  {
    id: "attempts.crash-counts", // seeded bug 18; mongoqueue's repair()
    title: "a job that kills its consumers is buried as lease-expired after maxAttempts deliveries",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      const made = job("poison", { maxAttempts: 2 });
      await q.put(made);
      for (const expected of [1, 2]) {
        assert.equal((await q.takeOne("poison", SHORT)).attempt, expected);
        await q.passDue(SHORT);
      }
      await assertBuried(q, made.id, "lease-expired", null);
    },
  },
  {
    id: "attempts.fail-counts", // mongoqueue M8 and issue 11
    title: "a failed job comes back with the next attempt, and is buried as failed after maxAttempts, never deleted",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      const made = job("hard", { maxAttempts: 3 });
      await q.put(made);
      for (const attempt of [1, 2, 3]) {
        const taken = await q.takeOne("hard");
        assert.equal(taken.attempt, attempt);
        assert.equal(await q.fail(taken, `failure ${attempt}`), attempt < 3 ? "ready" : "buried");
      }
      await assertBuried(q, made.id, "failed", "failure 3");
    },
  },
  {
    id: "attempts.release-gives-back", // mongoqueue M7, which counts it
    title: "release gives the attempt back, however often",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("shy", { maxAttempts: 2 }));
      for (const delay of [0, 0, 0, 1]) {
        const taken = await q.takeOne("shy");
        assert.equal(taken.attempt, 1);
        await q.release(taken, delay);
      }
      await q.passDue(1);
      assert.equal((await q.takeOne("shy")).attempt, 1);
    },
  },
  {
    id: "attempts.requeue-gives-back",
    title: "requeue gives the attempt back, however often",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("shy", { maxAttempts: 2 }));
      for (const _ of range(4)) {
        const taken = await q.takeOne("shy");
        assert.equal(taken.attempt, 1);
        await q.requeue(taken);
      }
    },
  },
  {
    id: "attempts.mixed",
    title: "failures and expiries count together, releases in between do not",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      const made = job("mixed", { maxAttempts: 3 });
      await q.put(made);
      await q.fail(await q.takeOne("mixed"), "first");
      await q.release(await q.takeOne("mixed"));
      assert.equal((await q.takeOne("mixed", SHORT)).attempt, 2);
      await q.passDue(SHORT);
      await q.requeue(await q.takeOne("mixed"));
      assert.equal((await q.takeOne("mixed", SHORT)).attempt, 3);
      await q.passDue(SHORT);
      await assertBuried(q, made.id, "lease-expired", "first");
    },
  },
  {
    id: "attempts.the-only-one",
    title: "with maxAttempts 1 the first failure buries, at once, whatever its delay",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      const made = job("one chance", { maxAttempts: 1 });
      await q.put(made);
      assert.equal(await q.fail(await q.takeOne("one chance"), "missed", LONG), "buried");
      await assertBuried(q, made.id, "failed", "missed");
    },
  },
  {
    id: "attempts.unlimited",
    title: "a job of unlimited attempts is never buried for them",
    promise: "P8",
    async run(t) {
      const q = await seam(t);
      await q.put(job("stubborn", { maxAttempts: UNLIMITED_ATTEMPTS }));
      for (const attempt of range(30)) {
        const taken = await q.takeOne("stubborn");
        assert.equal(taken.attempt, attempt + 1);
        await q.fail(taken);
      }
    },
  },
];
