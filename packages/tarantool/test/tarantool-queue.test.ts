/**
 * The cases of the tests of tarantool/queue and of its clients, as far as they speak of this contract: T of queue-python, O of the old server, N of the
 * modern one. The known defects of the modern one (D1 to D15) are in `tarantool-queue-defects.test.ts`.
 *
 * Rules of the suite have the others:
 * T3 wait.timeout-resolves. T6, O5 urgent.newest-first, urgent.through-release. T17 names.*. O2, N18 delay.*. O4 order.released-first. O7 ttl.ends-a-delayed-job.
 * O9, O13, N13 lease.comes-back. O14, N27 priority.* (lower is sooner here). O15 keys.*. O16 payloads.*. N6 order.fifo. N7 wait.put-wakes. N9 wait.return-wakes.
 * N21 lease.touch-extends. N23 delay.of-a-release. N25 groups.*. N28 ttl.ends-a-ready-job. N29 wait.as-many-as-jobs. N31 capacity.*. N38 ttl.not-of-the-buried.
 * Other files of this folder: O9, N13, N37 connection.test.ts. N22, N39, N43 failover.test.ts. N33 waiting.test.ts. N34, O12 crash.test.ts. N44 rights.test.ts.
 *
 * Not of this contract: connections, locks and serializers that can be exchanged (T1, T9 to T16: codecs are tested in core), spaces and their names (N11,
 * N14, N36), temporary tubes (N12, N40), drivers (N2, N3), callbacks in the server (N30), MVCC (N41), versions (N45), box.cfg (N1, N35, N42), drop (N24, N32).
 */
import { Queue } from "@pq/core";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { code, Site } from "./support.ts";

const there = await available("tarantool", "program");

