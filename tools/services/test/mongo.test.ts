import { existsSync } from "node:fs";
import { type Db, MongoClient } from "mongodb";
import { afterAll, describe, expect, it, vi } from "vitest";
import { available, genuine, type MongoServer, startMongo, stopEngine } from "../index.ts";
import { listens } from "./support.ts";

const LONG = 60_000;

const standIn = await available("mongo", "stand-in");
const real = await genuine("mongo", ["container", "program"]);

const places = [
  { title: "a stand-in", found: standIn, using: ["stand-in"] },
  { title: "a real server", found: real, using: ["container", "program"] },
] as const;

afterAll(stopEngine, LONG);

for (const { title, found, using } of places) {
  const why = found.reason === "" ? "" : `: ${found.reason}`;
  const isReal = found === real;

  describe.skipIf(!found.available)(`${title}${why}`, () => {
    it("starts empty, says what it is, and is gone in the end", { timeout: LONG }, async () => {
      const server = await startMongo({ using });
      try {
        expect(using).toContain(server.using);
        expect(server).toMatchObject({ genuine: isReal, replicaSet: isReal, host: "127.0.0.1" });
        expect(server.version).toMatch(/^\d+\.\d+\.\d+$/);
        expect(server.source).toMatch(new RegExp(`^${server.using} .*mongo`));
        expect(new URL(server.url).host).toBe(`${server.host}:${server.port}`);
        await talk(server, async (db) => expect(await db.collections()).toEqual([]));
      } finally {
        await server.close();
      }
      expect(await listens(server)).toBe(false);
      expect(existsSync(server.folder ?? "/nowhere")).toBe(false);
    });

    it("shares nothing with another", { timeout: LONG }, async () => {
      const servers = await Promise.all([startMongo({ using }), startMongo({ using })]);
      try {
        const [first, second] = servers;
        expect(first.port).not.toBe(second.port);
        await talk(first, async (db) => db.collection("jobs").insertOne({ n: 1 }));
        await talk(second, async (db) => expect(await db.collection("jobs").countDocuments()).toBe(0));
      } finally {
        await Promise.all(servers.map(async (server) => server.close()));
      }
    });
  });

  describe.skipIf(!found.available)(`${title}${why}, killed`, () => {
    it(
      "keeps its data, its unique indexes and its port over a SIGKILL and a new start",
      { timeout: LONG },
      async () => {
        const server = await startMongo({ using });
        try {
          const { port } = server;
          await talk(server, async (db) => {
            await db.collection("jobs").createIndex({ name: 1 }, { unique: true }, {});
            await db.collection("jobs").insertOne({ name: "a", n: 1 });
          });
          await server.restart();
          expect(server.port).toBe(port);
          await talk(server, async (db) => {
            expect(await db.collection("jobs").findOne({}, { projection: { _id: 0 } })).toEqual({ name: "a", n: 1 });
            await expect(db.collection("jobs").insertOne({ name: "a" })).rejects.toMatchObject({ code: 11_000 });
          });

          await server.stop();
          expect(await listens(server)).toBe(false);
          await server.start();
          await talk(server, async (db) => expect(await db.collection("jobs").countDocuments()).toBe(1));
        } finally {
          await server.close();
        }
      },
    );

    it("loses nothing that it has answered when it is killed at work", { timeout: LONG }, async () => {
      const server = await startMongo({ using });
      try {
        const answered: number[] = [];
        const work = talk(server, async (db) => {
          for (let n = 0; ; n += 1) {
            await db.collection<{ _id: number }>("jobs").insertOne({ _id: n });
            answered.push(n);
          }
        });
        const death = expect(work).rejects.toThrow();
        await vi.waitUntil(() => answered.length > 200, { timeout: LONG });
        await server.stop();
        await death;
        await server.start();
        await talk(server, async (db) => {
          const kept = await db.collection<{ _id: number }>("jobs").distinct("_id");
          expect(answered.filter((n) => !kept.includes(n))).toEqual([]);
          // The one that was under way may be there too.
          expect(kept.length - answered.length).toBeLessThanOrEqual(1);
        });
      } finally {
        await server.close();
      }
    });
  });

  describe.skipIf(!found.available)(`${title}${why}, paused`, () => {
    it("answers nothing while it is paused, and everything after", { timeout: LONG }, async () => {
      const server = await startMongo({ using });
      try {
        await talk(server, async (db) => {
          await db.collection("jobs").insertOne({ n: 1 });
          const resume = server.pause();
          let answered = false;
          const answer = db
            .collection("jobs")
            .countDocuments()
            .finally(() => (answered = true));
          // Real time must pass for an answer to be missing.
          await new Promise((resolve) => setTimeout(resolve, 300));
          expect(answered).toBe(false);
          resume();
          expect(await answer).toBe(1);
        });
      } finally {
        await server.close();
      }
    });

    it("can be removed while it is paused", { timeout: LONG }, async () => {
      const server = await startMongo({ using });
      server.pause();
      await server.close();
      expect(await listens(server)).toBe(false);
    });
  });
}

