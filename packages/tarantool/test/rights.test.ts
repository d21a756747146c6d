/** Who may do what, and what those are told who may not. */
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminScript } from "../src/admin-script.ts";
import type { TarantoolOptions } from "../src/index.ts";
import { code, failure, newJob, newJobs, type Seam, Site } from "./support.ts";

const there = await available("tarantool", "program");
const REMEDY = /^UNSUPPORTED: .*npx pq-tarantool --prefix \w+/;

describe.skipIf(!there.available)("a user", () => {
  let site: Site;
  let prefixes = 0;

  beforeAll(async () => {
    site = await Site.start();
    await site.server.admin(`
      for _, name in ipairs({ 'least', 'nobody', 'half' }) do box.schema.user.create(name, { password = 'hush' }) end
      box.schema.user.grant('half', 'create,read,write', 'universe')
      box.schema.user.revoke('half', 'read,write', 'universe')`);
  });
  afterAll(async () => site?.close());

  /** A backend of this user that is not open yet, with a prefix of its own. */
  function as(user: string, options: TarantoolOptions = {}): ReturnType<Site["unopened"]> {
    return site.unopened({ user, password: "hush", prefix: `p${prefixes++}`, ...options });
  }

  /** How opening ends. */
  function opening(user: string, options: TarantoolOptions = {}): Promise<string> {
    return failure(as(user, options).open({ report: () => undefined }));
  }

  test("who may execute the function and nothing else can do everything", async () => {
    await site.server.admin(adminScript("least", ["least"]));
    const seam = await site.queue("q", { user: "least", password: "hush", prefix: "least", installScripts: false });
    await exercise(seam);
    expect(seam.backend.events).toEqual([]);
    // As it is with the default: there is nothing to install.
    expect(await opening("least", { prefix: "least" })).toBe("it did not fail");
    // Of another prefix he has no function.
    expect(await opening("least", { prefix: "other" })).toMatch(REMEDY);
  });

  test("the admin's text can be run again, and grants to whoever is named", async () => {
    const odd = `o'dd "üser"]]`;
    await site.server.admin(`box.schema.user.create(${JSON.stringify(odd)}, { password = 'hush' })`);
    for (let n = 0; n < 2; n++) await site.server.admin(adminScript("again", ["nobody", odd]));
    for (const user of ["nobody", odd]) {
      expect(await opening(user, { prefix: "again", installScripts: false })).toBe("it did not fail");
    }
  });

  test.each(["nobody", "half"])("without rights, %s is told what an admin has to run", async (user) => {
    expect(await opening(user)).toMatch(REMEDY);
    expect(await opening(user, { installScripts: false })).toMatch(REMEDY);
  });

  test("guest, too", async () => {
    const { host, port } = site.server;
    const urls = [`tarantool://${host}:${port}`, `tarantool://guest@${host}:${port}`];
    for (const url of urls) {
      expect(await failure(site.anonymous({ url }).open({ report: () => undefined }))).toMatch(REMEDY);
    }
    await site.server.admin(adminScript("pq", ["guest"]));
    expect(await code(site.anonymous({ url: urls[0]! }).open({ report: () => undefined }))).toBe("done");
  });

  test("with a wrong password, or unknown, is told so at once, and never reads his password", async () => {
    const began = performance.now();
    const wrong = await opening("least", { password: "secret" });
    expect(wrong).toMatch(/^UNAVAILABLE: .*(?:user or password are wrong)/);
    const unknown = await opening("who", { password: "secret" });
    expect(unknown).toMatch(/^UNAVAILABLE: .*(?:no such user|user or password are wrong)/);
    expect(wrong + unknown).not.toContain("secret");
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test("who may not alter the spaces can ask for a majority, and is warned if they are not synchronous", async () => {
    await site.server.admin(adminScript("sync", ["nobody"]));
    const backend = as("nobody", { prefix: "sync", durability: "majority" });
    const { warnings } = await backend.open({ report: () => undefined });
    expect(warnings.join()).toMatch(/not synchronous/);
    await backend.close();
    await (await site.backend({ prefix: "sync", durability: "majority" })).close();
    expect((await backend.open({ report: () => undefined })).warnings.join()).toMatch(/replication_synchro_quorum/);
  });

  test("nobody installs when he is told not to", async () => {
    const before = await site.ask<number>("return box.space._space:len()");
    expect(await opening("pq", { password: "pq", installScripts: false })).toMatch(REMEDY);
    expect(await site.ask("return box.space._space:len()")).toBe(before);
  });
});

/** Every call of the seam, with all features. */
async function exercise(seam: Seam): Promise<void> {
  const all = { key: "k", group: "g", ttl: 600_000, lease: 60_000, keepResult: 100, priority: 2 };
  const delayed = newJob("delayed", { due: { in: 30 } });
  await seam.put(...newJobs(20), newJob("rich", all), newJob("same", { ...all, key: "l" }), delayed);
  await seam.put(newJob("urgent", { urgent: true }), newJob(Buffer.alloc(300_000)));
  const [one, two, three, four, five] = await seam.take(5, 1000);
  await seam.touch(1000, one!);
  await seam.ack(one!);
  await seam.settle({ id: two!.id, fence: two!.fence, type: "release", delay: 10 });
  await seam.settle({ id: three!.id, fence: three!.fence, type: "requeue" });
  await seam.settle({ id: four!.id, fence: four!.fence, type: "fail", error: "why", delay: 0 });
  await seam.bury(five!);
  await seam.kick(1);
  const { jobs } = await seam.backend.read({ queue: seam.name, state: "ready", limit: 15, cursor: null });
  await seam.delete(jobs[10]!.id, jobs[11]!.id);
  for (let left = await seam.take(50); left.length > 0; left = await seam.take(50)) {
    await seam.settle(...left.map(({ id, fence }) => ({ id, fence, type: "ack" as const, result: Buffer.from("r") })));
  }
  await seam.wait(100);
  await seam.take(1, 20);
  await seam.control("pause");
  await seam.control("resume");
  await seam.stats();
  await seam.backend.queues();
  await seam.control("truncate");
}
