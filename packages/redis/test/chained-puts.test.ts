/** Two puts of a queue in flight over a real connection, which is cut between them, whose script is forgotten, whose answers are lost: order holds. */
import { newRequestId, type PutParams } from "@pq/core/backend";
import { Queue } from "@pq/core";
import { FaultProxy } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isCall, loadScripts } from "./harness.ts";
import { code, newJob, newJobs, Site, texts } from "./support.ts";

const there = await available("redis", "program");

const BURST = 200;
const numbers = Array.from({ length: BURST }, (_, n) => n);

describe.skipIf(!there.available)("two puts in flight", () => {
  let site: Site;

  beforeEach(async () => {
    site = await Site.start();
    await loadScripts(site.server);
  });

  afterEach(async () => site.close());

  /** Put bursts while something goes wrong in the middle of each. */
  async function bursts(rounds: number, harm: (proxy: FaultProxy, round: number) => unknown): Promise<void> {
    await using proxy = await FaultProxy.listen({ port: site.server.port, isRequest: isCall });
    const queue = new Queue<number>("q", { backend: site.unopened({ url: `redis://${proxy.host}:${proxy.port}` }) });
    await queue.ready();
    const look = await site.queue();
    for (let round = 0; round < rounds; round++) {
      const puts = Promise.all(numbers.map((n) => queue.put(n)));
      // Now before the calls have gone out, now on their way, now when some have been answered.
      for (let turns = 0; turns < round % 6; turns++) await new Promise((resolve) => setImmediate(resolve));
      await harm(proxy, round);
      await puts;
      expect(texts(await look.take(2 * BURST)), `round ${round}`).toEqual(numbers.map(String));
    }
    expect((await look.stats()).counters.put).toBe(rounds * BURST);
    await queue.close();
  }

  test("cuts at any byte: nothing is lost, doubled or overtaken", async () => {
    await bursts(12, (proxy, round) => {
      proxy.slice(997 * (1 + (round % 13)));
      proxy.cut();
    });
  }, 60_000);

  test("requests and replies that are lost", async () => {
    const losses = ["loseReply", "loseRequest"] as const;
    await bursts(8, (proxy, round) => {
      // For a request of this round that comes later, or for the next round.
      for (let bit = 0; bit < 2; bit++) proxy[losses[(round >> bit) & 1]!]();
    });
  }, 60_000);

  test("SCRIPT FLUSH between them: a first call that the server did not know comes before the second", async () => {
    await bursts(40, () => site.admin.script("FLUSH"));
  }, 60_000);

  test("CLIENT KILL of all connections", async () => {
    await bursts(12, () => site.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"));
  }, 60_000);
});

describe.skipIf(!there.available).concurrent("a put that must come after another", () => {
  const put = (after: PutParams["after"], fields: Partial<PutParams> = {}): PutParams => ({
    request: newRequestId(),
    after,
    queue: "q",
    jobs: newJobs(3),
    maxSize: null,
    partial: false,
    transaction: null,
    ...fields,
  });

  test.each<[string, Partial<PutParams>]>([
    ["plain jobs", {}],
    ["jobs with features", { jobs: [newJob("a", { priority: 1, group: "g" })] }],
    ["large jobs", { jobs: [newJob("a".repeat(5000)), newJob("b".repeat(5000))] }],
    ["a bounded queue", { maxSize: 1000 }],
  ])("%s: is refused and changes nothing without it, and goes after it", async (_what, fields) => {
    const site = await Site.start();
    try {
      const { backend } = await site.queue();
      await backend.put(put(null));
      const first = put(null);
      const second = put(first.request, fields);
      const before = await site.contents();
      expect(await code(backend.put(second))).toBe("UNAVAILABLE");
      expect(await site.contents()).toEqual(before);
      await backend.put(first);
      expect(await backend.put(second)).toEqual(second.jobs.map(() => ({ status: "added" })));
    } finally {
      await site.close();
    }
  });
});
