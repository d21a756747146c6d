import assert from "node:assert/strict";
import type { Counters } from "../../backend.ts";
import { newRequestId } from "../../id.ts";
import type { DeliveredJob } from "../../job.ts";
import { WINDOW } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

/** The counters that differ after `act`, and by how much. */
async function counted(q: SeamQueue, act: () => Promise<unknown>): Promise<Partial<Counters>> {
  const { counters: before } = await q.stats();
  await act();
  const { counters: after } = await q.stats();
  const names = Object.keys(after) as (keyof Counters)[];
  const differences = names.map((name) => [name, after[name] - before[name]] as const);
  return Object.fromEntries(differences.filter(([, difference]) => difference !== 0));
}

/** Put `count` jobs and take them. */
async function takeNew(q: SeamQueue, count: number, maxAttempts = 3) {
  await q.put(...range(count).map((index) => job(`${index}`, { maxAttempts })));
  const taken = await q.take(count);
  assert.equal(taken.length, count, "take gave fewer jobs than there were");
  return taken;
}

export const stats: readonly Rule[] = [
  {
    id: "stats.jobs-by-state",
    title: "stats count each job in its state", // tarantool N4
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const [acked, buried, first, second] = await takeNew(q, 4);
      assert.ok(acked && buried && first && second);
      await q.ack(acked);
      await q.bury(buried);
      await q.put(...range(3).map((index) => job(`ready ${index}`)));
      await q.put(...range(4).map((index) => job(`delayed ${index}`, { due: { in: 60_000 } })));
      const { ready, delayed, leased, buried: buriedJobs, done, paused } = await q.stats();
      assert.deepEqual(
        { ready, delayed, leased, buried: buriedJobs, done, paused },
        { ready: 3, delayed: 4, leased: 2, buried: 1, done: 0, paused: false },
      );
    },
  },
  {
    id: "stats.counts-puts-and-takes",
    title: "put, urgent, duplicate, take and touch count jobs, not calls",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const [one, two, three] = [job("1"), job("2", { urgent: true }), job("3")];
      assert.deepEqual(await counted(q, () => q.put(one, two, three)), { put: 3, urgent: 1 });
      assert.deepEqual(await counted(q, () => q.put(one, job("4"))), { put: 1, duplicate: 1 });
      assert.deepEqual(await counted(q, () => q.take(3)), { take: 3 });
      const [held] = await q.list("leased");
      assert.ok(held);
      assert.deepEqual(await counted(q, () => q.touch(held)), { touch: 1 });
      assert.deepEqual(await counted(q, () => q.touch({ id: held.id, fence: held.fence + 9 })), {});
      await q.control("pause");
      assert.deepEqual(await counted(q, () => q.take(3)), {}, "a take that gave nothing was counted");
    },
  },
  {
    id: "stats.counts-settlements",
    title: "each settlement counts its job once, and every burying counts as one",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const settled = async (act: (taken: DeliveredJob) => Promise<unknown>, maxAttempts = 3) => {
        const [taken] = await takeNew(q, 1, maxAttempts);
        assert.ok(taken);
        const changes = await counted(q, () => act(taken));
        await q.control("truncate");
        return changes;
      };
      assert.deepEqual(await settled((one) => q.ack(one)), { ack: 1 });
      assert.deepEqual(await settled((one) => q.release(one)), { release: 1 });
      assert.deepEqual(await settled((one) => q.requeue(one)), { requeue: 1 });
      assert.deepEqual(await settled((one) => q.fail(one)), { fail: 1 });
      assert.deepEqual(await settled((one) => q.fail(one), 1), { fail: 1, bury: 1 });
      assert.deepEqual(await settled((one) => q.bury(one)), { bury: 1 });
      assert.deepEqual(await settled((one) => q.ack({ ...one, fence: one.fence + 9 })), {}, "a lost lease was counted");
    },
  },
  {
    id: "stats.counts-operators",
    title: "kick, dig, delete and truncate count the jobs that they changed",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      for (const taken of await takeNew(q, 4)) await q.bury(taken);
      const [first, second] = await q.list("buried");
      assert.ok(first && second);
      assert.deepEqual(await counted(q, () => q.dig(second.id, second.id)), { dig: 1 });
      assert.deepEqual(await counted(q, () => q.kick(2)), { kick: 2 });
      assert.deepEqual(await counted(q, () => q.delete(first.id, first.id)), { delete: 1 });
      assert.deepEqual(await counted(q, () => q.control("truncate")), { delete: 3 });
    },
  },
  {
    id: "stats.counts-the-work-of-time",
    title: "jobs that end by their TTL count as expired, leases that run out as leaseExpired",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      await q.put(job("1"), job("2", { maxAttempts: 1 }), job("3"), job("ready", { ttl: WINDOW }));
      await q.put(job("delayed", { ttl: WINDOW, due: { in: 60_000 } }));
      await q.take(3, WINDOW);
      const [one, two, three] = await q.list("leased");
      assert.ok(one && two && three);
      assert.deepEqual(await counted(q, () => q.passDue(WINDOW)), { expired: 2, leaseExpired: 3, bury: 1 });
    },
  },
  {
    id: "stats.expired-jobs-are-not-there",
    title: "from the moment its TTL is over a job is in no count, whoever has looked",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      await q.put(job("ready", { ttl: 30 }), job("delayed", { ttl: 30, due: { in: 60_000 } }));
      await q.passDue(30);
      const { ready, delayed } = await q.stats();
      assert.deepEqual({ ready, delayed }, { ready: 0, delayed: 0 });
    },
  },
  {
    id: "stats.a-repeated-call-counts-once",
    title: "a call repeated with its request id counts its jobs once",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const put = {
        request: newRequestId(),
        after: null,
        queue: q.name,
        jobs: [job("1"), job("2")],
        maxSize: null,
        partial: false,
        transaction: null,
      };
      await q.backend.put(put);
      assert.deepEqual(await counted(q, () => q.backend.put(put)), {}, "a repeated put was counted again");
    },
  },
  {
    id: "stats.unknown-queue-is-zero",
    title: "an unknown queue has zero of everything, and asking does not make it known", // tarantool O18
    promise: "api",
    async run(t) {
      const q = await seam(t, "never used");
      const { counters, paused, ...counts } = await q.stats();
      for (const [name, count] of Object.entries({ ...counters, ...counts })) assert.equal(count, 0, name);
      assert.equal(paused, false);
      assert.deepEqual(await q.takeNames(1), []);
      assert.deepEqual((await q.backend.read({ queue: q.name, state: "ready", limit: 9, cursor: null })).jobs, []);
      assert.deepEqual(await q.backend.queues(), [], "a queue that never had a job is listed");
    },
  },
  {
    id: "stats.queues-that-had-a-job",
    title: "queues() lists every queue that ever had a job, also when it is empty now",
    promise: "api",
    async run(t) {
      const q = await seam(t, "full");
      const emptied = q.sibling("emptied");
      await q.put(job("1"));
      await emptied.put(job("2"));
      assert.deepEqual(await emptied.drain(), ["2"]);
      assert.deepEqual([...(await q.backend.queues())].toSorted(), ["emptied", "full"]);
    },
  },
  {
    id: "stats.kept-over-closing",
    title: "counts and counters are the same after every connection was closed and one was opened again",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const [first, ...others] = await takeNew(q, 3);
      assert.ok(first);
      await q.ack(first);
      if (!q.backend.capabilities.leasesOutliveConnections) for (const held of others) await q.release(held);
      const before = await q.stats();
      await q.backend.close();
      assert.deepEqual(await (await seam(t)).stats(), before);
    },
  },
];
