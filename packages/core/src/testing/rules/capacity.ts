/** `maxSize`: how many jobs may be ready, delayed and leased together. */
import assert from "node:assert/strict";
import type { PutOutcome } from "../../backend.ts";
import { bytes as bytesCodec } from "../../codec.ts";
import { bytes, texts } from "../jobs.ts";
import { outcomesOf, resolved } from "../passing.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

const needs = { capability: "capacity" } as const;

/** The statuses of a put. */
function statuses(outcomes: readonly PutOutcome[]): string[] {
  return outcomes.map(({ status }) => status);
}

/** Is there room for one more job? Stores it when there is. */
async function status(q: SeamQueue, maxSize: number): Promise<string | undefined> {
  return statuses(await q.putWithin(maxSize, [job("next")]))[0];
}

export const capacity: readonly Rule[] = [
  {
    id: "capacity.counts-ready-delayed-leased",
    title: "ready, delayed and leased jobs count towards maxSize", // tarantool N31
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("leased"));
      await q.takeOne("leased");
      assert.equal(await status(q, 1), "full", "a leased job takes room");
      await q.put(job("delayed", { due: { in: 60_000 } }));
      assert.equal(await status(q, 2), "full", "a delayed job takes room");
      assert.equal(await status(q, 3), "added", "two jobs of three leave room for one");
      assert.equal(await status(q, 3), "full", "a ready job takes room");
      assert.equal(await status(q, 4), "added", "each put brings the limit that counts for it");
    },
  },
  {
    id: "capacity.not-buried-nor-done",
    title: "buried and done jobs do not count towards maxSize",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("buried"));
      await q.bury(await q.takeOne("buried"));
      assert.equal(await status(q, 1), "added", "a buried job takes no room");
      if (!q.backend.capabilities.results) return;
      await q.put(job("done", { keepResult: 60_000, priority: -1 }));
      await q.ack(await q.takeOne("done"));
      assert.equal(await status(q, 2), "added", "a done job takes no room");
    },
  },
  {
    id: "capacity.full-stores-nothing",
    title: "a put answered `full` stores nothing and counts nothing",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("first"));
      const before = await q.stats();
      const second = job("second");
      assert.deepEqual(await q.putWithin(1, [second]), [{ status: "full" }]);
      assert.equal(await q.find(second.id), undefined, "a job was stored though the put was answered `full`");
      assert.deepEqual(await q.stats(), before);
      assert.deepEqual(await q.drain(), ["first"]);
    },
  },
  {
    id: "capacity.batch-whole",
    title: "with room for only some, a put that is not partial stores none and answers `full` for all",
    promise: "P9",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("here"));
      const outcomes = await q.putWithin(3, [job("1"), job("2"), job("3")]);
      assert.deepEqual(statuses(outcomes), ["full", "full", "full"]);
      assert.deepEqual(await q.drain(), ["here"], "part of a refused put was stored");
      assert.deepEqual(statuses(await q.putWithin(3, [job("1"), job("2"), job("3")])), ["added", "added", "added"]);
    },
  },
  {
    id: "capacity.batch-partial",
    title: "with room for only some, a partial put stores those from the front and answers `full` for the rest",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.put(job("here"));
      const outcomes = await q.putWithin(3, [job("1"), job("2"), job("3"), job("4")], true);
      assert.deepEqual(statuses(outcomes), ["added", "added", "full", "full"]);
      assert.deepEqual(await q.drain(), ["here", "1", "2"]);
    },
  },
  {
    id: "capacity.duplicates-need-no-room",
    title: "a duplicate needs no room: it is answered as one when the queue is full, and leaves its place to the next",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = job("first");
      await q.put(first);
      assert.deepEqual(await q.putWithin(1, [{ ...first }]), [{ status: "duplicate", id: first.id }]);
      const outcomes = await q.putWithin(2, [{ ...first }, job("second")]);
      assert.deepEqual(statuses(outcomes), ["duplicate", "added"]);
    },
  },
  {
    id: "capacity.room-again",
    title: "a job that is acked, deleted, buried or ends by its TTL makes room at once",
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const goes: Record<string, () => Promise<unknown>> = {
        "was acked": async () => q.ack(await q.takeOne()),
        "was buried": async () => q.bury(await q.takeOne()),
        "was deleted": async () => q.delete(...(await q.list("ready")).map(({ id }) => id)),
        "was truncated": () => q.control("truncate"),
        "ended by its TTL": () => q.passDue(30),
      };
      for (const [how, go] of Object.entries(goes)) {
        await q.putWithin(1, [job(how, { ttl: how === "ended by its TTL" ? 30 : null })]);
        await go();
        assert.equal(await status(q, 1), "added", `no room, though the only job ${how}`);
        await q.control("truncate");
      }
    },
  },
  {
    id: "capacity.racing-putters",
    title: "putters that race for the last places never exceed maxSize, and fill every place",
    promise: "api",
    needs,
    async run(t) {
      const [a, b] = [await seam(t), await seam(t)];
      const puts = range(20).map((index) => (index % 2 === 0 ? a : b).putWithin(7, [job(`${index}`)]));
      const added = statuses((await Promise.all(puts)).flat()).filter((status) => status === "added");
      assert.equal(added.length, 7, "the number of jobs accepted differs from the places there were");
      assert.equal(texts(await a.list("ready")).length, 7, "the number of jobs stored differs from those accepted");
    },
  },
  {
    id: "capacity.a-put-waits-for-room",
    title: "a put with a timeout waits for room and gets it; without room in time it is refused with `QUEUE_FULL`", // tarantool N31
    promise: "api",
    needs,
    async run(t) {
      const q = await seam(t);
      const queue = t.queue<Uint8Array>("q", { codec: bytesCodec, maxSize: 1 });
      await queue.put(bytes("first"));
      const refused = await outcomesOf<unknown>(t, {
        "a put without a timeout": queue.put(bytes("refused")),
        "a put that waits in vain": queue.put(bytes("late"), { timeout: 100 }),
      });
      for (const [what, outcome] of Object.entries(refused)) {
        assert.equal("code" in outcome && outcome.code, "QUEUE_FULL", what);
      }
      const waiting = queue.put(bytes("second"), { timeout: 4_000 });
      await t.pass(20);
      await q.ack(await q.takeOne("first"));
      assert.equal((await resolved(t, waiting, "a put that waited until there was room")).status, "added");
      assert.deepEqual(await q.drain(), ["second"], "a put that was refused was stored");
    },
  },
];
