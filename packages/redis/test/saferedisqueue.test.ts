/**
 * The cases of saferedisqueue's own tests (S1 to S11), as far as they speak of this contract, and its known defects (E1 to E8): we have none of them.
 * S4 and S5 are about its own scripts for renaming lists. S9 is about pickle: another codec than ours, with the same interface as in S8.
 */
import { bytes, type Codec, json, Queue } from "@pq/core";
import { isPqError, sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { code, newJobs, Site } from "./support.ts";

const there = await available("redis", "program");
const LEASE = 200;

describe.skipIf(!there.available)("saferedisqueue", () => {
  let site: Site;
  const queues = new Set<Queue>();

  beforeEach(async () => {
    site = await Site.start();
  });

  afterEach(async () => {
    for (const queue of queues) await queue.close();
    queues.clear();
    await site.close();
  });

  /** A queue on a connection of its own. */
  function open<T = string>(codec: Codec = json): Queue<T> {
    const queue = new Queue<T>("0", { backend: site.unopened(), codec, lease: LEASE });
    queues.add(queue as Queue);
    return queue;
  }

  async function taken<T>(queue: Queue<T>) {
    const job = await queue.take();
    if (job === null) throw new Error("nothing was ready");
    return job;
  }

  test("S1: a put gives the id as a text of 36 characters", async () => {
    const { id } = await open().put("item");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("S2: that id is the one that is stored, and that the consumer gets", async () => {
    const queue = open();
    const { id } = await queue.put("item");
    expect((await queue.peek(id))?.id).toBe(id);
    expect((await taken(queue)).id).toBe(id);
  });

  test("S3: what is not acked comes again after its lease, what is acked does not", async () => {
    const queue = open();
    await queue.put("bad");
    await queue.put("good");
    const states = async (): Promise<number[]> => {
      const { ready, leased } = await queue.stats();
      return [ready, leased];
    };
    expect((await taken(queue)).payload).toBe("bad");
    expect(await states()).toEqual([1, 1]);
    const good = await taken(queue);
    expect(await states()).toEqual([0, 2]);
    await good.ack();
    expect(await states()).toEqual([0, 1]);
    expect(await queue.take()).toBeNull();
    const again = await queue.take({ wait: 10 * LEASE });
    expect([again?.payload, again?.attempt]).toEqual(["bad", 2]);
    expect(await states()).toEqual([0, 1]);
    await again?.ack();
    expect(await states()).toEqual([0, 0]);
  });

  test("S6: text of all scripts comes back as it was", async () => {
    const queue = open();
    await queue.put("Kožušček 🦫 \0 ﷺ");
    expect((await taken(queue)).payload).toBe("Kožušček 🦫 \0 ﷺ");
  });

  test("S7: bytes come back as the same bytes", async () => {
    const queue = open<Uint8Array>(bytes);
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await queue.put(all);
    expect(Buffer.from((await taken(queue)).payload)).toEqual(Buffer.from(all));
  });

  test("S8: a value comes back with its type; nothing is null", async () => {
    const queue = open<object>();
    expect(await queue.take({ wait: 20 })).toBeNull();
    await queue.put({ a: [1, null, "x"], b: { c: true } });
    expect((await taken(queue)).payload).toEqual({ a: [1, null, "x"], b: { c: true } });
  });

  test("S10: a codec gets exactly the item, and exactly the stored bytes; it is not asked about nothing", async () => {
    const calls: unknown[] = [];
    const codec: Codec = {
      name: "mine",
      encode: (value) => {
        calls.push(value);
        return Buffer.from("stored");
      },
      decode: (stored) => {
        calls.push(Buffer.from(stored).toString());
        return "decoded";
      },
    };
    const queue = open<unknown>(codec);
    expect(await queue.take()).toBeNull();
    expect(calls).toEqual([]);
    const item = { some: "item" };
    await queue.put(item);
    expect((await taken(queue)).payload).toBe("decoded");
    expect(calls[0]).toBe(item);
    expect(calls.slice(1)).toEqual(["stored"]);
  });

  test("S11, E4: a take that waits while the only job is leased to a dead consumer gets it by itself", async () => {
    const [dead, alive] = [open(), open()];
    await dead.put("item");
    // Straight from the store, so that no heartbeat keeps the lease.
    const seam = await site.queue("0");
    await seam.take(1, LEASE);
    const began = performance.now();
    const job = await alive.take({ wait: "20s" });
    expect(job?.payload).toBe("item");
    expect(performance.now() - began).toBeLessThan(LEASE + 2000);
  });

  test("E1: a late ack is refused and leaves no ghost: the job comes whole, and once", async () => {
    const queue = open();
    const seam = await site.queue("0");
    await queue.put("item");
    const [late] = await seam.take(1, 50);
    const again = await eventually(() => taken(queue));
    expect(await seam.ack(late!)).toEqual(["lost"]);
    expect(again.payload).toBe("item");
    await again.ack();
    expect(await queue.take()).toBeNull();
    expect(await queue.stats()).toMatchObject({ ready: 0, leased: 0, counters: { ack: 1 } });
  });

  test("E2: a late fail makes no second job; nobody fails or acks what he does not hold", async () => {
    const queue = open();
    const seam = await site.queue("0");
    await queue.put("item");
    const [late] = await seam.take(1, 50);
    const again = await eventually(() => taken(queue));
    const fail = { type: "fail", error: "late", delay: 0 } as const;
    const { id } = newJobs(1)[0]!;
    expect(await seam.settle({ id: late!.id, fence: late!.fence, ...fail }, { id, fence: 1, ...fail })).toEqual([
      "lost",
      "lost",
    ]);
    expect(await seam.ack({ id, fence: 1 }, { id: again.id, fence: again.fence + 1 })).toEqual(["lost", "lost"]);
    expect(await queue.take()).toBeNull();
    expect(await queue.size()).toBe(1);
    await again.ack();
    expect(await queue.size()).toBe(0);
  });

  test("E3: a consumer that dies at any moment stops no recovery, nor does a crash of the server", async () => {
    const queue = open();
    const seam = await site.queue("0");
    for (let round = 0; round < 5; round++) {
      await queue.put("item");
      await seam.take(1, LEASE);
      // Somebody looks for expired leases, and dies: with his connection, and then with the server.
      const waiting = seam.wait(1000).catch(() => undefined);
      await site.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      if (round > 2) await site.server.restart();
      await waiting;
      const job = await eventually(() => taken(queue));
      await job.ack();
    }
  }, 30_000);

  test("E5: a lease is counted from the take, not from when somebody first looked", async () => {
    const queue = open();
    const seam = await site.queue("0");
    await queue.put("item");
    const began = performance.now();
    await seam.take(1, LEASE);
    // Nobody has looked until it is over.
    await eventually(() => expect(performance.now() - began).toBeGreaterThan(LEASE + 5));
    expect((await taken(queue)).attempt).toBe(2);
  });

  test("E6: taking from an empty queue is no error, whatever connection it is over", async () => {
    const queue = open();
    expect(await queue.take()).toBeNull();
    const borrowed = new Queue("0", { backend: site.unopened({ client: site.client() }) });
    expect(await borrowed.take()).toBeNull();
    await borrowed.close();
  });

  test("E7: settling costs the same, however many jobs are in flight", async () => {
    const seam = await site.queue("0");
    const cost = async (): Promise<number> => {
      await seam.put(newJobs(1)[0]!);
      const [job] = await seam.take(1);
      await site.admin.config("RESETSTAT");
      await seam.ack(job!);
      const stats = await site.info("commandstats");
      return [...stats.values()].reduce((sum, text) => sum + Number(/calls=(\d+)/.exec(text)?.[1] ?? 0), 0);
    };
    const few = await cost();
    await seam.putAll(newJobs(5000));
    for (let n = 0; n < 5; n++) await seam.take(1000);
    expect(await cost()).toBeLessThanOrEqual(few);
    // No command that goes through a list of them, either.
    expect([...(await site.info("commandstats")).keys()]).not.toContain("cmdstat_lrem");
  });

  test("E8: a poison job is buried after its attempts; there are priority, delay, size, peek and truncate", async () => {
    const queue = open();
    await queue.put("poison", { maxAttempts: 2 });
    for (const left of ["first", "second"]) await (await taken(queue)).fail(new Error(left), { delay: 0 });
    expect(await queue.take()).toBeNull();
    const { jobs } = await queue.list({ state: "buried" });
    expect(jobs.map(({ payload, lastError }) => [payload, lastError])).toEqual([
      ["poison", expect.stringContaining("second")],
    ]);
    await queue.put("low", { priority: 1 });
    const { id } = await queue.put("high", { priority: -1 });
    await queue.put("late", { delay: "1h" });
    expect(await queue.size()).toBe(3);
    expect((await queue.peek(id))?.payload).toBe("high");
    expect((await taken(queue)).payload).toBe("high");
    expect(await queue.truncate()).toBe(4);
    expect(await queue.size()).toBe(0);
    expect(await code(queue.dig(id))).toBe("NOT_FOUND");
  });

  test("E8: a take is one step: no id without its payload, whenever a connection dies", async () => {
    const seam = await site.queue("0");
    await seam.putAll(newJobs(500));
    const consumers = await Promise.all(Array.from({ length: 4 }, () => site.queue("0")));
    let killing = 0;
    const got: string[] = [];
    await Promise.all(
      consumers.map(async (consumer) => {
        for (let empty = 0; empty < 3;) {
          const jobs = await consumer.take(3).catch((error: unknown) => {
            if (isPqError(error, "UNAVAILABLE") || isPqError(error, "OUTCOME_UNKNOWN")) return undefined;
            throw error;
          });
          if (jobs === undefined) {
            // As core does between two tries.
            await sleep(systemClock, 10);
            continue;
          }
          empty = jobs.length === 0 ? empty + 1 : 0;
          for (const { payload } of jobs) got.push(Buffer.from(payload).toString());
          if (killing++ % 40 === 0) await site.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        }
      }),
    );
    // What was leased in a call whose answer was lost is still there, whole.
    const { leased, ready } = await seam.stats();
    expect([leased, ready]).toEqual([500, 0]);
    expect(new Set(got).size).toBe(got.length);
    expect(got.every((text) => /^\d+$/.test(text))).toBe(true);
  }, 20_000);
});
