/** Puts that must come after another one: two are in flight, and yet none overtakes. */
import assert from "node:assert/strict";
import type { PutOutcome, PutParams } from "../../backend.ts";
import { bytes as bytesCodec } from "../../codec.ts";
import { isPqError } from "../../errors.ts";
import { newRequestId } from "../../id.ts";
import type { NewJob, RequestId } from "../../job.ts";
import { bytes, texts } from "../jobs.ts";
import { resolved } from "../passing.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

const needs = { capability: "chainedPuts" } as const;

/** A put that can be made twice. */
function putOf(jobs: readonly NewJob[], after: RequestId | null, fields: Partial<PutParams> = {}): PutParams {
  return {
    request: newRequestId(),
    after,
    queue: "q",
    jobs,
    maxSize: null,
    partial: false,
    transaction: null,
    ...fields,
  };
}

/** The put must be refused as not applied. */
async function expectRefused(q: SeamQueue, params: PutParams): Promise<void> {
  await assert.rejects(
    q.backend.put(params),
    (error) => isPqError(error, "UNAVAILABLE"),
    "a put was taken though the one before it was not there",
  );
}

/** The put must be carried out; gives its outcomes. */
async function carryOut(q: SeamQueue, params: PutParams): Promise<readonly PutOutcome[]> {
  try {
    return await q.backend.put(params);
  } catch (error) {
    return assert.fail(`a put was refused though the one before it had been answered: ${String(error)}`);
  }
}

/** So many jobs: enough for two calls, each of which is worth it. */
const BURST = 200;

/** A rule about bursts that users put, whose first call meets a fault. */
function throughFaults(fault: "loseRequest" | "loseReply", id: string): Rule {
  return {
    id,
    title: `a burst of puts keeps its order when a ${fault === "loseReply" ? "reply" : "request"} is lost, and nothing of it is doubled`,
    promise: "order",
    needs: { ...needs, faults: [fault] },
    async run(t) {
      const queue = t.queue<Uint8Array>("q", { codec: bytesCodec });
      await queue.ready();
      const q = await seam(t);
      const names = range(BURST).map((n) => `${n}`);
      for (let round = 0; round < 3; round++) {
        t.store.faults[fault]?.();
        await resolved(t, Promise.all(names.map((name) => queue.put(bytes(name)))), "a burst of puts");
        assert.deepEqual(texts(await q.take(2 * BURST)), names);
      }
    },
  };
}

export const chained: readonly Rule[] = [
  {
    id: "chained.waits-for-the-one-before",
    title: "a put that comes before the one it must come after is refused, and changes nothing",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      await expectRefused(q, putOf([job("first of all")], newRequestId()));
      await q.put(job("there"));
      await expectRefused(q, putOf([job("plain")], newRequestId()));
      await expectRefused(q, putOf([job("urgent", { urgent: true })], newRequestId()));
      assert.deepEqual(texts(await q.list("ready")), ["there"]);
      assert.equal((await q.stats()).counters.put, 1);
    },
  },
  {
    id: "chained.follows-the-one-before",
    title: "puts that each come after the one before are stored in their order",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      const puts: PutParams[] = [];
      for (const n of range(5)) puts.push(putOf([job(`${n}`), job(`${n}+`)], puts[n - 1]?.request ?? null));
      const outcomes = await Promise.all(puts.map((params) => carryOut(q, params)));
      assert.ok(outcomes.flat().every(({ status }) => status === "added"));
      assert.deepEqual(
        texts(await q.list("ready")),
        range(5).flatMap((n) => [`${n}`, `${n}+`]),
      );
    },
  },
  {
    id: "chained.refused-may-come-again",
    title: "a put that was refused since the one before it was not there is stored when it comes again after it",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = putOf([job("1")], null);
      const second = putOf([job("2")], first.request);
      const third = putOf([job("3")], second.request);
      await expectRefused(q, third);
      await expectRefused(q, second);
      await carryOut(q, first);
      await expectRefused(q, third);
      assert.deepEqual(await carryOut(q, second), [{ status: "added" }]);
      assert.deepEqual(await carryOut(q, { ...third, after: null }), [{ status: "added" }]);
      assert.deepEqual(await q.drain(), ["1", "2", "3"]);
    },
  },
  {
    id: "chained.refused-harms-no-other",
    title: "a put that is refused leaves those alone that come at the same moment",
    promise: "P11",
    needs,
    async run(t) {
      const q = await seam(t);
      await q.stats(); // connected, so that both go at once
      const early = putOf([job("too early"), job("as early")], newRequestId());
      const good = putOf([job("1"), job("second")], null);
      await Promise.all([expectRefused(q, early), carryOut(q, good), carryOut(q, putOf([job("third of all")], null))]);
      assert.deepEqual(texts(await q.take(5)).toSorted(), ["1", "second", "third of all"]);
    },
  },
  {
    id: "chained.any-answer-counts",
    title: "a put may come after one that stored nothing, for duplicates or for want of room",
    promise: "order",
    needs,
    async run(t) {
      const q = await seam(t);
      const one = job("1");
      await q.put(one);
      const duplicate = putOf([one], null);
      await carryOut(q, duplicate);
      assert.deepEqual(await carryOut(q, putOf([job("2")], duplicate.request)), [{ status: "added" }]);
      if (q.backend.capabilities.capacity) {
        const full = putOf([job("no room")], null, { maxSize: 2 });
        await carryOut(q, full);
        assert.deepEqual(await carryOut(q, putOf([job("3")], full.request)), [{ status: "added" }]);
      }
      assert.deepEqual((await q.drain()).slice(0, 2), ["1", "2"]);
    },
  },
  {
    id: "chained.repeated-call",
    title: "a repeated put is answered as the first time, whatever it must come after now",
    promise: "P4",
    needs,
    async run(t) {
      const q = await seam(t);
      const first = putOf([job("1")], null);
      const second = putOf([job("2")], first.request);
      await carryOut(q, first);
      for (const after of [first.request, first.request, null, newRequestId()]) {
        assert.deepEqual(await carryOut(q, { ...second, after }), [{ status: "added" }]);
      }
      assert.deepEqual(await q.drain(), ["1", "2"]);
    },
  },
  throughFaults("loseRequest", "chained.order-when-requests-are-lost"),
  throughFaults("loseReply", "chained.order-when-replies-are-lost"),
];
