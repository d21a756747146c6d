import { Queue } from "@pq/core";
import type { JobId } from "@pq/core/backend";
import { eventually, FaultProxy } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newJob, Site } from "./support.ts";

const there = await available("redis", "program");

describe.skipIf(!there.available)("while it works", () => {
  let site: Site;

  beforeEach(async () => {
    site = await Site.start();
  });

  afterEach(async () => site.close());

  /** Put so many jobs one by one, over one connection, and work on them over two others, while something goes wrong again and again. */
  async function load(
    count: number,
    harm: () => Promise<unknown>,
  ): Promise<{ readonly done: Map<JobId, number>; harmed: number }> {
    const producer = new Queue<number>("load", { backend: site.unopened() });
    const consumers = [1, 2].map(() => new Queue<number>("load", { backend: site.unopened() }));
    await Promise.all([producer, ...consumers].map((queue) => queue.ready()));
    const done = new Map<JobId, number>();
    const workers = consumers.map((queue) =>
      queue.work((job) => void done.set(job.id, (done.get(job.id) ?? 0) + 1), { concurrency: 8 }),
    );
    const over = new AbortController();
    let harmed = 0;
    const harming = (async (): Promise<void> => {
      for (; !over.signal.aborted; harmed++) await harm();
    })();
    const ids: JobId[] = [];
    for (let at = 0; at < count; at += 20) {
      const puts = await Promise.all(Array.from({ length: 20 }, (_, n) => producer.put(at + n)));
      ids.push(...puts.map(({ id }) => id));
    }
    await eventually(() => expect(done.size).toBe(count), { patience: 20_000 });
    over.abort();
    await harming;
    await Promise.all(workers.map((worker) => worker.close()));
    expect(ids.every((id) => done.has(id))).toBe(true);
    const { ready, leased, counters } = await producer.stats();
    expect({ ready, leased, put: counters.put, ack: counters.ack }).toEqual({
      ready: 0,
      leased: 0,
      put: count,
      ack: count,
    });
    await Promise.all([producer, ...consumers].map((queue) => queue.close()));
    return { done, harmed };
  }

  test("SCRIPT FLUSH again and again: nothing is lost or doubled", async () => {
    const { done, harmed } = await load(2000, () => site.admin.script("FLUSH"));
    expect(harmed).toBeGreaterThan(50);
    expect([...done.values()].every((times) => times === 1)).toBe(true);
  }, 60_000);

  test("CLIENT KILL of all connections again and again: nothing is lost or doubled", async () => {
    const kill = async (): Promise<void> => {
      await site.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      // They must get to do something between two kills.
      const before = Number((await site.info("stats")).get("total_commands_processed"));
      await eventually(
        async () => {
          const now = Number((await site.info("stats")).get("total_commands_processed"));
          expect(now).toBeGreaterThan(before + 500);
        },
        { patience: 1000 },
      ).catch(() => undefined);
    };
    const { done, harmed } = await load(1000, kill);
    expect(harmed).toBeGreaterThan(2);
    // A take whose answer was lost gives the same jobs again, and each ack is done once: so no job ran twice.
    expect([...done.values()].filter((times) => times > 1)).toEqual([]);
  }, 60_000);

  test.each(["pq-wait", "pq"])(
    "CLIENT KILL of the connection %s: the consumer that waits gets the next job at once",
    async (name) => {
      const queue = new Queue<string>("q", { backend: site.unopened() });
      const producer = await site.queue();
      const taking = queue.take({ wait: "20s" });
      await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("1"));
      const clients = String(await site.admin.call("CLIENT", "LIST")).split("\n");
      const victims = clients.filter((line) => line.includes(` name=${name} `));
      for (const line of victims) await site.admin.call("CLIENT", "KILL", "ID", /id=(\d+)/.exec(line)?.[1] ?? "");
      expect(victims.length).toBeGreaterThan(0);
      await eventually(() => producer.put(newJob('"job"')));
      const began = performance.now();
      expect((await taking)?.payload).toBe("job");
      expect(performance.now() - began).toBeLessThan(3500);
      await queue.close();
    },
    20_000,
  );

  test("a wait on a half-open connection ends by its own deadline, and jobs come once it has healed", async () => {
    await using proxy = await FaultProxy.listen({ port: site.server.port });
    const url = `redis://${proxy.host}:${proxy.port}`;
    const seam = await site.queue("q", { url, commandTimeout: 500 });
    const producer = await site.queue();
    const waiting = seam.wait(1000).then(
      () => "resolved",
      () => "rejected",
    );
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("1"));
    const began = performance.now();
    const heal = proxy.halfOpen();
    await producer.put(newJob("job"));
    expect(await waiting).toMatch(/^re/);
    expect(performance.now() - began).toBeLessThan(5000);
    heal();
    expect(
      await eventually(async () => {
        const jobs = await seam.take(1);
        if (jobs.length === 0) throw new Error("nothing yet");
        return jobs.length;
      }),
    ).toBe(1);
  }, 20_000);

  test("a consumer whose connections are half-open for a while gets jobs after it by itself", async () => {
    await using proxy = await FaultProxy.listen({ port: site.server.port });
    const url = `redis://${proxy.host}:${proxy.port}`;
    const queue = new Queue<string>("q", { backend: site.unopened({ url, commandTimeout: 500 }) });
    const producer = await site.queue();
    const taking = queue.take({ wait: "30s" });
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("1"));
    const heal = proxy.halfOpen();
    await producer.put(newJob('"job"'));
    heal();
    const began = performance.now();
    expect((await taking)?.payload).toBe("job");
    expect(performance.now() - began).toBeLessThan(10_000);
    await queue.close();
  }, 20_000);
});
