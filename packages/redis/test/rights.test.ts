import { available, type RedisFlavour } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { control } from "../src/scripts/control.ts";
import { handOn, listen } from "../src/scripts/listen.ts";
import { put } from "../src/scripts/put.ts";
import { readJobs } from "../src/scripts/read.ts";
import { settle } from "../src/scripts/settle.ts";
import { stats } from "../src/scripts/stats.ts";
import { take } from "../src/scripts/take.ts";
import { touch } from "../src/scripts/touch.ts";
import { newJob, newJobs, Seam, Site } from "./support.ts";

/** What the connection itself says. `config|get` is needed to see how the file is synced. */
const CONNECTION = [
  "evalsha",
  "eval",
  "blpop",
  "lpop",
  "setnx",
  "get",
  "sadd",
  "smembers",
  "hexists",
  "info",
  "config|get",
];
/** Names for CLIENT LIST, which ioredis sends: nobody misses them. */
const COSMETIC = ["client|setname", "client|setinfo"];
/** For the option `durability`. */
const MORE_DURABILITY = ["wait", "waitaof"];

/** What the scripts say. */
const SCRIPTS = (
  "exists hdel hexists hget hgetall hincrby hlen hmget hset hstrlen lindex llen lpop lpush lrange lrem lset pexpire pexpireat rename rpush " +
  "sadd sismember srem time unlink zadd zcard zmscore zrange zrangebylex zrangebyscore zrank zrem zremrangebyscore zscore"
).split(" ");

const allowed = (commands: readonly string[]): string[] => [...new Set(commands)].map((name) => `+${name}`);
const LEAST = allowed([...CONNECTION, ...SCRIPTS]);
const flavours: readonly RedisFlavour[] = ["redis", "valkey"];

test("the list of commands is that of the scripts", () => {
  const sources = [put, take, settle, touch, control, readJobs, stats, listen, handOn].map(({ source }) => source);
  const called = sources.flatMap((source) => [...source.matchAll(/(?:call|each|gather)\(\s*'([A-Z]+)'/g)]);
  const names = new Set(called.map(([, name = ""]) => name.toLowerCase()));
  expect(SCRIPTS).toEqual([...names].toSorted());
  // No command comes from a variable, which would hide it from the line above.
  const hidden = sources.flatMap((source) => [...source.matchAll(/redis\.p?call\(|\bcall\((?!'|command|key)/g)]);
  expect(hidden.map(([text]) => text).filter((text) => text !== "redis.call(")).toEqual([]);
});

for (const flavour of flavours) {
  const there = await available(flavour, "program");

  describe.skipIf(!there.available)(`a user of ${flavour} with the least rights`, () => {
    let site: Site;

    beforeAll(async () => {
      site = await Site.start([], flavour);
    });

    afterAll(async () => site.close());

    const as = async (user: string, rights: readonly string[], keys = "~pq:*"): Promise<Seam> => {
      await site.admin.acl("SETUSER", user, "reset", "on", ">hush", keys, ...rights);
      return site.queue("q", { options: { username: user, password: "hush" } });
    };

    test("can do everything", async () => {
      const seam = await as("least", LEAST);
      await exercise(seam);
      expect(seam.backend.events).toEqual([]);
      // Nothing else was tried and refused.
      const refused = (await site.admin.acl("LOG")) as readonly (readonly unknown[])[];
      const commands = refused.map((entry) => String(entry[entry.indexOf("object") + 1]));
      expect(commands.filter((command) => !COSMETIC.includes(command))).toEqual([]);
    });

    test("can wait for more durability with two more commands", async () => {
      const server = await Site.start(["--appendfsync", "everysec"], flavour);
      try {
        const rights = [...LEAST, ...allowed(MORE_DURABILITY)];
        const known = rights.filter((right) => right !== "+waitaof" || flavour === "valkey");
        await server.admin.acl("SETUSER", "careful", "reset", "on", ">hush", "~pq:*", ...known);
        const login = { username: "careful", password: "hush" };
        const seam = await server.queue("q", { options: login, durability: "disk" });
        await exercise(seam);
        const { durability } = await seam.backend.open({ report: () => undefined });
        expect(durability).toBe(flavour === "valkey" ? "disk" : "process");
      } finally {
        await server.close();
      }
    });

    test("cannot touch other keys", async () => {
      await as("least", LEAST);
      const other = site.unopened({ prefix: "other", options: { username: "least", password: "hush" } });
      await expect(other.open({ report: () => undefined })).rejects.toThrow("lacks rights");
    });

    test.each(["evalsha", "blpop", "hset", "zrem", "rpush", "hincrby", "setnx", "sadd", "time"])(
      "hears clearly that %s is missing",
      async (command) => {
        const missing = async (): Promise<void> => {
          const seam = await as("less", [...LEAST, `-${command}`]);
          await exercise(new Seam(seam.backend, "less"));
        };
        await expect(missing()).rejects.toThrow(/lacks rights/);
      },
    );

    test("is warned when INFO or CONFIG are missing, and can still work", async () => {
      await site.admin.acl("SETUSER", "blind", "reset", "on", ">hush", "~pq:*", ...LEAST, "-config|get");
      const seam = await site.queue("blind", { options: { username: "blind", password: "hush" } });
      const { warnings } = await seam.backend.open({ report: () => undefined });
      expect(warnings.join()).toContain("CONFIG is not allowed");
      await exercise(seam);
    });
  });
}

/** Every call of the seam, with all features. */
async function exercise(seam: Seam): Promise<void> {
  const all = { key: "k", group: "g", ttl: 600_000, lease: 60_000, keepResult: 100, priority: 2 };
  const delayed = newJob("delayed", { due: { in: 30 } });
  await seam.put(...newJobs(200), newJob("rich", all), newJob("same", { ...all, key: "l" }), delayed);
  await seam.put(newJob("urgent", { urgent: true }));
  const [one, two, three, four, five] = await seam.take(5, 1000);
  await seam.touch(1000, one!);
  await seam.settle({ id: one!.id, fence: one!.fence, type: "ack", result: null });
  await seam.settle({ id: two!.id, fence: two!.fence, type: "release", delay: 10 });
  await seam.settle({ id: three!.id, fence: three!.fence, type: "requeue" });
  await seam.settle({ id: four!.id, fence: four!.fence, type: "fail", error: "why", delay: 0 });
  await seam.bury(five!);
  await seam.kick(1);
  const { jobs } = await seam.backend.read({ queue: seam.name, state: "ready", limit: 150, cursor: null });
  await seam.delete(jobs[100]!.id, jobs[101]!.id);
  for (let left = await seam.take(50); left.length > 0; left = await seam.take(50)) {
    await seam.settle(...left.map(({ id, fence }) => ({ id, fence, type: "ack" as const, result: Buffer.from("r") })));
  }
  await seam.wait(100);
  await seam.take(1, 20);
  await seam.wait(100);
  await seam.control("pause");
  await seam.control("resume");
  await seam.stats();
  await seam.backend.queues();
  await seam.control("truncate");
}
