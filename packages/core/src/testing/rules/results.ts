/** `keepResult`: what an acked job leaves behind. */
import assert from "node:assert/strict";
import { bytes as bytesCodec } from "../../codec.ts";
import { bytes, text, WINDOW } from "../jobs.ts";
import { resolved } from "../passing.ts";
import type { Rule } from "../rule.ts";
import { job, seam, type SeamQueue } from "../seam-queue.ts";

const needs = { capability: "results" } as const;

/** Put a job that keeps its result, take it, and ack it. */
async function done(q: SeamQueue, result: Uint8Array | null, keepResult = 60_000) {
  const one = job("job", { keepResult });
  await q.put(one);
  assert.equal(await q.ack(await q.takeOne("job"), result), "done", "a job with keepResult is done by its ack");
  return one;
}

export const results: readonly Rule[] = [
  {
    id: "results.kept-then-gone",
    title: "a result is kept for keepResult, and then it is gone with its job",
    promise: "states",
    needs,
    async run(t) {
      const q = await seam(t);
      const lasting = await done(q, bytes("lasting"));
      const short = await done(q, bytes("short"), WINDOW);
      const [kept] = await q.list("done", 1);
      assert.equal(kept?.id, lasting.id, "the jobs that are done are listed in the order in which they came there");
      assert.deepEqual(Buffer.from((await q.find(short.id))?.result ?? []), Buffer.from("short"));
      await q.passDue(WINDOW);
      assert.equal(await q.find(short.id), undefined, "a result outlived its keepResult");
      assert.equal((await q.stats()).done, 1);
      assert.deepEqual(Buffer.from((await q.find(lasting.id))?.result ?? []), Buffer.from("lasting"));
    },
  },
  {
    id: "results.gone-without-keep",
    title: "a job without keepResult is gone with its ack", // kazoo K7, mongoqueue M6, tarantool O3
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const one = job("job");
      await q.put(one);
      assert.equal(await q.ack(await q.takeOne("job"), bytes("result")), "gone");
      assert.equal(await q.find(one.id), undefined, "an acked job is still there");
      assert.equal((await q.stats()).done, 0);
    },
  },
  {
    id: "results.bytes",
    title: "a result comes back byte for byte", // tarantool O10
    promise: "P11",
    needs,
    async run(t) {
      const q = await seam(t);
      const all = Uint8Array.from({ length: 512 }, (_, index) => index);
      const { id } = await done(q, all);
      assert.deepEqual(Buffer.from((await q.find(id))?.result ?? []), Buffer.from(all));
    },
  },
  {
    id: "results.empty-is-not-null",
    title: "an empty result is an empty result, and none is `null`",
    promise: "P11",
    needs,
    async run(t) {
      const q = await seam(t);
      const [empty, none] = [await done(q, new Uint8Array()), await done(q, null)];
      assert.equal((await q.find(empty.id))?.result?.length, 0, "an empty result was lost");
      assert.equal((await q.find(none.id))?.result, null, "a job acked without a result has one");
    },
  },
  {
    id: "results.done-is-over",
    title: "a done job is not delivered, counted as waiting, kicked or settled again",
    promise: "states",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("job", { keepResult: 60_000 }));
      const taken = await q.takeOne("job", 300);
      await q.ack(taken);
      assert.equal(await q.ack(taken), "lost", "a job was acked twice");
      await q.passDue(300);
      assert.deepEqual(await q.takeNames(1), [], "a done job was delivered again");
      assert.equal((await q.kick()).count, 0);
      assert.deepEqual((await q.dig(taken.id)).outcomes, ["invalid-state"]);
      const { ready, delayed, leased, buried, done: finished } = await q.stats();
      assert.deepEqual([ready, delayed, leased, buried, finished], [0, 0, 0, 0, 1]);
    },
  },
  {
    id: "results.not-ended-by-ttl",
    title: "the TTL of a job does not end its kept result",
    promise: "states",
    needs,
    async run(t) {
      const q = await seam(t);
      const one = job("job", { keepResult: 60_000, ttl: 300 });
      await q.put(one);
      await q.ack(await q.takeOne("job"), bytes("result"));
      await q.passDue(300);
      assert.deepEqual(
        Buffer.from((await q.find(one.id))?.result ?? []),
        Buffer.from("result"),
        "the TTL of the job ended its result",
      );
    },
  },
  {
    id: "results.waited-for",
    title: "result() with a wait resolves with what another consumer acked the job with",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const queue = t.queue<Uint8Array>("q", { codec: bytesCodec });
      const { id } = await queue.put(bytes("question"), { keepResult: "1m" });
      const waiting = queue.result<Uint8Array>(id, { wait: 4_000 });
      waiting.catch(() => undefined);
      await t.pass(20);
      await q.ack(await q.takeOne("question"), bytes("answer"));
      assert.equal(text({ payload: await resolved(t, waiting, "waiting for a result") }), "answer");
      const again = await resolved(t, queue.result<Uint8Array>(id), "reading a result again");
      assert.equal(text({ payload: again }), "answer");
    },
  },
];
