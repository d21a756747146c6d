/** A TTL ends what nobody has begun, and never what somebody works on. */
import assert from "node:assert/strict";
import { LONG, SHORT, WINDOW } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";
import { skewed } from "../skewed-clock.ts";

const HOUR = 3_600_000;

/** Put a job with a TTL through a queue whose clock is wrong, and see that it lives for its TTL and no longer. */
async function endsThrough(t: RuleContext, error: number): Promise<void> {
  const queue = t.queue<string>("q", { clock: skewed(t.store.clock, error) });
  const q = await seam(t);
  await queue.put("short", { ttl: SHORT });
  await queue.put("long", { ttl: LONG });
  await q.passDue(SHORT);
  assert.equal((await q.takeNames(9)).join(), '"long"');
}

export const ttl: readonly Rule[] = [
  {
    id: "ttl.ends-a-ready-job", // Tarantool N28
    title: "a ready job is gone when its TTL is over, from all answers, and counted as expired",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const made = job("short-lived", { ttl: SHORT });
      await q.put(made, job("long-lived", { ttl: LONG }));
      await q.passDue(SHORT);
      assert.equal(await q.find(made.id), undefined, "read must not find it");
      const { ready, counters } = await q.stats();
      assert.deepEqual({ ready, expired: counters.expired }, { ready: 1, expired: 1 });
      assert.deepEqual(await q.takeNames(9), ["long-lived"]);
    },
  },
  {
    id: "ttl.ends-a-delayed-job", // Tarantool O7
    title: "a delayed job is gone when its TTL is over before its delay",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const made = job("never", { ttl: SHORT, due: { in: LONG } });
      await q.put(made);
      await q.passDue(SHORT);
      assert.equal(await q.find(made.id), undefined);
      const { delayed, counters } = await q.stats();
      assert.deepEqual({ delayed, expired: counters.expired }, { delayed: 0, expired: 1 });
    },
  },
  {
    id: "ttl.counts-from-the-put",
    title: "a TTL counts from the put, its delay included",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("late", { due: { in: SHORT }, ttl: SHORT + 50 }));
      await q.passDue(SHORT + 50);
      assert.deepEqual(await q.takeNames(9), []);
      assert.equal((await q.stats()).counters.expired, 1);
    },
  },
  {
    id: "ttl.not-under-a-consumer", // Tarantool issue 146
    title: "a TTL that ends while the job is leased takes nothing from its holder: touch and ack still work",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held", { ttl: WINDOW }));
      const held = await q.takeOne();
      await q.passDue(WINDOW);
      assert.equal((await q.stats()).leased, 1);
      assert.equal(await q.touch(held), true);
      assert.equal(await q.ack(held), "gone");
      assert.equal((await q.stats()).counters.expired, 0);
    },
  },
  {
    id: "ttl.counts-after-a-return",
    title: "a job whose TTL ended while it was leased is gone once it is given back",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const released = job("released", { ttl: WINDOW });
      await q.put(released, job("failed", { ttl: WINDOW }));
      const [one, two] = await q.take(2);
      assert.ok(one && two, "take gave fewer jobs than are ready");
      await q.passDue(WINDOW);
      await q.release(one);
      await q.fail(two, "too late", 1);
      assert.deepEqual(await q.takeNames(9), []);
      assert.equal(await q.find(released.id), undefined);
      assert.equal((await q.stats()).counters.expired, 2);
    },
  },
  {
    id: "ttl.counts-after-a-crash", // Tarantool N18
    title: "a job whose TTL and lease are both over is not delivered again",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("abandoned", { ttl: WINDOW }));
      await q.takeOne("abandoned", WINDOW);
      await q.passDue(WINDOW);
      assert.deepEqual(await q.takeNames(9), []);
      const { counters } = await q.stats();
      assert.deepEqual([counters.leaseExpired, counters.expired], [1, 1]);
    },
  },
  {
    id: "ttl.not-of-the-buried", // unlike Tarantool N38
    title: "a TTL does not end a buried job",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const made = job("evidence", { ttl: WINDOW });
      await q.put(made);
      await q.bury(await q.takeOne());
      await q.passDue(WINDOW);
      assert.equal((await q.find(made.id))?.state, "buried");
      assert.equal((await q.stats()).counters.expired, 0);
    },
  },
  {
    id: "ttl.fast-producer",
    title: "the jobs of a producer whose clock is an hour fast live as long as their TTL says",
    promise: "states",
    run: (t) => endsThrough(t, HOUR),
  },
  {
    id: "ttl.slow-producer",
    title: "the jobs of a producer whose clock is an hour slow live as long as their TTL says",
    promise: "states",
    run: (t) => endsThrough(t, -HOUR),
  },
];
