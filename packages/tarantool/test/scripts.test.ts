/** The scripts on the server: who installs them, which version stays, and what is refused. */
import { createHash } from "node:crypto";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FORMAT, installer, SCRIPTS, source } from "../src/scripts.ts";
import { failure, newJob, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");

/** A hash of the scripts of each version that there was. */
const HASHES: Readonly<Record<number, string>> = {
  1: "6e54bfa08cdecd09",
};

test("the scripts are those of their version", () => {
  const hash = createHash("sha256").update(installer()).update(source()).digest("hex").slice(0, 16);
  const told =
    `The scripts in lua are not those of version ${SCRIPTS}. Servers keep what they have of a version: raise SCRIPTS in src/scripts.ts, and add ` +
    `its hash here: ${hash}. (Until the first release of the package, put it in place of the hash of version 1.)`;
  expect(hash, told).toBe(HASHES[SCRIPTS]);
  expect(Object.keys(HASHES).map(Number)).toEqual(Array.from({ length: SCRIPTS }, (_, at) => at + 1));
});

describe.skipIf(!there.available)("the scripts on a server", () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.start({ walMode: "write" });
  });
  afterEach(async () => site?.close());

  const stored = (): Promise<[number, string, number]> =>
    site.ask(`
      local row = box.space.pq_code:get('scripts')
      return { row[2], row[3]:sub(1, 20), box.space.pq_code:get('format')[2] }`);

  test("are installed by 20 at once, and all of them can work", { timeout: 30_000 }, async () => {
    const seams = await Promise.all(Array.from({ length: 20 }, () => site.queue()));
    await Promise.all(seams.map((seam, at) => seam.put(newJob(String(at)))));
    expect(new Set(await seams[0]!.drain()).size).toBe(20);
    expect(await stored()).toEqual([SCRIPTS, source().slice(0, 20), FORMAT]);
    const complete = await site.ask<string[]>(`
      local found = {}
      for _, space in box.space._space:pairs() do
        if space[3]:sub(1, 3) == 'pq_' then
          local name = space[3]:sub(4)
          local indexes = 0
          for _, index in box.space._index:pairs({ space[1] }) do indexes = indexes + 1 end
          table.insert(found, name .. ' ' .. indexes)
        end
      end
      table.sort(found)
      return found`);
    expect(complete).toEqual([
      "answers 2", "blobs 1", "code 1", "damaged 1", "ends 1", "garbage 1", "jobs 2", "keys 1", "lanes 1", "queues 1", "turns 1",
    ]); // prettier-ignore
  });

  test("that are older are replaced; who is connected goes on, and who waits is woken", async () => {
    const old = await site.queue();
    await old.put(newJob("a"));
    const [held] = await old.take();
    const waiting = old.wait(20_000);
    await eventually(async () => expect(await site.ask("return _G.__pq.pq.state.waiting")).toBe(1));
    // The same scripts, as version 0.
    await site.server.admin(`
      local row = box.space.pq_code:get('scripts')
      box.space.pq_code:replace({'scripts', 0, row[3] .. '\\n'})
      box.func.pq:call({'load'})`);
    expect(await site.ask("return _G.__pq.pq.version")).toBe(0);
    const late = await site.queue();
    expect(await stored()).toEqual([SCRIPTS, source().slice(0, 20), FORMAT]);
    expect(await site.ask("return _G.__pq.pq.version")).toBe(SCRIPTS);
    await late.put(newJob("b"));
    await waiting;
    expect(await old.ack(held!)).toEqual(["gone"]);
    expect(texts(await old.take())).toEqual(["b"]);
    // It is known who holds what: when he goes, it comes back.
    await old.backend.close();
    expect(texts(await late.take())).toEqual(["b"]);
  });

  test("that are older and do nothing are replaced", async () => {
    await site.queue();
    await site.server.admin(
      `box.space.pq_code:replace({'scripts', 0, 'return { version = 0, state = {}, call = error }'})`,
    );
    const seam = await site.queue();
    await seam.put(newJob("a"));
    expect(texts(await seam.take())).toEqual(["a"]);
  });

  test("that are newer stay, and are used", async () => {
    await site.queue();
    await site.server.admin(`
      local row = box.space.pq_code:get('scripts')
      box.space.pq_code:replace({'scripts', ${SCRIPTS + 1}, row[3]})`);
    const seam = await site.queue();
    await seam.put(newJob("a"));
    expect(texts(await seam.take())).toEqual(["a"]);
    expect((await stored())[0]).toBe(SCRIPTS + 1);
    expect(await site.ask("return _G.__pq.pq.version")).toBe(SCRIPTS + 1);
  });

  test("of a newer format are refused with the remedy, and nothing is touched", async () => {
    const seam = await site.queue();
    await seam.put(newJob("a"), newJob("b"));
    await seam.take();
    await seam.backend.close();
    const rows = `
      box.space.pq_code:replace({'format', ${FORMAT + 1}})
      box.space.pq_code:replace({'scripts', ${SCRIPTS + 1}, 'return { version = ${SCRIPTS + 1}, state = {}, call = error }'})
      _G.__pq = nil`;
    await site.server.admin(rows);
    const before = await site.contents();
    const opening = failure(site.unopened().open({ report: () => undefined }));
    expect(await opening).toMatch(/^INCOMPATIBLE_VERSION: .*2.*1.*upgrade/);
    expect(await site.contents()).toBe(before);
    // Nor by one who finds no function that he may call.
    await site.server.admin("box.schema.func.drop('pq')");
    expect(await failure(site.unopened().open({ report: () => undefined }))).toMatch(/^INCOMPATIBLE_VERSION/);
    expect(await site.contents()).toBe(before);
  });
});
