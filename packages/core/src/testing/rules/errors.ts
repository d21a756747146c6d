/** What a store says about a job becomes the error that users see: the code, and a message that gives nothing away. */
import assert from "node:assert/strict";
import { bytes as bytesCodec } from "../../codec.ts";
import { isPqError, type PqErrorCode } from "../../errors.ts";
import { newJobId } from "../../id.ts";
import { bytes } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";

/** A queue as users hold it, and the same queue at the seam. */
async function both(t: RuleContext) {
  const queue = t.queue<Uint8Array>("q", { codec: bytesCodec });
  return { queue, q: await seam(t) };
}

/** The call rejects with this code; gives the message. */
async function rejects(call: Promise<unknown>, code: PqErrorCode, what: string): Promise<string> {
  try {
    await call;
  } catch (error) {
    assert.ok(isPqError(error), `${what} must reject with PqError, not with ${String(error)}`);
    assert.equal(error.code, code, `${what} rejected with another code: ${error.message}`);
    return error.message;
  }
  assert.fail(`${what} resolved instead of rejecting with ${code}`);
}

export const errors: readonly Rule[] = [
  {
    id: "errors.lost-reply-is-unknown",
    title:
      "a call that may have changed something and whose reply is lost rejects with `OUTCOME_UNKNOWN`, not as not applied",
    promise: "P3",
    needs: { faults: ["loseReply"] },
    async run(t) {
      const q = await seam(t);
      await q.put(job("held"), job("other"));
      const held = await q.takeOne("held");
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        put: () => q.put(job("new")),
        take: () => q.take(),
        touch: () => q.touch(held),
        settle: () => q.ack(held),
        control: () => q.control("pause"),
      };
      for (const [name, call] of Object.entries(calls)) {
        t.store.faults.loseReply?.();
        await rejects(call(), "OUTCOME_UNKNOWN", `${name} whose reply was lost`);
        await t.eventually(() => q.stats()); // connected again
      }
    },
  },
  {
    id: "errors.lease-lost",
    title: "settling or touching a job whose lease is gone rejects with `LEASE_LOST`", // kazoo B3, saferedisqueue E1
    promise: "P5",
    async run(t) {
      const { queue, q } = await both(t);
      const calls = ["ack", "release", "requeue", "fail", "bury", "touch", "progress"] as const;
      await q.put(...calls.map((name) => job(name)));
      const taken = await queue.takeMany(calls.length);
      assert.equal(taken.length, calls.length);
      await q.delete(...taken.map(({ id }) => id));
      for (const [index, name] of calls.entries()) {
        const one = taken[index];
        assert.ok(one);
        const call = name === "progress" ? one.progress(bytes("half")) : name === "fail" ? one.fail("no") : one[name]();
        await rejects(call, "LEASE_LOST", name);
      }
      assert.equal(await queue.size(), 0, "a settlement without a lease brought its job back");
    },
  },
  {
    id: "errors.not-found",
    title: "asking for a job that is not there says so", // tarantool O3
    promise: "api",
    async run(t) {
      const { queue, q } = await both(t);
      await q.put(job("1"));
      const acked = await q.takeOne("1");
      await q.ack(acked);
      for (const id of [newJobId(), acked.id]) {
        await rejects(queue.dig(id), "NOT_FOUND", "dig of a job that is not there");
        await rejects(queue.result(id), "NOT_FOUND", "result of a job that is not there");
        assert.equal(await queue.peek(id), null);
        assert.equal(await queue.delete(id), false);
      }
    },
  },
  {
    id: "errors.invalid-state",
    title: "asking of a job what its state does not allow says so, and changes nothing", // tarantool O11
    promise: "api",
    async run(t) {
      const { queue, q } = await both(t);
      const [ready, delayed] = [job("ready"), job("delayed", { due: { in: 60_000 } })];
      await q.put(job("leased", { priority: -1 }), ready, delayed);
      const leased = await q.takeOne("leased");
      for (const { id } of [ready, delayed, leased]) {
        await rejects(queue.dig(id), "INVALID_STATE", "dig of a job that is not buried");
        await rejects(queue.result(id), "INVALID_STATE", "result of a job that is not done");
      }
      await q.bury(leased, "no good");
      const message = await rejects(queue.result(leased.id), "INVALID_STATE", "result of a buried job");
      assert.match(message, /no good/, "the message must carry the last error of the buried job");
      const stats = await q.stats();
      assert.deepEqual([stats.ready, stats.delayed, stats.buried], [1, 1, 1]);
    },
  },
  {
    id: "errors.limits",
    title: "the limits are sound numbers, and what exceeds one is refused with its name and the size, storing nothing", // kazoo B8
    promise: "P12",
    async run(t) {
      const { queue, q } = await both(t);
      const { maxPayload, maxBatch, maxBatchBytes, maxName, timePrecision, lateness } = queue.capabilities;
      for (const [name, limit] of Object.entries({ maxPayload, maxBatch, maxBatchBytes, timePrecision })) {
        assert.ok(Number.isSafeInteger(limit) && limit > 0, `capabilities.${name} is ${limit}`);
      }
      assert.ok(maxBatchBytes >= maxPayload, "one largest payload does not fit into one put");
      assert.ok(lateness >= 0 && lateness <= 60_000, `capabilities.lateness is ${lateness}`);
      assert.equal(maxName, 255, "names of 255 bytes are allowed on every store");
      assert.ok(Object.isFrozen(queue.capabilities), "capabilities must be frozen: see defineCapabilities()");
      const big = new Uint8Array(maxPayload + 1);
      const message = await rejects(queue.put(big), "PAYLOAD_TOO_LARGE", "a put of one byte more than maxPayload");
      assert.match(message, /maxPayload/);
      assert.ok(
        message.replaceAll(/\D/g, "").includes(`${maxPayload + 1}`),
        `the message does not tell the size: ${message}`,
      );
      const many = Array.from({ length: maxBatch + 1 }, () => new Uint8Array());
      assert.match(
        await rejects(queue.putMany(many), "PAYLOAD_TOO_LARGE", "a putMany of one job too many"),
        /maxBatch/,
      );
      assert.equal((await q.stats()).counters.put, 0, "something was stored by a put that was refused");
    },
  },
  {
    id: "errors.give-nothing-away",
    title: "no error message of the store carries a payload, a key or another's name",
    promise: "api",
    async run(t) {
      const q = await seam(t);
      const one = job("hunter2", {
        keepResult: null,
        headers: "hunter2",
        key: q.backend.capabilities.keys ? "hunter2" : null,
      });
      await q.put(one);
      const held = await q.takeOne("hunter2");
      await q.backend.close();
      const calls = [
        () => q.put(one),
        () => q.ack(held, bytes("hunter2")),
        () => q.fail(held, "hunter2"),
        () => q.touch(held, 1_000, bytes("hunter2")),
      ];
      for (const call of calls) {
        const message = await rejects(call(), "CLOSED", "a call after close");
        assert.doesNotMatch(message, /hunter2|68756e746572|aHVudGVyMg/, `a message gives data away: ${message}`);
      }
    },
  },
];
