/** What a put stores, and what it answers. */
import assert from "node:assert/strict";
import { newJobId, newRequestId } from "../../id.ts";
import type { NewJob } from "../../job.ts";
import type { PutParams } from "../../backend.ts";
import { ack, bury, fail, jobs, LONG, newJob, SHORT, texts } from "../jobs.ts";
import type { Rule } from "../rule.ts";
import { job, range, seam } from "../seam-queue.ts";
import { assertSameTime } from "../timing.ts";

/** A call that can be made twice. */
function call(...jobs: readonly NewJob[]): PutParams {
  return { request: newRequestId(), after: null, queue: "q", jobs, maxSize: null, partial: false, transaction: null };
}

export const put: readonly Rule[] = [
  {
    id: "put.is-there-for-the-next-take",
    title: "when a put resolves, its job is there for the next take on any connection",
    promise: "P2",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      await one.put(job("here"));
      await two.takeOne("here");
    },
  },
  {
    id: "put.tells-id-and-status", // saferedisqueue S1, Tarantool O1
    title: "put tells the id of the job, and the user's own id makes a second put a duplicate",
    promise: "api",
    async run(t) {
      const queue = t.queue<string>();
      const { id, status } = await queue.put("one");
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.equal(status, "added");
      assert.deepEqual(await queue.put("two", { id }), { id, status: "duplicate" });
      assert.equal((await queue.take())?.payload, "one", "a duplicate must change nothing");
      assert.equal(await queue.take(), null, "a duplicate must add nothing");
    },
  },
  {
    id: "put.known-id-is-a-duplicate",
    title: "the id of a job that is in the queue, in whatever state, is answered as duplicate",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const [leased, buried, delayed, ready] = [
        job("leased"),
        job("buried"),
        job("delayed", { due: { in: LONG } }),
        job("ready"),
      ];
      await q.put(leased, buried, delayed);
      await q.takeOne("leased");
      await q.bury(await q.takeOne("buried"));
      await q.put(ready);
      for (const known of [leased, buried, delayed, ready]) {
        const [outcome] = await q.put(newJob({ id: known.id, payload: "again" }));
        assert.deepEqual(outcome, { status: "duplicate", id: known.id }, `putting the ${texts([known])[0]} job again`);
      }
      assert.deepEqual(await q.takeNames(9), ["ready"]);
    },
  },
  {
    id: "put.repeated-call",
    title: "a put that is repeated with its request id is answered as the first time, and adds nothing",
    promise: "P4",
    async run(t) {
      const [one, two] = [await seam(t), await seam(t)];
      const params = call(...jobs("a", "b"));
      const first = await one.backend.put(params);
      assert.deepEqual(await two.backend.put(params), first);
      assert.deepEqual(await one.takeNames(9), ["a", "b"]);
      assert.equal((await one.stats()).counters.put, 2);
    },
  },
  {
    id: "put.repeated-after-the-ack",
    title: "a repeated put adds nothing even when its job was taken and acked in between",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const params = call(job("once"));
      const first = await q.backend.put(params);
      await q.ack(await q.takeOne("once"));
      assert.deepEqual(await q.backend.put(params), first);
      assert.deepEqual(await q.takeNames(9), [], "the acked job came back");
    },
  },
  {
    id: "put.repeated-late", // seeded bug 45
    title: "a repetition is recognised after many other calls, and after some time",
    promise: "P4",
    async run(t) {
      const q = await seam(t);
      const params = call(job("once"));
      await q.backend.put(params);
      await q.ack(await q.takeOne("once"));
      await Promise.all(range(100).map((index) => q.put(job(String(index)))));
      await t.pass(SHORT);
      assert.deepEqual(await q.backend.put(params), [{ status: "added" }]);
      assert.equal((await q.stats()).counters.put, 101, "the acked job came back");
    },
  },
  {
    id: "put.answers-in-order",
    title: "a put answers for each job in the order of the array",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const [old, older] = [job("old"), job("older")];
      await q.put(older, old);
      const outcomes = await q.put(job("a"), old, job("b"), older, job("c"));
      assert.deepEqual(outcomes, [
        { status: "added" },
        { status: "duplicate", id: old.id },
        { status: "added" },
        { status: "duplicate", id: older.id },
        { status: "added" },
      ]);
      assert.deepEqual(await q.takeNames(9), ["older", "old", "a", "b", "c"]);
    },
  },
  {
    id: "put.keeps-its-own-copy",
    title: "what the caller does with its bytes after the put does not change the job",
    promise: "P11",
    async run(t) {
      const q = await seam(t);
      const payload = Buffer.from("as it was put");
      await q.put(newJob({ payload }));
      payload.fill("x");
      await q.takeOne("as it was put");
    },
  },
  {
    id: "put.stores-every-field",
    title: "all that a put says about a job can be read back",
    promise: "seam",
    async run(t) {
      const q = await seam(t);
      const { keys, groups } = q.backend.capabilities;
      const fields = {
        id: newJobId(),
        priority: -7,
        urgent: false,
        key: keys ? "the key" : null,
        group: groups ? "the group" : null,
        maxAttempts: 11,
        headers: '{"any":"text \u2026"}',
      };
      await q.put(newJob({ ...fields, due: { in: LONG }, ttl: 2 * LONG, payload: Buffer.from([0, 255, 128, 0]) }));
      const found = await q.find(fields.id);
      assert.ok(found, "read does not find the job");
      const { createdAt, dueAt, expiresAt, payload, ...rest } = found;
      assert.deepEqual([...payload], [0, 255, 128, 0]);
      assertSameTime(q, dueAt, createdAt + LONG);
      assertSameTime(q, expiresAt, createdAt + 2 * LONG);
      const fresh = { attempt: 0, fence: 0, leaseUntil: null, buryReason: null, lastError: null, progress: null };
      assert.deepEqual(rest, { ...fields, ...fresh, state: "delayed", result: null });
    },
  },
  {
    id: "put.ended-id-is-free",
    title: "the id of a job that is gone may be put again by a new call",
    promise: "states",
    async run(t) {
      const q = await seam(t);
      const id = newJobId();
      for (const end of [ack, fail, bury]) {
        await q.put(job("life", { id, maxAttempts: 1 }));
        await q.settle(end(await q.takeOne("life")));
        await q.delete(id);
      }
      assert.deepEqual(await q.put(job("last life", { id })), [{ status: "added" }]);
      await q.takeOne("last life");
    },
  },
];