describe.skipIf(!standIn.available)("a stand-in", () => {
  it("forgets all at a new start when it is in memory", { timeout: LONG }, async () => {
    const server = await startMongo({ using: "stand-in", storage: "memory" });
    try {
      await talk(server, async (db) => db.collection("jobs").insertOne({ n: 1 }));
      await server.restart();
      await talk(server, async (db) => expect(await db.collection("jobs").countDocuments()).toBe(0));
    } finally {
      await server.close();
    }
  });

  it("that cannot start says why", { timeout: LONG }, async () => {
    await expect(startMongo({ using: "stand-in", heap: 0 })).rejects.toThrow(/heap/);
  });

  it("does not do where an image is named", async () => {
    vi.stubEnv("PQ_MONGO_URL", undefined);
    vi.stubEnv("PQ_MONGO_IMAGE", "mongo:0");
    try {
      await expect(startMongo({ using: ["address", "stand-in"] })).rejects.toThrow(
        "PQ_MONGO_IMAGE asks for a real one",
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe.skipIf(!standIn.available)("an address", () => {
  it("is used first, and its server is not touched", { timeout: LONG }, async () => {
    const server = await startMongo({ using: "stand-in" });
    vi.stubEnv("PQ_MONGO_URL", server.url);
    try {
      const other = await startMongo();
      const { host, port, url, version } = server;
      expect(other).toMatchObject({ host, port, url, version, using: "address", source: "PQ_MONGO_URL" });
      expect(other).toMatchObject({ genuine: false, replicaSet: false });
      await expect(other.restart()).rejects.toThrow("PQ_MONGO_URL is not ours");
      expect(() => other.pause()).toThrow("not ours");
      await other.close();
      expect(await listens(server)).toBe(true);
    } finally {
      vi.unstubAllEnvs();
      await server.close();
    }
  });
});

// What no stand-in has. Not run where there is no mongod.
describe.skipIf(!real.available)("a real server, as a replica set of one", () => {
  it("has transactions and change streams", { timeout: LONG }, async () => {
    const server = await startMongo({ using: ["container", "program"] });
    try {
      await talk(server, async (db) => {
        const jobs = await db.createCollection("jobs");
        const changes = jobs.watch();
        await changes.tryNext(); // it begins now
        await db.client.withSession(async (session) =>
          session.withTransaction(async () => jobs.insertOne({ n: 1 }, { session })),
        );
        expect(await changes.next()).toMatchObject({ operationType: "insert", fullDocument: { n: 1 } });
        await changes.close();
      });
    } finally {
      await server.close();
    }
  });

  it("has none when it is to be standalone", { timeout: LONG }, async () => {
    const server = await startMongo({ using: ["container", "program"], standalone: true });
    try {
      expect(server).toMatchObject({ genuine: true, replicaSet: false });
      await talk(server, async (db) => expect(db.collection("jobs").watch().next()).rejects.toThrow(/replica set/));
    } finally {
      await server.close();
    }
  });
});

/** Do this with a database of the server, over a client of its own that tries nothing twice. */
async function talk<T>(server: MongoServer, act: (db: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(server.url, { retryWrites: false, retryReads: false });
  try {
    return await act(client.db("test"));
  } finally {
    await client.close();
  }
}