describe.skipIf(!there.available)("tarantool/queue", () => {
  let site: Site;
  let queue: Queue;
  let tests = 0;
  const queues = new Set<Queue>();

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  beforeEach(() => {
    tests++;
    queue = open();
  });
  afterEach(async () => {
    await Promise.all([...queues].map((each) => each.close()));
    queues.clear();
  });

  /** The queue of the test at hand, on a connection of its own. */
  function open(): Queue {
    const opened = new Queue(`q${tests}`, { backend: site.unopened({ leaseGrace: 50 }) });
    queues.add(opened);
    return opened;
  }

  async function taken(from = queue) {
    const job = await from.take();
    if (job === null) throw new Error("nothing was ready");
    return job;
  }

  async function states(): Promise<Record<string, number>> {
    const { ready, delayed, leased, buried, done } = await queue.stats();
    return { ready, delayed, leased, buried, done };
  }

  test("T2, N5: two jobs are put, taken and acked", async () => {
    await queue.put("one");
    await queue.put("two");
    for (const payload of ["one", "two"]) {
      const job = await taken();
      expect(job.payload).toBe(payload);
      await job.ack();
    }
    expect(await queue.take()).toBeNull();
  });

  test("T4, O1: who looks at a job sees all that is known of it", async () => {
    const { id } = await queue.put("a", { ttl: "1m", priority: 3 });
    const info = await queue.peek(id);
    expect(info).toMatchObject({ id, state: "ready", payload: "a", priority: 3, attempt: 0 });
    const job = await taken();
    expect(await queue.peek(id)).toMatchObject({ state: "leased", attempt: 1 });
    await job.ack();
  });

  test("T5, T16, O18: counts are of one queue, and zero for one that nobody knows", async () => {
    const other = new Queue("other", { backend: site.unopened() });
    await queue.put("a");
    expect((await queue.stats()).counters.put).toBe(1);
    expect((await other.stats()).counters.put).toBe(0);
    await other.close();
  });

  test("T7: a job that is disposed of without a word is given back, a settled one is not", async () => {
    await queue.put("a");
    {
      const job = await taken();
      await job[Symbol.asyncDispose]();
    }
    const again = await taken();
    expect([again.payload, again.attempt]).toEqual(["a", 1]);
    await again.ack();
    await again[Symbol.asyncDispose]();
    expect(await queue.size()).toBe(0);
  });

  test("T8, N15: truncate tells how many there were, and nothing is left", async () => {
    await queue.putMany(["a", "b", "c"]);
    expect(await queue.truncate()).toBe(3);
    expect(await states()).toEqual({ ready: 0, delayed: 0, leased: 0, buried: 0, done: 0 });
    expect([await queue.truncate(), await queue.truncate()]).toEqual([0, 0]);
  });

  test("O3, N17, N19: what is acked or deleted is gone, and cannot be acked again", async () => {
    const { id } = await queue.put("a");
    const job = await taken();
    await job.ack();
    expect(await queue.peek(id)).toBeNull();
    expect(await code(job.ack())).not.toBe("done");
    const other = await queue.put("b");
    const mine = await taken();
    expect(await queue.delete(other.id)).toBe(true);
    expect(await code(mine.ack())).toBe("LEASE_LOST");
    expect(await queue.delete(other.id)).toBe(false);
  });

  test("O8: requeue goes to the end, and the attempt does not count", async () => {
    await queue.putMany(["a", "b"]);
    await (await taken()).requeue();
    expect([(await taken()).payload, (await taken()).payload]).toEqual(["b", "a"]);
  });

  test("O10: a job is done with a result, and counted so until the result's time is over", async () => {
    const { id } = await queue.put("a", { keepResult: 100 });
    await (await taken()).ack({ sum: 3 });
    expect(await queue.result(id, { wait: 1000 })).toEqual({ sum: 3 });
    await eventually(async () => expect((await states())["done"]).toBe(0));
    expect(await queue.peek(id)).toBeNull();
  });

  test("O11, N20, N26: bury, dig and kick; only what is buried can be dug", async () => {
    const { id } = await queue.put("a");
    expect(await code(queue.dig(id))).toBe("INVALID_STATE");
    const job = await taken();
    await job.bury("why");
    expect(await queue.peek(id)).toMatchObject({ state: "buried", lastError: "why" });
    expect(await code(job.ack())).not.toBe("done");
    const waiting = open().take({ wait: "5s" });
    await queue.dig(id);
    expect((await waiting)?.payload).toBe("a");
  });

  test("O13, N10: kick honours its number, in the order of the burials, and tells how many", async () => {
    await queue.putMany(["a", "b", "c", "d"]);
    for (let n = 0; n < 4; n++) await (await taken()).bury();
    expect(await queue.kick(3)).toBe(3);
    expect(await states()).toMatchObject({ ready: 3, buried: 1 });
    expect([(await taken()).payload, (await taken()).payload, (await taken()).payload]).toEqual(["a", "b", "c"]);
    expect(await queue.kick(100_500)).toBe(1);
    const { id } = await taken();
    expect(await queue.delete(id)).toBe(true);
    expect(await queue.peek(id)).toBeNull();
  });

  test("O16: 100 puts at once make one connection", async () => {
    await queue.ready();
    const before = await site.ask<number>("return box.stat.net().CONNECTIONS.current");
    await Promise.all(Array.from({ length: 100 }, (_, n) => queue.put({ n, text: "naïve", list: [1, [2]] })));
    expect(await site.ask("return box.stat.net().CONNECTIONS.current")).toBe(before);
    expect(await queue.size()).toBe(100);
  });

  test("O19: a worker's handler that returns acks, one that throws fails, and it may decide by itself", async () => {
    await queue.putMany(["return", "throw", "release"], { maxAttempts: 1 });
    const worker = queue.work(async (job) => {
      if (job.payload === "throw") throw new Error("no");
      if (job.payload === "release") await job.release({ delay: "1m" });
    });
    worker.on("error", () => undefined);
    await eventually(async () => expect(await states()).toMatchObject({ ready: 0, leased: 0, buried: 1, delayed: 1 }));
    await worker.close();
    expect((await queue.stats()).counters).toMatchObject({ ack: 1, fail: 1, release: 1 });
  });

  test("O20: 100 workers take 100 jobs, one each", async () => {
    await queue.putMany(Array.from({ length: 100 }, (_, n) => n));
    const seen: unknown[] = [];
    let most = 0;
    let now = 0;
    const worker = queue.work(
      async (job) => {
        most = Math.max(most, ++now);
        seen.push(job.payload);
        await eventually(() => expect(most).toBe(100));
        now--;
      },
      { concurrency: 100 },
    );
    await eventually(async () => expect(await queue.size()).toBe(0));
    expect(new Set(seen).size).toBe(100);
    await worker.close();
  });

  test("N4, N16: the script of its statistics", async () => {
    const [first] = await queue.putMany([1, 2, 3, 4, 5]);
    await queue.put(6, { delay: "1h" });
    await queue.delete(first!.id);
    await (await taken()).release();
    await (await taken()).ack();
    for (let n = 0; n < 2; n++) await (await taken()).bury();
    await queue.kick(1);
    await taken();
    expect(await states()).toEqual({ ready: 1, delayed: 1, leased: 1, buried: 1, done: 0 });
    expect((await queue.stats()).counters).toMatchObject({
      put: 6,
      delete: 1,
      take: 5,
      release: 1,
      ack: 1,
      bury: 2,
      kick: 1,
    });
  });

  test("N8: of two that are taken the one that is released comes next, then the rest", async () => {
    await queue.putMany([1, 2, 3, 4]);
    const [one] = [await taken(), await taken()];
    await one.release();
    expect([(await taken()).payload, (await taken()).payload, (await taken()).payload]).toEqual([1, 3, 4]);
  });

  test("N37: a process that comes back within its grace goes on with what it has, and two do not share it", async () => {
    const proxy = await site.proxy();
    const { host, port } = proxy;
    const mine = new Queue(queue.name, { backend: site.unopened({ host, port, leaseGrace: 10_000 }) });
    queues.add(mine);
    await queue.put("a");
    const job = await taken(mine);
    proxy.cut();
    expect(await queue.take()).toBeNull();
    await job.ack();
    expect((await queue.stats()).counters).toMatchObject({ ack: 1, leaseExpired: 0 });
  });
});
