/** Servers that take no writes for a while, and replica sets whose master is another one. */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available, startTarantoolReplicaSet, type TarantoolReplicaSet, type TarantoolSettings } from "@pq/services";
import { afterEach, describe, expect, test } from "vitest";
import { tarantool, type TarantoolOptions } from "../src/index.ts";
import { type Change, installChanged, replacing } from "./invariants/changed.ts";
import { Process } from "./process.ts";
import { code, failure, newJob, newJobs, opened, Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
const MOST = { timeout: 40_000 };

/** Members have 0.2 s to come back, in place of 5. */
const SOON: Change = ["local AFTER_RESTART = 5", "local AFTER_RESTART = 0.2"];

describe.skipIf(!there.available)("a server that gets read-only", MOST, () => {
  let site: Site;
  afterEach(async () => site?.close());

  const setReadOnly = async (on: boolean): Promise<unknown> => site.server.admin(`box.cfg{read_only = ${on}}`);

  test("refuses calls, with the remedy, until it takes writes again; leases and who waits are kept", async () => {
    site = await Site.start();
    const [seam, other] = [await site.queue(), await site.queue()];
    await seam.put(newJob("a"), newJob("b"));
    const [a] = await seam.take();
    await other.take();
    const waiting = code(other.wait(5000));
    await setReadOnly(true);
    const said = await failure(seam.put(newJob("no")));
    expect(said).toMatch(/^UNAVAILABLE: .*read-only/);
    expect(await code(seam.ack(a!))).toBe("UNAVAILABLE");
    expect(await code(seam.stats())).toBe("UNAVAILABLE");
    await setReadOnly(false);
    expect(await eventually(() => seam.ack(a!), { patience: 10_000 })).toEqual(["gone"]);
    await eventually(() => seam.put(newJob("c")));
    expect(await waiting).toMatch(/^(?:done|UNAVAILABLE)$/);
    expect(texts(await seam.take(5))).toEqual(["c"]);
    expect((await seam.stats()).counters).toMatchObject({ put: 3, leaseExpired: 0 });
    expect(seam.backend.events.map(({ type }) => type)).toEqual(["disconnected", "reconnected"]);
  });

  test("gives back what a process held that died meanwhile", async () => {
    site = await Site.start();
    await installChanged(site, "pq", [SOON]);
    const process = new Process(site.server.port);
    const [seam, dead] = [await site.queue(), await site.queue("q", { ...process.options, leaseGrace: 20 })];
    await seam.put(newJob("a"), newJob("b"));
    await dead.take();
    await seam.take();
    // The time that members have after the start is over.
    await sleep(systemClock, 300);
    await setReadOnly(true);
    process.die("end");
    const members = (): Promise<number> =>
      site.ask("local n = 0 for _ in pairs(_G.__pq.pq.state.members) do n = n + 1 end return n");
    await eventually(async () => expect(await members()).toBeLessThan(2));
    await setReadOnly(false);
    await eventually(async () => expect(texts(await seam.take(5))).toEqual(["a"]), { patience: 15_000 });
    expect((await seam.stats()).leased).toBe(2);
  });
});

describe.skipIf(!there.available)("a replica set", MOST, () => {
  let set: TarantoolReplicaSet | undefined;
  const closing: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
    await set?.close();
  });

  async function start(settings: TarantoolSettings = {}): Promise<TarantoolReplicaSet> {
    return (set = await startTarantoolReplicaSet(settings));
  }

  async function queue(options: TarantoolOptions = {}): Promise<Seam> {
    const url = set!.members.map((member) => member.url);
    const where = options.connect === undefined ? { url } : {};
    const backend = tarantool({ ...where, commandTimeout: 1500, ...options });
    closing.push(() => backend.close());
    return new Seam(await opened(backend), "q");
  }

  test("goes on with another master: jobs, keys, fences, answers and leases are kept", async () => {
    const { members } = await start();
    const seam = await queue();
    await seam.put(...newJobs(5, { group: "g" }), newJob("keyed", { key: "k", priority: -1, maxAttempts: 5 }));
    const [held] = await seam.take();
    await set!.promote(1);
    expect(await eventually(() => seam.touch(60_000, held!), { patience: 10_000 })).toEqual([true]);
    expect((await seam.put(newJob("again", { key: "k" })))[0]).toEqual({ status: "duplicate", id: held!.id });
    const fail = { id: held!.id, fence: held!.fence, type: "fail" as const, delay: 0, error: "e" };
    expect(await seam.settle(fail)).toEqual(["ready"]);
    const [again] = await seam.take();
    expect([again!.id, again!.attempt, again!.lastError]).toEqual([held!.id, 2, "e"]);
    expect(again!.fence).toBeGreaterThan(held!.fence);
    await set!.promote(0);
    expect(await eventually(() => seam.ack(again!), { patience: 10_000 })).toEqual(["gone"]);
    expect(await seam.drain()).toEqual(["0", "1", "2", "3", "4"]);
    expect((await seam.stats()).counters).toMatchObject({ put: 6, ack: 6, take: 7, duplicate: 1, leaseExpired: 0 });
    expect(members[0]!.runs).toBe(true);
  });

  test("gives back the leases of a process that dies with the master", async () => {
    await start();
    const process = new Process(set!.members[0]!.port);
    const [master, replica] = set!.members.map(({ url }) => url);
    const first = await queue();
    await first.backend.close();
    await set!.members[0]!.admin(`${replacing("pq", [SOON])} _G.__pq = nil`);
    await set!.inSync();
    // This one has called the replica, which has the scripts since then.
    const seam = await queue({ url: [replica!, master!] });
    const { user, password } = set!.members[0]!;
    const dead = await queue({ ...process.options, user, password });
    await seam.put(newJob("a"), newJob("b"));
    await dead.take();
    const [kept] = await seam.take();
    await set!.inSync();
    // The time that members have after the start is over.
    await sleep(systemClock, 300);
    await set!.members[0]!.kill();
    process.die("end");
    await set!.promote(1);
    await eventually(async () => expect(texts(await seam.take(5))).toEqual(["a"]), { patience: 15_000 });
    expect(await seam.ack(kept!)).toEqual(["gone"]);
  });

  describe("durability majority", () => {
    const cfg = { replication_synchro_quorum: 2, replication_synchro_timeout: 0.5 };

    test("is promised where all changes wait for a majority, and kept", async () => {
      await start({ cfg });
      const seam = await queue({ durability: "majority" });
      const { durability, warnings } = await seam.backend.open({ report: () => undefined });
      expect({ durability, warnings }).toEqual({ durability: "majority", warnings: [] });
      await seam.put(newJob("kept"));
      const [job] = await seam.take();
      await set!.members[1]!.kill();
      const began = systemClock.monotonic();
      const said = await failure(seam.put(newJob("alone")));
      expect(said).toMatch(/^OUTCOME_UNKNOWN: .*(?:quorum|synchronous)/i);
      expect(systemClock.monotonic() - began).toBeGreaterThan(400);
      expect(await code(seam.ack(job!))).toBe("OUTCOME_UNKNOWN");
      await set!.members[1]!.start();
      // What was not confirmed is not there, and the lease still is.
      expect(await eventually(() => seam.ack(job!), { patience: 15_000 })).toEqual(["gone"]);
      await eventually(() => seam.put(newJob("after")), { patience: 5000 });
      expect((await seam.drain()).filter((name) => name !== "alone")).toEqual(["after"]);
    });

    test("goes on on the other one after a failover", async () => {
      await start({ cfg: { ...cfg, replication_synchro_quorum: 2 } });
      const seam = await queue({ durability: "majority" });
      await seam.put(newJob("a"), newJob("b"));
      const [a] = await seam.take();
      await set!.promote(1);
      expect(await eventually(() => seam.ack(a!), { patience: 15_000 })).toEqual(["gone"]);
      await seam.put(newJob("c"));
      expect(await seam.drain()).toEqual(["b", "c"]);
    });

    test("is not promised by one member, and the warning says why", async () => {
      const site = await Site.start();
      closing.push(() => site.close());
      const backend = await site.backend({ durability: "majority" });
      const { durability, warnings } = await backend.open({ report: () => undefined });
      expect(durability).toBe("disk");
      expect(warnings.join()).toMatch(/replication_synchro_quorum is 1 of 1 instances/);
    });
  });
});
