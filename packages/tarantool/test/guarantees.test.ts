/** What is promised, by the settings of real servers. */
import type { Durability } from "@pq/core/backend";
import { available, type TarantoolSettings } from "@pq/services";
import { afterEach, describe, expect, test } from "vitest";
import { readGuarantees } from "../src/guarantees.ts";
import type { Received } from "../src/iproto/value.ts";
import { newJob, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");

describe.skipIf(!there.available)("real servers", () => {
  let site: Site;
  afterEach(async () => site?.close());

  test.each<[Durability, readonly RegExp[], TarantoolSettings]>([
    ["disk", [], { walMode: "fsync" }],
    ["process", [/wal_mode is write.*power cut.*'fsync'/], { walMode: "write" }],
    ["memory", [/wal_mode is none.*restart.*'fsync'/], { walMode: "none" }],
    ["disk", [/net_msg_max is 100.*768/], { cfg: { net_msg_max: 100 } }],
    ["disk", [/force_recovery/], { cfg: { force_recovery: true } }],
    [
      "process",
      [/wal_mode/, /force_recovery/, /net_msg_max/],
      { walMode: "write", cfg: { net_msg_max: 8, force_recovery: true } },
    ],
  ])("%s, %j: %j", async (durability, warnings, settings) => {
    site = await Site.start(settings);
    const found = await site.unopened().open({ report: () => undefined });
    expect(found.durability).toBe(durability);
    expect(found.store).toBe(`Tarantool ${site.server.version}`);
    expect(found.warnings).toHaveLength(warnings.length);
    for (const [at, warning] of warnings.entries()) expect(found.warnings[at]).toMatch(warning);
  });

  test.each(["write", "fsync"] as const)("wal_mode %s: what was accepted outlives the process", async (walMode) => {
    site = await Site.start({ walMode });
    const seam = await site.queue();
    await seam.put(newJob("a"), newJob("b"));
    const [a] = await seam.take();
    await seam.ack(a!);
    await seam.backend.close();
    await site.server.restart();
    expect(texts(await (await site.queue()).take(5))).toEqual(["b"]);
  });

  test("a setting that changes is seen at the next opening", async () => {
    site = await Site.start();
    const backend = site.unopened();
    expect((await backend.open({ report: () => undefined })).warnings).toEqual([]);
    await backend.close();
    await site.server.admin("box.cfg{net_msg_max = 16}");
    expect((await backend.open({ report: () => undefined })).warnings.join()).toContain("net_msg_max is 16");
  });
});

/** What `server` in Lua answers. */
function settings(more: Record<string, string | number | boolean> = {}): Map<string, Received> {
  const usual = {
    engine: "memtx", version: "2.11.3-0-gabc", wal_mode: "fsync", net_msg_max: 768, force_recovery: false, members: 3, is_sync: true, quorum: "2",
  }; // prettier-ignore
  const all = Object.entries<string | number | boolean>({ ...usual, ...more });
  return new Map(all.map(([name, value]) => [name, typeof value === "string" ? Buffer.from(value) : value]));
}

describe("a majority", () => {
  test.each<[Durability, Parameters<typeof settings>[0]]>([
    ["majority", {}],
    ["majority", { quorum: "3" }],
    ["majority", { quorum: "N / 2 + 1" }],
    ["majority", { quorum: "N/2+1", members: 2 }],
    ["majority", { wal_mode: "write" }],
    // One that is half of all.
    ["disk", { members: 4 }],
    ["disk", { quorum: "1" }],
    ["disk", { members: 1, quorum: "1" }],
    ["disk", { quorum: "N" }],
    ["disk", { is_sync: false }],
    ["memory", { wal_mode: "none" }],
  ])("%s: %j", (durability, more) => {
    expect(readGuarantees(settings(more), "majority").durability).toBe(durability);
  });

  test("the warning says what is lacking, to those who asked for it", () => {
    const said = (more: Parameters<typeof settings>[0]): string =>
      readGuarantees(settings(more), "majority").warnings.join();
    expect(said({})).toBe("");
    expect(said({ is_sync: false })).toContain("not synchronous");
    expect(said({ quorum: "1" })).toContain("replication_synchro_quorum is 1 of 3 instances");
    expect(readGuarantees(settings({ quorum: "1" }), "server").warnings).toEqual([]);
  });

  test("the store is named with its version alone", () => {
    expect(readGuarantees(settings(), "server").store).toBe("Tarantool 2.11.3");
    expect(readGuarantees(settings({ version: "3.2.0-entrypoint" }), "server").store).toBe("Tarantool 3.2.0");
  });

  test("what is unknown is promised least", () => {
    expect(readGuarantees(settings({ wal_mode: "later" }), "server").durability).toBe("memory");
  });
});
