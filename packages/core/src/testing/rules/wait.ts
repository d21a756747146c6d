import assert from "node:assert/strict";
import { isPqError } from "../../errors.ts";
import { wokenByOnePut } from "../herd.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

/** Two connections to one queue: one acts, one waits. */
async function pair(t: RuleContext): Promise<[SeamQueue, SeamQueue]> {
  return [await seam(t), await seam(t)];
}

/** Has it settled by itself, soon? */
async function assertResolves(t: RuleContext, waiting: Promise<void>, message: string): Promise<void> {
  let state = "still waiting";
  waiting.then(
    () => (state = "resolved"),
    (error: unknown) => (state = `rejected with ${isPqError(error) ? error.code : String(error)}`),
  );
  await t.eventually(() => assert.equal(state, "resolved", message));
}

export const wait: readonly Rule[] = [
  {
    id: "wait.returns-when-ready",
    title: "a wait for a queue that has a ready job resolves at once",
    promise: "P7",
    async run(t) {
      const q = await seam(t);
      await q.put(job("job"));
      await assertResolves(t, q.wait(new AbortController().signal), "a wait goes on though a job is ready");
    },
  },
  {
    id: "wait.put-wakes",
    title: "a put wakes a consumer that waits on another connection, also for a queue unknown until then", // tarantool N7
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      await waiting.expectWaiter(() => q.put(job("job")), "job", "a put");
    },
  },
  {
    id: "wait.due-time-wakes",
    title: "a job that falls due wakes a consumer that waits",
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      await q.put(job("job", { due: { in: 200 } }));
      await waiting.expectWaiter(() => q.passDue(200), "job", "a due time");
    },
  },
  {
    id: "wait.lease-expiry-wakes",
    title: "a lease that runs out wakes a consumer that waits: recovery needs nobody else", // saferedisqueue S11, E4
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      await q.put(job("job"));
      await q.takeOne("job", 200);
      await waiting.expectWaiter(() => q.passDue(200), "job", "the end of a lease");
    },
  },
  {
    id: "wait.return-wakes",
    title: "release, requeue and a failed attempt wake a consumer that waits", // tarantool N9
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      await q.put(job("job"));
      const first = await q.takeOne("job");
      const second = await waiting.expectWaiter(() => q.release(first), "job", "a release");
      const third = await waiting.expectWaiter(() => q.requeue(second), "job", "a requeue");
      const fourth = await waiting.expectWaiter(() => q.fail(third, "failed", 0), "job", "a failed attempt");
      const retried = async (): Promise<void> => {
        await q.fail(fourth, "failed", 200);
        await q.passDue(200);
      };
      await waiting.expectWaiter(retried, "job", "a retry that falls due");
    },
  },
  {
    id: "wait.kick-and-dig-wake",
    title: "kick and dig wake a consumer that waits", // tarantool N20
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      await q.put(job("job"));
      await q.bury(await q.takeOne("job"));
      const kicked = await waiting.expectWaiter(() => q.kick(), "job", "a kick");
      await q.bury(kicked);
      await waiting.expectWaiter(() => q.dig(kicked.id), "job", "a dig");
    },
  },
  {
    id: "wait.freed-group-wakes",
    title: "a group that becomes free by ack, bury or delete wakes a consumer that waits", // tarantool N25
    promise: "P7",
    needs: { capability: "groups" },
    async run(t) {
      const [q, waiting] = await pair(t);
      await q.put(...["1", "2", "3", "4"].map((name) => job(name, { group: "g" })));
      const first = await q.takeOne("1");
      const second = await waiting.expectWaiter(() => q.ack(first), "2", "the ack of the member before it");
      const third = await waiting.expectWaiter(() => q.bury(second), "3", "the burying of the member before it");
      await waiting.expectWaiter(() => q.delete(third.id), "4", "the deletion of the member before it");
    },
  },
  {
    id: "wait.abort-resolves",
    title: "a wait whose signal aborts resolves, also when it was aborted before",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const over = new AbortController();
      const waiting = q.wait(over.signal);
      await t.pass(20);
      over.abort();
      await assertResolves(t, waiting, "an aborted wait must resolve, not reject or go on");
      await assertResolves(t, q.wait(AbortSignal.abort()), "a wait that begins aborted must resolve");
    },
  },
  {
    id: "wait.timeout-resolves",
    title: "a wait for which nothing comes resolves after its timeout",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const waiting = q.wait(new AbortController().signal, 100);
      await q.passDue(100);
      await assertResolves(t, waiting, "a wait outlived its timeout");
    },
  },
  {
    id: "wait.one-put-no-herd",
    title: "one put does not wake all waiters", // kazoo K12, B6
    promise: "P14",
    async run(t) {
      // A wait that reaches the store after the put rightly ends at once. On a slow machine that may be many: then try again.
      const rounds: number[] = [];
      while (rounds.length < 4 && !rounds.some((woken) => woken <= 5)) {
        rounds.push(await wokenByOnePut(t, rounds.length));
      }
      assert.ok(
        rounds.some((woken) => woken <= 5),
        `one put woke ${rounds.join(", ")} of ten waiters`,
      );
    },
  },
  {
    id: "wait.as-many-as-jobs",
    title: "as many waiting consumers get a job as jobs were put at once", // tarantool N29
    promise: "P7",
    async run(t) {
      const q = await seam(t);
      const over = new AbortController();
      const got: string[] = [];
      const consumers = range(4).map(async () => {
        const taken = await (await seam(t)).consumeOne(over.signal);
        if (taken !== undefined) got.push(Buffer.from(taken.payload).toString());
      });
      try {
        await t.pass(20);
        await q.put(job("1"), job("2"), job("3"));
        await t.eventually(() =>
          assert.deepEqual(got.toSorted(), ["1", "2", "3"], "jobs wait although consumers wait"),
        );
      } finally {
        over.abort();
        await Promise.all(consumers);
      }
    },
  },
  {
    id: "wait.no-lost-wakeup",
    title: "a put at any moment while a consumer begins to wait reaches it",
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      for (const round of range(30)) {
        const over = new AbortController();
        let got = false;
        const consuming = waiting.consumeOne(over.signal).then((taken) => (got = taken !== undefined));
        for (let step = 0; step < round % 10; step++) await Promise.resolve();
        if (round % 3 === 0) await q.stats(); // another moment on a store over the network
        await q.put(job(`${round}`));
        try {
          await t.eventually(() => assert.ok(got, "a consumer waits, though a job was put while it began to wait"));
        } finally {
          over.abort();
          await consuming;
        }
      }
    },
  },
  {
    id: "wait.who-left-is-not-woken",
    title: "waits that were aborted or whose connection was closed take no wake-up away from those that still wait", // kazoo B1, tarantool N33
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      for (const _ of range(5)) {
        const over = new AbortController();
        const left = waiting.wait(over.signal);
        await t.pass(5);
        over.abort();
        await left;
      }
      if (q.backend.capabilities.shared) {
        const closing = await seam(t);
        const left = closing.wait(new AbortController().signal);
        await t.pass(5);
        await closing.backend.close();
        await left;
      }
      await waiting.expectWaiter(() => q.put(job("job")), "job", "a put after others had stopped waiting");
    },
  },
  {
    id: "wait.does-not-spin",
    title: "a wait for a queue without a job to take does not come back again and again",
    promise: "P14",
    async run(t) {
      const q = await seam(t);
      assert.ok((await q.roundsOfWaiting(200)) < 20, "waits on an empty queue come back all the time");
      await q.put(job("later", { due: { in: 60_000 } }), job("held", { priority: -1 }));
      await q.takeOne("held");
      assert.ok(
        (await q.roundsOfWaiting(200)) < 20,
        "waits come back all the time though every job is delayed or leased",
      );
      if (!q.backend.capabilities.groups) return;
      await q.put(job("1", { group: "g" }), job("2", { group: "g" }));
      await q.takeOne("1");
      assert.ok((await q.roundsOfWaiting(200)) < 20, "waits come back all the time though the only group is busy");
    },
  },
  {
    id: "wait.holds-up-no-call",
    title: "while a connection waits, even for many queues, its other calls are answered",
    promise: "P14",
    async run(t) {
      const q = await seam(t);
      const over = new AbortController();
      const waits = range(5).map((index) => q.sibling(`other ${index}`).wait(over.signal));
      await t.pass(20);
      let answered = false;
      const working = q.put(job("job")).then(async () => {
        assert.equal(await q.ack(await q.takeOne("job")), "gone");
        await q.stats();
        answered = true;
      });
      try {
        await t.eventually(() => assert.ok(answered, "calls are held up by a wait on the same connection"));
      } finally {
        over.abort();
        await Promise.allSettled(waits);
        await working;
      }
    },
  },
  {
    id: "wait.many-queues",
    title: "one connection waits for many queues at once, and a put to any of them wakes its consumer",
    promise: "P7",
    async run(t) {
      const [q, waiting] = await pair(t);
      const over = new AbortController();
      const names = range(8).map((index) => `queue ${index}`);
      const got = new Set<string>();
      const consumers = names.map(async (name) => {
        if ((await waiting.sibling(name).consumeOne(over.signal)) !== undefined) got.add(name);
      });
      try {
        await t.pass(20);
        for (const name of names.toReversed()) {
          await q.sibling(name).put(job("job"));
          await t.eventually(() => assert.ok(got.has(name), `a put did not wake the consumer of "${name}"`));
        }
      } finally {
        over.abort();
        await Promise.all(consumers);
      }
    },
  },
];
