/**
 * The conformance harness: one server for a test file, a database for each store, in real time, behind a proxy that causes the faults.
 * What stops the server would disturb other stores, so rules that do it run after all others, one by one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, systemClock } from "@pq/core/backend";
import { conformance, FaultProxy, type Harness, type Rule, rules, type TestStore } from "@pq/core/testing";
import { available, genuine, type MongoServer, startMongo } from "@pq/services";
import { MongoClient } from "mongodb";
import { afterAll, describe, it } from "vitest";
import { mongo, type MongoOptions } from "../src/index.ts";
import { mongoCapabilities } from "../src/capabilities.ts";

/** How long a call may take on all harnesses, in ms. */
const COMMAND_TIMEOUT = 4000;

/** Where something listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How a backend connects to this address and database. What it opens and a backend does not close is in `borrowed`. */
export type Connect = (address: Address, db: string, borrowed: MongoClient[]) => MongoOptions;

/** Run the suite on a server that is started at the first rule. */
export async function conformanceOnMongo(name: string, connect: Connect = ownConnection): Promise<void> {
  const { available: isThere } = await available("mongo");
  const missing = await missingTransactions(connect);
  let starting: Promise<MongoServer> | undefined;
  const harness = (title: string): Harness => ({
    name: title,
    capabilities: mongoCapabilities,
    ...missing,
    open: async () => openStore(await (starting ??= startMongo()), connect),
  });
  const suite = isThere ? describe : describe.skip;
  conformance(
    harness(name),
    { describe: suite.concurrent, it },
    rules.filter((rule) => !stopsServer(rule)),
  );
  conformance(harness(`${name}, stopped`), { describe: suite, it }, rules.filter(stopsServer));
  afterAll(async () => (await starting)?.close());
}

async function missingTransactions(connect: Connect): Promise<{ readonly missingTransactions?: string }> {
  if (connect !== borrowedConnection) return { missingTransactions: "a session belongs to a client that is borrowed" };
  const { available: isGenuine, reason } = await genuine("mongo");
  return isGenuine ? {} : { missingTransactions: reason };
}

function stopsServer({ needs }: Rule): boolean {
  return needs?.faults?.some((fault) => fault === "pause" || fault === "restart") ?? false;
}

let stores = 0;

/** A store of its own on a server. */
export async function openStore(server: MongoServer, connect: Connect = ownConnection): Promise<TestStore> {
  const db = `pq-${process.pid}-${stores++}`;
  const proxy = await FaultProxy.listen({ host: server.host, port: server.port, isRequest: isCall });
  const borrowed: MongoClient[] = [];
  const clients = new Map<Backend, MongoClient | undefined>();
  return {
    connect() {
      const options = connect(proxy, db, borrowed);
      const backend = mongo({ ...options, commandTimeout: COMMAND_TIMEOUT });
      clients.set(backend, options.client);
      return backend;
    },
    transaction: async (backend, work) => {
      await clients.get(backend)?.withSession((session) => session.withTransaction(() => work(session)));
    },
    clock: systemClock,
    pass: (ms) => sleep(ms),
    faults: proxy.faults({ pause: () => server.pause(), restart: () => server.restart() }),
    async close() {
      for (const client of borrowed) await client.close();
      await proxy.close();
      // The stand-in now and then closes a table of another database with it. It forgets them all at its end.
      if (server.genuine) await dropDatabase(server, db);
    },
  };
}

async function dropDatabase({ url }: MongoServer, db: string): Promise<void> {
  const client = new MongoClient(url);
  await client.db(db).dropDatabase();
  await client.close();
}

function ownConnection(address: Address, db: string): MongoOptions {
  return { url: urlOf(address), db };
}

/** A client as its users have it: with the defaults of the driver, which sends some writes again when a connection was lost. */
export function borrowedConnection(address: Address, db: string, borrowed: MongoClient[]): MongoOptions {
  const client = new MongoClient(urlOf(address), { serverSelectionTimeoutMS: COMMAND_TIMEOUT });
  borrowed.push(client);
  return { client, db };
}

/** Through the proxy: a replica set would tell of its real addresses. */
function urlOf({ host, port }: Address): string {
  return `mongodb://${host}:${port}/?directConnection=true`;
}

/**
 * Commands that end a call: what is written to a page or to the head of a queue, and what is read for an operator. A call is several commands;
 * `every-command.test.ts` loses the others.
 */
const ENDS: readonly RegExp[] = [
  command("insert|update", "pages"),
  command("update", "heads", String.raw`\bpaused\b`),
  // `$group`, or the field `in` with a string or a document.
  command("aggregate", "pages", String.raw`(?:\$group|[\x02\x03]in\0)`),
];

/** A command on a collection, in BSON: its name, and the collection's behind four bytes of length. */
function command(name: string, collection: string, more = ""): RegExp {
  return new RegExp(String.raw`(?:${name})\0.{4}[^\0]*\.${collection}\0.*${more}`, "s");
}

/** Is this a command that ends a call? */
function isCall(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString("latin1");
  return ENDS.some((pattern) => pattern.test(text));
}
