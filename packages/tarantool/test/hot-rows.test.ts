/** What is done to rows through the server's C interface is what is done without it. */
import { sleep, systemClock } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Change, installChanged } from "./invariants/changed.ts";
import { newJob, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
const BY_LUA: Change = ["local has_c = ", "local has_c = false and "];

describe.skipIf(!there.available)("leases and acks", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  /** Rows as they are stored, without what differs from run to run. */
  async function rows(prefix: string): Promise<unknown> {
    return site.ask(`
      local rows = {}
      for _, row in box.space.${prefix}_jobs.index.order:pairs() do
        table.insert(rows, { row[3], row[5], row[6], row[7], #row[12], row[13], row[14], #row })
      end
      return rows`);
  }

  async function work(seam: Seam): Promise<unknown[]> {
    await seam.put(newJob("a"), newJob("b"), newJob("g", { group: "g" }), newJob("large ".repeat(4000)), newJob("c"));
    const held = await seam.take(4, 60_000);
    const after = await seam.take(1, 60_000);
    const seen: unknown[] = [held.map(({ fence, attempt }) => [fence, attempt]), texts(after)];
    seen.push(await rows(prefixOf(seam)));
    const stale = { ...held[1]!, fence: 1000 };
    seen.push(await seam.ack(held[0]!, stale, held[2]!, held[3]!), await seam.ack(held[0]!, held[1]!));
    seen.push(await rows(prefixOf(seam)), (await seam.stats()).counters, (await seam.stats()).leased);
    return seen;
  }

  const prefixes = new Map<Seam, string>();
  const prefixOf = (seam: Seam): string => prefixes.get(seam) ?? "";

  async function queue(prefix: string, changes: readonly Change[]): Promise<Seam> {
    await installChanged(site, prefix, changes);
    const seam = await site.queue("q", { prefix });
    prefixes.set(seam, prefix);
    return seam;
  }

  test("are the same by C and by Lua, and one that is over is lost by both", async () => {
    const [byC, byLua] = [await queue("by_c", []), await queue("by_lua", [BY_LUA])];
    const seen = await work(byC);
    expect(await work(byLua)).toEqual(seen);
    expect(seen).toContainEqual(["gone", "lost", "gone", "gone"]);
    expect(seen).toContainEqual(["lost", "gone"]);
    for (const seam of [byC, byLua]) {
      await seam.put(newJob("short", { maxAttempts: 1 }));
      const [held] = await seam.take(1, 1);
      await sleep(systemClock, 5);
      expect(await seam.ack(held!)).toEqual(["lost"]);
    }
  });
});
