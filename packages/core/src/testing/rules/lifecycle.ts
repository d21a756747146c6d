import assert from "node:assert/strict";
import type { Backend } from "../../backend.ts";
import { isPqError } from "../../errors.ts";
import { newJobId } from "../../id.ts";
import { texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

const OPEN = { report: () => undefined };

/** Every call of the seam, each as it is plainest. */
const CALLS: Readonly<Record<string, (q: SeamQueue) => Promise<unknown>>> = {
  put: (q) => q.put(job("job")),
  take: (q) => q.take(),
  settle: (q) => q.ack({ id: newJobId(), fence: 1 }),
  touch: (q) => q.touch({ id: newJobId(), fence: 1 }),
  wait: (q) => q.wait(new AbortController().signal, 10),
  read: (q) => q.list("ready"),
  control: (q) => q.control("truncate"),
  stats: (q) => q.stats(),
  queues: (q) => q.backend.queues(),
};

/** What becomes of a call: `done`, or the code of its error. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    assert.ok(isPqError(error), `a backend must reject with PqError and nothing else, not with ${String(error)}`);
    return error.code;
  }
}

/** Opens and closes without a word. */
async function assertOpens(backend: Backend, what: string): Promise<void> {
  assert.equal(await outcome(backend.open(OPEN)), "done", what);
}

export const lifecycle: readonly Rule[] = [
  {
    id: "lifecycle.open-tells-guarantees",
    title: "open tells what the store guarantees, and the same again while it is open or opening",
    promise: "P1",
    async run(t) {
      const backend = t.store.connect();
      const opening = await Promise.all([backend.open(OPEN), backend.open(OPEN)]);
      const [{ durability, store, warnings }] = opening;
      assert.ok(["memory", "process", "disk", "majority"].includes(durability), `no such durability: ${durability}`);
      assert.ok(store.length > 0, "guarantees.store must name the store");
      assert.ok(Array.isArray(warnings), "guarantees.warnings must be an array");
      assert.deepEqual(opening[1], opening[0]);
      assert.deepEqual(await backend.open(OPEN), opening[0], "a second open gives another answer");
    },
  },
  {
    id: "lifecycle.second-open-changes-nothing",
    title: "a second open disturbs neither leases nor jobs nor a running wait",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"), job("ready"));
      const held = await q.takeOne("held");
      await q.backend.open(OPEN);
      await q.takeOne("ready");
      await q.expectWaiter(
        async () => {
          await q.backend.open(OPEN);
          await q.put(job("next"));
        },
        "next",
        "a put after a second open",
      );
      assert.equal(await q.ack(held), "gone", "a second open took the lease away");
    },
  },
  {
    id: "lifecycle.close-twice",
    title: "close may be called twice, at once and later, and for a backend that was never opened",
    promise: "P13",
    async run(t) {
      const { backend } = await seam(t);
      const closing = await Promise.all([outcome(backend.close()), outcome(backend.close())]);
      assert.deepEqual([...closing, await outcome(backend.close())], ["done", "done", "done"]);
      assert.equal(await outcome(t.store.connect().close()), "done", "closing what was never opened failed");
    },
  },
  {
    id: "lifecycle.closed-refuses",
    title: "after close every call rejects with `CLOSED`",
    promise: "P13",
    async run(t) {
      const q = await seam(t);
      await q.backend.close();
      for (const [name, call] of Object.entries(CALLS)) {
        assert.equal(await outcome(call(q)), "CLOSED", `${name} after close`);
      }
    },
  },
  {
    id: "lifecycle.close-ends-waiting",
    title: "close resolves a running wait",
    promise: "P13",
    async run(t) {
      const q = await seam(t);
      let ended = "still waiting";
      const waiting = outcome(q.wait(new AbortController().signal)).then((how) => (ended = how));
      await t.pass(20);
      await q.backend.open(OPEN); // which changes nothing for those who wait
      const closing = outcome(q.backend.close());
      await t.eventually(() => assert.equal(ended, "done", "close must resolve a wait, not leave it or reject it"));
      await waiting;
      assert.equal(await closing, "done");
    },
  },
  {
    id: "lifecycle.close-settles-calls",
    title: "close during any call: the call settles, and what it reports is what the store did", // reliability A16, seeded bug 42
    promise: "P13",
    async run(t) {
      for (const [name, call] of Object.entries(CALLS)) {
        const q = await seam(t);
        let how = "not settled";
        const calling = outcome(call(q)).then((result) => (how = result));
        assert.equal(await outcome(q.backend.close()), "done", `close during ${name}`);
        await t.eventually(() => assert.notEqual(how, "not settled", `${name} does not settle when close comes`));
        await calling;
        const { ready } = await (await seam(t)).stats();
        const stored = name === "put" && how === "done" ? 1 : 0;
        if (how !== "OUTCOME_UNKNOWN") {
          assert.equal(ready, stored, `after ${name} was reported as ${how} the store holds ${ready} jobs`);
        }
        await (await seam(t)).control("truncate");
      }
    },
  },
  {
    id: "lifecycle.reopen",
    title: "a closed backend opens again, and finds its jobs, leases and pauses", // pqueue P1, P2, P7
    promise: "P2",
    async run(t) {
      const q = await seam(t);
      await q.put(job("1"), job("2"), job("3"), job("later", { due: { in: 60_000 } }));
      const held = await q.takeOne("1");
      await q.sibling("paused").control("pause");
      await q.sibling("paused").put(job("4"));
      for (const round of [1, 2]) {
        await q.backend.close();
        await assertOpens(q.backend, `a closed backend does not open again (time ${round})`);
      }
      if (q.backend.capabilities.leasesOutliveConnections) {
        assert.equal(await q.ack(held), "gone", "the lease was lost by closing and opening");
      } else {
        assert.equal(await q.ack(held), "lost", "a lease that is tied to its connection outlived it");
        await q.ack(await q.takeOne("1"));
      }
      assert.deepEqual(await q.drain(), ["2", "3"], "jobs were lost, or given out twice, by closing and opening");
      assert.deepEqual(texts(await q.list("delayed")), ["later"]);
      assert.deepEqual(await q.sibling("paused").takeNames(1), [], "the pause was lost by closing and opening");
      await q.put(job("5"));
      await q.takeOne("5");
    },
  },
  {
    id: "lifecycle.waits-after-reopen",
    title: "a backend that was closed and opened again waits as before: it does not spin, and a put wakes",
    promise: "P14",
    async run(t) {
      const q = await seam(t);
      await q.backend.close();
      await assertOpens(q.backend, "a closed backend does not open again");
      const rounds = await q.roundsOfWaiting(50);
      assert.ok(rounds < 10, "after closing and opening again waits come back all the time");
      await q.expectWaiter(() => q.put(job("job")), "job", "a put after closing and opening again");
    },
  },
  {
    id: "lifecycle.leases-outlive-connections",
    title:
      "a lease outlives its connection and is settled on another; or else, as the capability says, the job comes back at once",
    promise: "P5",
    async run(t) {
      const first = await seam(t);
      await first.put(job("job"));
      const held = await first.takeOne("job");
      await first.backend.close();
      const second = await seam(t);
      if (!second.backend.capabilities.leasesOutliveConnections) {
        await t.eventually(() => second.takeOne("job"));
        assert.equal(await second.ack(held), "lost");
        return;
      }
      assert.deepEqual(await second.takeNames(1), [], "a job was delivered again because a connection closed");
      assert.equal(await second.touch(held), true);
      assert.equal(await second.ack(held), "gone");
    },
  },
  {
    id: "lifecycle.others-stay-open",
    title: "closing one connection disturbs no other, nor its running wait",
    promise: "P13",
    needs: { capability: "shared" },
    async run(t) {
      const [first, second] = [await seam(t), await seam(t)];
      await second.put(job("1"));
      const held = await second.takeOne("1");
      const closeAndPut = async (): Promise<void> => {
        await first.backend.close();
        assert.equal(await outcome((await seam(t)).put(job("2"))), "done");
      };
      await second.expectWaiter(closeAndPut, "2", "a put after another connection was closed");
      assert.equal(await second.ack(held), "gone");
    },
  },
];
