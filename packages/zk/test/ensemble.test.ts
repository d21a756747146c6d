/** Three servers: what is acknowledged outlives the leader, what cannot be acknowledged ends all the same, and who asks one server sees what another took. */
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "@pq/core/testing";
import { available, startZkEnsemble, type ZkEnsemble } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Child } from "./child.ts";
import type { Summary } from "./child/main.ts";
import { code, failure, newJob, Seam, Site, texts } from "./support.ts";

const there = await available("zk", "program");
/** How often the leader is killed. */
const KILLS = Number(process.env["PQ_ZK_KILLS"] ?? 2);
const COMMAND_TIMEOUT = 1500;

describe.skipIf(!there.available)("an ensemble", { timeout: 120_000 }, () => {
  let ensemble: ZkEnsemble;
  let site: Site;

  beforeAll(async () => {
    ensemble = await startZkEnsemble();
  }, 60_000);

  afterAll(async () => {
    await ensemble?.close();
  });

  // While all servers run: to close a connection to one that hangs stops the event loop.
  afterEach(() => site.close());

  beforeEach(() => {
    site = new Site({ host: "127.0.0.1", port: ensemble.members[0]!.port, hosts: ensemble.hosts });
  });

  test("promises a majority", async () => {
    const guarantees = await site.unopened().open({ report: () => undefined });
    expect(guarantees).toEqual({ durability: "majority", store: "ZooKeeper, an ensemble of 3", warnings: [] });
  });

  test("shows through each server what was taken by another, at once", async () => {
    const [one, two, three] = await Promise.all(ensemble.members.map(({ hosts }) => site.queue("q", { hosts })));
    for (let round = 0; round < 30; round++) {
      await one!.put(newJob(String(round)));
      const [stats, jobs] = await Promise.all([three!.stats(), two!.take(1)]);
      expect(stats.ready + stats.leased).toBe(1);
      expect(texts(jobs)).toEqual([String(round)]);
      expect((await one!.stats()).leased).toBe(1);
      expect(await two!.ack(jobs[0]!)).toEqual(["gone"]);
      const { ready, leased, counters } = await three!.stats();
      expect([ready, leased, counters.ack]).toEqual([0, 0, round + 1]);
    }
    const waiting = three!.wait(20_000);
    await one!.put(newJob("wanted"));
    await waiting;
    expect(texts(await three!.take(1))).toEqual(["wanted"]);
  });

  test(`loses nothing, and does nothing twice, when its leader is killed ${KILLS} times under load`, async ({
    annotate,
  }) => {
    const child = new Child("work", ensemble.hosts, site.root, 10_000);
    await child.said("open");
    for (let kill = 1; kill <= KILLS; kill++) {
      await sleep(700);
      const before = child.count("event reconnected");
      const leader = await ensemble.leader();
      await leader.kill();
      await eventually(() => expect(child.count("event reconnected")).toBeGreaterThan(before), { patience: 30_000 });
      await sleep(700);
      await leader.start();
      await ensemble.ready();
    }
    child.tell("stop");
    const { put, acked, unknown, lost, ...bad } = JSON.parse(await child.said("summary", 60_000)) as Summary;
    expect(bad).toEqual({ missing: [], twice: [], wrong: [] });
    expect(await child.ended).toBe(0);
    await annotate(`${put} put, ${acked} acked, ${unknown} unknown, ${lost} lost`);
    const { ready, leased } = await (await site.queue()).stats();
    expect([ready, leased]).toEqual([0, 0]);
  });

  test("without a majority ends each call by its deadline, and goes on when it has one again", async () => {
    const seam = new Seam(await site.backend({ commandTimeout: COMMAND_TIMEOUT, sessionTimeout: 20_000 }), "q");
    await seam.put(newJob("before"));
    const leader = await ensemble.leader();
    const follower = ensemble.members.find((member) => member !== leader)!;
    await Promise.all([leader.kill(), follower.kill()]);
    for (let round = 0; round < 3; round++) {
      const started = performance.now();
      const codes = await Promise.all([
        code(seam.put(newJob(`during ${round}`))),
        code(seam.take()),
        code(seam.stats()),
        code(seam.wait(1000)),
        code(seam.backend.queues()),
      ]);
      expect(performance.now() - started).toBeLessThan(3 * COMMAND_TIMEOUT);
      for (const each of codes.slice(0, 3)) expect(each).toMatch(/^(?:UNAVAILABLE|OUTCOME_UNKNOWN)$/);
      expect(codes[2]).toBe("UNAVAILABLE");
      await sleep(300);
    }
    await Promise.all([leader.start(), follower.start()]);
    await ensemble.ready();
    await eventually(async () => expect((await failure(seam.put(newJob("after")))).message).toBe("it did not fail"), {
      patience: 30_000,
    });
    const names = texts(await seam.take(20));
    expect(names[0]).toBe("before");
    expect(names.at(-1)).toBe("after");
    // What was answered as not applied is not there, or it was of unknown outcome.
    expect(new Set(names).size).toBe(names.length);
  });

  test("opens while one of its servers is down", async () => {
    const [member] = ensemble.members;
    await member!.kill();
    await eventually(() => ensemble.leader());
    const seam = await site.queue();
    await seam.put(newJob("a"));
    expect(texts(await seam.take())).toEqual(["a"]);
    await member!.start();
    await ensemble.ready();
  });
});
