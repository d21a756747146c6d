/** Lower is sooner, whatever the numbers. */
import assert from "node:assert/strict";
import { newJobId } from "../../id.ts";
import {
  ack,
  drain,
  fail,
  type JobFields,
  outlast,
  putJob,
  putJobs,
  release,
  settle,
  SHORT,
  take,
  takeOne,
  text,
  texts,
} from "../jobs.ts";
import type { Rule } from "../rule.ts";

const LOWEST = -(2 ** 31);
const HIGHEST = 2 ** 31 - 1;

/** A job that says its priority. */
function at(priority: number): JobFields {
  return { priority, payload: String(priority) };
}

export const priority: readonly Rule[] = [
  {
    id: "priority.lower-is-sooner", // kazoo K4 and K11; O14 and mongoqueue M5 with their numbers turned round
    title: "jobs come out by priority, the lower number sooner, and in their order within one",
    promise: "order",
    async run(t) {
      const queue = t.queue<string>();
      await queue.put("four", { priority: 101 });
      await queue.put("one", { priority: 0 });
      await queue.put("two", { priority: 0 });
      await queue.put("three", { priority: 10 });
      for (const expected of ["one", "two", "three", "four"]) {
        const job = await queue.take();
        assert.equal(job?.payload, expected);
        await job.ack();
      }
    },
  },
  {
    id: "priority.extremes",
    title: "priorities from -2^31 to 2^31-1 are ordered as numbers",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      const sorted = [LOWEST, LOWEST + 1, -1000, -10, -9, -1, 0, 1, 9, 10, 1000, HIGHEST - 1, HIGHEST];
      const mixed = [0, HIGHEST, -9, 1000, LOWEST, 10, -1, HIGHEST - 1, -1000, 9, 1, LOWEST + 1, -10];
      await putJobs(backend, ...mixed.map(at));
      assert.deepEqual((await drain(backend)).map(Number), sorted);
    },
  },
  {
    id: "priority.fifo-at-the-extremes",
    title: "jobs of an extreme priority keep their order, to the last one",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      const ids = Array.from({ length: 10 }, newJobId).sort().reverse();
      const jobs = ids.flatMap((id, index) => [{ id, priority: index < 5 ? LOWEST : HIGHEST, payload: `${index}` }]);
      await putJobs(backend, ...jobs);
      assert.deepEqual(await drain(backend), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    },
  },
  {
    id: "priority.later-put-overtakes", // kazoo's Queue serves a cached list first
    title: "a later, more urgent put is seen by the next take, on every connection",
    promise: "order",
    async run(t) {
      const [one, two] = [await t.backend(), await t.backend()];
      await putJobs(one, "a", "b", "c");
      assert.equal(text(await takeOne(two)), "a");
      await putJob(one, { payload: "urgent", priority: -1 });
      assert.equal(text(await takeOne(two)), "urgent");
      assert.equal(text(await takeOne(two)), "b");
    },
  },
  {
    id: "priority.in-one-take",
    title: "a take of several gives them in the order of their priorities",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, at(3), at(1), at(2), at(-5));
      assert.deepEqual(texts(await take(backend, 3)), ["-5", "1", "2"]);
    },
  },
  {
    id: "priority.kept-through-returns", // Tarantool N27
    title: "a returned job keeps its priority: it passes its equals, and nobody more urgent",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, { priority: 5, payload: "released" }, { priority: 5, payload: "failed" });
      const [released, failed] = await take(backend, 2);
      assert.ok(released && failed, "take gave fewer jobs than are ready");
      await putJobs(backend, at(5), at(4), at(6));
      await settle(backend, fail(failed), release(released));
      assert.deepEqual(await drain(backend), ["4", "released", "failed", "5", "6"]);
    },
  },
  {
    id: "priority.kept-through-delay",
    title: "a job that falls due takes its place by priority",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJob(backend, { priority: 1, payload: "was delayed", due: { in: SHORT } });
      await putJobs(backend, at(0), at(2));
      await outlast(t, backend, SHORT);
      assert.deepEqual(await drain(backend), ["0", "was delayed", "2"]);
    },
  },
  {
    id: "priority.no-waiting-ahead",
    title: "settling one job changes nothing in the order of the others",
    promise: "order",
    async run(t) {
      const backend = await t.backend();
      await putJobs(backend, at(2), at(0), at(1), at(0), at(2));
      const seen: string[] = [];
      for (let n = 0; n < 5; n++) {
        const job = await takeOne(backend);
        seen.push(text(job));
        await settle(backend, ack(job));
      }
      assert.deepEqual(seen, ["0", "0", "1", "2", "2"]);
    },
  },
];
