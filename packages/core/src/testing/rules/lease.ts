/** A lease is exclusive while it lasts, over when it is over, and recovery needs nobody's help. */
import assert from "node:assert/strict";
import { bury, fail, jobs, LONG, release, requeue, SHORT, texts, WINDOW } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";
import { skewed } from "../skewed-clock.ts";
import { notBefore, takeSoon } from "../timing.ts";

const HOUR = 3_600_000;

/** Hold a lease with a clock that is wrong, and give one up. */
async function leasesWith(t: RuleContext, error: number): Promise<void> {
  const name = `wrong by ${error}`;
  const queue = t.queue<string>(name, { clock: skewed(t.store.clock, error) });
  const other = await seam(t, name);
  await queue.put("held");
  const held = await queue.take({ lease: LONG });
  assert.equal(held?.payload, "held");
  await t.pass(SHORT);
  assert.deepEqual(await other.takeNames(9), [], "the lease ended early");
  await held.ack();
  await queue.put("abandoned");
  assert.equal((await queue.take({ lease: SHORT }))?.payload, "abandoned");
  await takeSoon(t, other, SHORT);
}

export const lease: readonly Rule[] = [
  {
    id: "lease.comes-back", // Tarantool O6 and N18; mongoqueue never; saferedisqueue after up to two intervals
    title: "a job whose lease ran out is given to the next consumer: not earlier, and not much later",
    promise: "P7",
    async run(t) {
      const [crashed, next] = [await seam(t), await seam(t)];
      await crashed.put(job("abandoned"));
      const check = notBefore(t, next, SHORT);
      const before = await crashed.takeOne("abandoned", SHORT);
      const after = await takeSoon(t, next, SHORT);
      check("another consumer got the job");
      assert.equal(after.id, before.id);
    },
  },
  {
    id: "lease.all-come-back", // mongoqueue issue 13: repairs one at a time
    title: "when many leases run out at once, all of their jobs come back",
    promise: "P7",
    async run(t) {
      const [crashed, next] = [await seam(t), await seam(t)];
      const names = ["a", "b", "c", "d", "e", "f", "g"];
      await crashed.put(...jobs(...names));
      assert.equal((await crashed.take(9, SHORT)).length, names.length);
      await next.passDue(SHORT);
      const seen: string[] = [];
      while (seen.length < names.length) seen.push(...texts([await takeSoon(t, next, 0)]));
      assert.deepEqual(seen, names);
      assert.equal((await next.stats()).counters.leaseExpired, names.length);
    },
  },
  {
    id: "lease.late-ack-is-lost", // saferedisqueue E1
    title: "an ack after the lease ran out is lost, though nobody has looked since, and the job is delivered again",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("slow"));
      const late = await q.takeOne("slow", SHORT);
      await q.passDue(SHORT);
      assert.equal(await q.ack(late), "lost");
      assert.equal((await q.stats()).counters.ack, 0);
      await q.takeOne("slow");
    },
  },
  {
    id: "lease.late-settlements-are-lost", // saferedisqueue E2
    title: "release, requeue, fail and bury after the lease ran out are lost and change nothing",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      const names = ["released", "requeued", "failed", "buried"];
      await q.put(...names.map((name) => job(name, { maxAttempts: 2 })));
      const [released, requeued, failed, buried] = await q.take(4, SHORT);
      assert.ok(released && requeued && failed && buried, "take gave fewer jobs than are ready");
      await q.passDue(SHORT);
      const outcomes = await q.settle(release(released), requeue(requeued), fail(failed), bury(buried));
      assert.deepEqual(outcomes, ["lost", "lost", "lost", "lost"]);
      const again = await q.take(4);
      assert.deepEqual(texts(again), names, "each is delivered again, in its old place");
      for (const { attempt, lastError } of again) assert.deepEqual([attempt, lastError], [2, null]);
    },
  },
  {
    id: "lease.late-touch-is-lost",
    title: "a touch after the lease ran out is lost, though nobody has looked since",
    promise: "P5",
    async run(t) {
      const q = await seam(t);
      await q.put(job("slow"));
      const late = await q.takeOne("slow", SHORT);
      await q.passDue(SHORT);
      assert.equal(await q.touch(late, LONG), false);
      await q.takeOne("slow");
    },
  },
  {
    id: "lease.touch-extends", // Tarantool O6 and N21; mongoqueue M9, which is empty upstream
    title: "a touched lease lasts as long as the touch says, that of an untouched job does not",
    promise: "P6",
    async run(t) {
      const [holder, other] = [await seam(t), await seam(t)];
      await holder.put(...jobs("touched", "untouched"));
      const [touched] = await holder.take(2, WINDOW);
      assert.ok(touched, "take gave nothing although jobs are ready");
      assert.equal(await holder.touch(touched, LONG), true);
      await other.passDue(WINDOW);
      assert.deepEqual(await other.takeNames(9), ["untouched"]);
      assert.equal(await holder.ack(touched), "gone");
    },
  },
  {
    id: "lease.touch-counts-from-now", // Tarantool 1.6+ adds to what is left
    title: "a touch counts from now: it is not added to what is left of the lease",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"));
      const held = await q.takeOne("held", LONG);
      const end = (await q.find(held.id))?.leaseUntil ?? 0;
      await t.pass(SHORT);
      assert.equal(await q.touch(held, LONG), true);
      const touched = (await q.find(held.id))?.leaseUntil ?? 0;
      assert.ok(touched > end, "the lease must last longer than before");
      const late = q.backend.capabilities.timePrecision;
      assert.ok(touched < end + LONG - late, `two touches of ${LONG} ms gave ${touched - end} ms more than one`);
    },
  },
  {
    id: "lease.touch-never-shortens",
    title: "a touch with less than is left of the lease takes nothing away",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"));
      const held = await q.takeOne("held", LONG);
      assert.equal(await q.touch(held, 50), true);
      await q.passDue(50);
      assert.deepEqual(await q.takeNames(9), []);
      assert.equal(await q.ack(held), "gone");
    },
  },
  {
    id: "lease.of-its-own", // Tarantool's ttr
    title: "the lease that a job was put with goes before that of the take",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(job("short", { lease: WINDOW }), job("long", { lease: LONG }));
      const [short] = await q.take(1, LONG);
      const [long] = await q.take(1, WINDOW);
      assert.deepEqual([short?.lease, long?.lease], [WINDOW, LONG]);
      await q.passDue(WINDOW);
      assert.deepEqual(await q.takeNames(9), ["short"]);
    },
  },
  {
    id: "lease.skewed-consumer",
    title: "a consumer whose clock is an hour wrong holds its leases as long as any other",
    promise: "P6",
    async run(t) {
      await Promise.all([HOUR, -HOUR].map((error) => leasesWith(t, error)));
    },
  },
];
