/** Puts in a transaction of the user's: their jobs are there if and only if it commits. */
import assert from "node:assert/strict";
import { bytes as bytesCodec } from "../../codec.ts";
import { isPqError, type PqErrorCode } from "../../errors.ts";
import type { Queue } from "../../queue.ts";
import { bytes, texts } from "../jobs.ts";
import { resolved } from "../passing.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, seam } from "../seam-queue.ts";

const needs = { capability: "transactions" } as const;

/** Queues on one connection, and transactions that their puts can be part of. */
interface Users {
  readonly queue: (name?: string, options?: { readonly maxSize?: number }) => Queue<Uint8Array>;
  readonly transaction: (work: (session: object) => Promise<void>) => Promise<void>;
}

async function users(t: RuleContext): Promise<Users> {
  const backend = await t.backend();
  const { transaction } = t.store;
  assert.ok(transaction !== undefined, "the harness must offer transactions, or say why not in `missingTransactions`");
  return {
    queue: (name = "q", options = {}) => t.queue<Uint8Array>(name, { backend, codec: bytesCodec, ...options }),
    transaction: (work) => transaction(backend, work),
  };
}

/** What a transaction that is to be aborted rejects with. */
class Abort extends Error {}

async function rejectsWith(code: PqErrorCode, call: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(call, (error) => isPqError(error, code), message);
}

export const transactions: readonly Rule[] = [
  {
    id: "transactions.commit",
    title: "once a transaction has committed, the jobs of all of its puts are there, each once, in every queue",
    promise: "P9",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const [one, other] = [queue(), queue("other")];
      await transaction(async (session) => {
        assert.equal((await one.put(bytes("1"), { session })).status, "added");
        await one.putMany([bytes("2"), bytes("3")], { session });
        await other.put(bytes("4"), { session });
      });
      const q = await seam(t);
      assert.deepEqual(await q.drain(), ["1", "2", "3"]);
      assert.deepEqual(await q.sibling("other").drain(), ["4"]);
      assert.equal((await q.stats()).counters.put, 3);
    },
  },
  {
    id: "transactions.abort",
    title: "of a transaction that was aborted nothing is left: no job, no count, and its ids, keys and room are free",
    promise: "P9",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const q = await seam(t);
      const { keys, capacity } = q.backend.capabilities;
      const mine = job("mine", { key: keys ? "k" : null });
      await q.put(job("here"));
      const before = await q.stats();
      const aborted = transaction(async (session) => {
        await queue().put(bytes("gone"), { session, id: mine.id, key: mine.key });
        await queue("other").put(bytes("gone"), { session });
        throw new Abort();
      });
      await assert.rejects(aborted, Abort);
      assert.deepEqual(await q.stats(), before);
      assert.deepEqual(await q.putWithin(capacity ? 2 : null, [mine]), [{ status: "added" }]);
      assert.deepEqual(await q.drain(), ["here", "mine"]);
      assert.deepEqual(await q.sibling("other").drain(), []);
    },
  },
  {
    id: "transactions.invisible-before-commit",
    title: "before the commit nobody sees the jobs of a transaction or gets one",
    promise: "P9",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const q = await seam(t);
      await q.put(job("here"));
      const before = await q.stats();
      const { id } = job("to come");
      await transaction(async (session) => {
        await queue().put(bytes("to come"), { session, id });
        assert.deepEqual(await q.stats(), before, "a put is counted before its transaction has committed");
        assert.equal(await q.find(id), undefined, "a job is read before its transaction has committed");
        assert.deepEqual(
          texts(await q.list("ready")),
          ["here"],
          "a job is listed before its transaction has committed",
        );
        assert.deepEqual(await q.takeNames(9), ["here"], "a job is given out before its transaction has committed");
      });
      assert.deepEqual(await q.takeNames(9), ["to come"]);
    },
  },
  {
    id: "transactions.commit-wakes",
    title: "a consumer that waits gets the job of a transaction as soon as it has committed",
    promise: "P7",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const waiting = await seam(t);
      const commit = (): Promise<void> =>
        transaction(async (session) => {
          await queue().put(bytes("job"), { session });
          await t.pass(20);
        });
      await waiting.expectWaiter(commit, "job", "a commit");
    },
  },
  {
    id: "transactions.decide-as-always",
    title: "ids, keys and maxSize hold within a transaction, and count what was put in it before",
    promise: "api",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const q = await seam(t);
      const { keys, capacity } = q.backend.capabilities;
      const held = job("held", { key: keys ? "k" : null });
      await q.put(held);
      const bounded = queue("q", capacity ? { maxSize: 2 } : {});
      await transaction(async (session) => {
        const duplicate = { id: held.id, status: "duplicate" };
        assert.deepEqual(await bounded.put(bytes("again"), { session, id: held.id }), duplicate);
        if (keys) assert.deepEqual(await bounded.put(bytes("of its key"), { session, key: "k" }), duplicate);
        const { id } = await bounded.put(bytes("new"), { session, key: keys ? "new" : null });
        const known = { id, status: "duplicate" };
        assert.deepEqual(await bounded.put(bytes("again"), { session, id }), known);
        if (keys) assert.deepEqual(await bounded.put(bytes("of its key"), { session, key: "new" }), known);
        if (!capacity) return;
        await rejectsWith("QUEUE_FULL", bounded.put(bytes("too many"), { session }), "a put without room was stored");
      });
      assert.deepEqual(await q.drain(), ["held", "new"]);
    },
  },
  {
    id: "transactions.one-of-a-key",
    title: "of a transaction and a put beside it that race for a key, one stores its job",
    promise: "api",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const q = await seam(t);
      if (!q.backend.capabilities.keys) return;
      let beside: Promise<unknown> = Promise.resolve();
      const racing = transaction(async (session) => {
        await queue().put(bytes("within"), { session, key: "k" });
        beside = queue().put(bytes("beside"), { key: "k" });
        beside.catch(() => undefined);
        await t.pass(20);
      });
      // Whichever comes second gives way: the put as a duplicate, the transaction by failing.
      await racing.catch(() => undefined);
      await resolved(t, beside, "a put beside a transaction that had its key");
      assert.equal((await q.list("ready")).length, 1, "a key is held by other than one job");
    },
  },
  {
    id: "transactions.ended",
    title: "a put in a transaction that has ended is refused, and stores nothing outside of it",
    promise: "seam",
    needs,
    async run(t) {
      const { queue, transaction } = await users(t);
      const q = await seam(t);
      let ended: object = {};
      await transaction(async (session) => {
        ended = session;
        await queue().put(bytes("1"), { session });
      });
      const late = queue().put(bytes("late"), { session: ended });
      await rejectsWith("INVALID_STATE", late, "a put in a transaction that has ended was not refused");
      assert.deepEqual(await q.drain(), ["1"]);
    },
  },
];
