/** Which sessions a put takes part in. That it does needs a real replica set: the rules `transactions.*` of the suite. */
import { Queue } from "@pq/core";
import { available, startMongo } from "@pq/services";
import { MongoClient } from "mongodb";
import { describe, expect, test } from "vitest";
import { mongo } from "../src/index.ts";
import { UserTransaction } from "../src/session.ts";
import { code } from "./support.ts";

/** A session of the driver, as far as it matters. */
class FakeSession {
  under = true;
  serverSession = { txnNumber: 1 };
  inTransaction(): boolean {
    return this.under;
  }
}

async function outcome(check: () => void): Promise<string> {
  return code((async () => check())());
}

describe("a transaction of the user's", () => {
  test.each([{}, new Map(), { inTransaction: true }])("is no transaction of %j", (session) => {
    expect(() => new UserTransaction(session)).toThrow(TypeError);
  });

  test("must be under way", async () => {
    const session = Object.assign(new FakeSession(), { under: false });
    expect(await outcome(() => void new UserTransaction(session))).toBe("INVALID_STATE");
  });

  test("must go on until the put is done, and be the same one", async () => {
    const session = new FakeSession();
    const transaction = new UserTransaction(session);
    transaction.sent();
    expect(await outcome(() => transaction.check())).toBe("done");
    session.serverSession.txnNumber++;
    expect(await outcome(() => transaction.check())).toBe("INVALID_STATE");
    session.serverSession.txnNumber--;
    session.under = false;
    expect(await outcome(() => transaction.check())).toBe("INVALID_STATE");
  });

  test("has its number from its first command on", async () => {
    const session = new FakeSession();
    const transaction = new UserTransaction(session);
    session.serverSession.txnNumber++;
    expect(await outcome(() => transaction.check())).toBe("done");
    transaction.sent();
    transaction.sent();
    expect(await outcome(() => transaction.check())).toBe("done");
  });
});

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("a server without transactions", { timeout: 60_000 }, () => {
  test("refuses a put in one, whatever its session, and stores nothing", async () => {
    const server = await startMongo({ using: "stand-in", storage: "memory" });
    const client = new MongoClient(server.url);
    const queue = new Queue<string>("q", { backend: mongo({ client }) });
    await client.withSession(async (session) => {
      session.startTransaction();
      expect(await code(queue.put("one", { session }))).toBe("UNSUPPORTED");
      expect(await code(queue.putMany(["one", "two"], { session: {} }))).toBe("UNSUPPORTED");
    });
    expect((await queue.stats()).counters.put).toBe(0);
    await queue.close();
    await client.close();
    await server.close();
  });
});
