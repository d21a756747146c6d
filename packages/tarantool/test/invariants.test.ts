/**
 * Random work by several processes, and looks at what is stored meanwhile: `invariants/check.lua` says what must hold.
 * `PQ_INVARIANTS_STEPS=5000` works longer, and `PQ_INVARIANTS_SEED` begins as a failure did; what depends on the time does not repeat.
 */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broken, brokenSmall, type Change, installChanged, SMALL_LIMITS } from "./invariants/changed.ts";
import { Hand } from "./invariants/work.ts";
import { Dice, newJobs, Seam, Site } from "./support.ts";

const STEPS = Number(process.env["PQ_INVARIANTS_STEPS"] ?? 250);
const SEED = Number(process.env["PQ_INVARIANTS_SEED"] ?? Math.floor(Math.random() * 1e6));
const HANDS = 4;
/** The most steps in which a bug must show. */
const STEPS_TO_CATCH = 1500;

const there = await available("tarantool", "program");

describe.skipIf(!there.available)(`what is stored fits together, seed ${SEED}`, () => {
  let site: Site;
  let prefixes = 0;

  beforeAll(async () => {
    // No disk: all of it is about what is stored, not about what outlives what.
    site = await Site.start({ walMode: "write" });
  });
  afterAll(async () => site?.close());

  /** Work with these changes of the scripts. Gives what was wrong first, and how many calls were made. */
  async function search(changes: readonly Change[], steps: number): Promise<{ wrong: string; calls: number }> {
    const prefix = `p${prefixes++}`;
    const look = changes.length > 0 ? brokenSmall : broken;
    await installChanged(site, prefix, changes);
    const proxy = await site.proxy();
    const dice = new Dice(SEED + prefixes);
    const options = { prefix, leaseGrace: 20, commandTimeout: 4000 };
    const hands = await Promise.all(Array.from({ length: HANDS }, () => Hand.start({ site, proxy, options, dice })));
    let wrong = "";
    for (let done = 0; done < steps && wrong === ""; done += 10) {
      const working = Promise.all(hands.map((hand) => hand.work(10)));
      wrong = await look(site, prefix);
      await working;
    }
    for (const hand of hands) await hand.finish();
    // A bug is not waited for.
    const patience = changes.length > SMALL_LIMITS.length ? 300 : 15_000;
    if (wrong === "") wrong = await settled(prefix, look, patience);
    await proxy.close();
    return { wrong, calls: hands.reduce((sum, { calls }) => sum + calls, 0) };
  }

  /** When all have gone and time has passed: what is left and should not be. */
  async function settled(prefix: string, look: typeof broken, patience: number): Promise<string> {
    const backend = await site.backend({ prefix });
    await sleep(systemClock, 60);
    const now = await site.ask<number>("return math.floor(require('clock').time() * 1000)");
    // Each looks at the queue and works off some of what is due.
    for (let n = 0; n < 100; n++) await Promise.all(["one", "two", "__proto__"].map((name) => backend.stats(name)));
    const wrong = await look(site, prefix, now);
    await backend.close();
    if (wrong !== "") return wrong;
    try {
      await eventually(async () => expect(await leftInMemory(prefix)).toBe("0 0 0 0 0"), { patience });
      return "";
    } catch (error) {
      return String(error);
    }
  }

  /** Who waits, lines, members, their connections, generations that are to be swept away. */
  function leftInMemory(prefix: string): Promise<string> {
    return site.server.admin(`
      local state = _G.__pq['${prefix}'].state
      local function count(all) local n = 0 for _ in pairs(all) do n = n + 1 end return n end
      return table.concat({ state.waiting, count(state.lines), count(state.members), count(state.sessions),
        box.space.${prefix}_garbage:len() }, ' ')`);
  }

  const timeout = 60_000 + STEPS * 200;

  test("with the limits as they are", { timeout }, async ({ annotate }) => {
    const { wrong, calls } = await search([], STEPS);
    expect(wrong).toBe("");
    await annotate(`${calls} calls`);
  });

  test("with small limits: what takes many steps", { timeout }, async ({ annotate }) => {
    const { wrong, calls } = await search(SMALL_LIMITS, STEPS);
    expect(wrong).toBe("");
    await annotate(`${calls} calls`);
  });

  /** What is wrong, the text, what stands there instead, and what must be said. */
  const bugs: readonly (readonly [string, Change, RegExp])[] = [
    [
      "a job that goes leaves its end behind",
      [
        "if job[pq.EXPIRES] ~= nil then pq.ends:delete({ c.q, job[pq.EXPIRES], job[ID] }) end\n  if job[STATE]",
        "if job[STATE]",
      ],
      /ends has a row too many/,
    ],
    ["a key outlives its job", ["pq.keys:delete({ c.q, job[pq.KEY] })", "local _ = nil"], /keys has a row too many/],
    ["a lease takes two of a group", ["if holder[STATE] == LEASED or", "if"], /of the group|the rank/],
    [
      "a lane forgets who is behind",
      ["  pq.jobs:delete({ c.q, job[ID] })\n  let_others_come(c, job)\n", "  pq.jobs:delete({ c.q, job[ID] })\n"],
      /of the group|turns/,
    ],
    ["a job that goes leaves its pieces", ["  pq.drop_bytes(c, job)\n", ""], /blobs has a row too many/],
    [
      "an expired job is counted still",
      ["pq.count_state(c, job[STATE], -1)\n", "if job[pq.EXPIRES] == nil then pq.count_state(c, job[STATE], -1) end\n"],
      /are counted/,
    ],
    ["answers are kept for ever", ["local DROPPED = 2", "local DROPPED = 0"], /answers of the queue/],
    ["truncated queues are not swept away", ["  fiber.new(sweep)\n", ""], /0 0 0 0 0/],
  ];

  test.each(bugs)("it would be seen that %s", { timeout: 60_000 }, async (_, change, said) => {
    // What is seen at the end only needs no long work.
    const steps = said.source.includes("0 0") ? 400 : STEPS_TO_CATCH;
    expect((await search([...SMALL_LIMITS, change], steps)).wrong).toMatch(said);
  });

  test("what a truncate leaves is swept away within a second, and nobody waits for it", async () => {
    const seam = new Seam(await site.backend({ prefix: "swept" }), "q");
    await seam.putAll(newJobs(5_000, { group: "g", ttl: 600_000 }), 10_000);
    expect((await seam.control("truncate")).count).toBe(5_000);
    const left = (): Promise<number> => site.ask("return box.space.swept_jobs:len()");
    await seam.put(...newJobs(3));
    expect((await seam.stats()).ready).toBe(3);
    await eventually(async () => expect(await left()).toBe(3), { patience: 5000 });
    expect(await broken(site, "swept")).toBe("");
  });
});
