/** What tests ask of a MongoDB server's administration. The driver is loaded with the first question: it takes a while. */
import type { Document } from "mongodb";
import { until } from "./wait.ts";

const TIME_LIMIT_MS = 5_000;
/** Of a question that is asked again and again. */
const SHORT_LIMIT_MS = 1_000;

/** Where a member is. */
export interface MongoAddress {
  readonly host: string;
  readonly port: number;
}

/** What a server says of itself. */
export interface MongoFacts extends MongoAddress {
  readonly version: string;
  readonly genuine: boolean;
  readonly replicaSet: boolean;
}

/** Ask the server of this address, or the primary of its replica set. Rejects when it does not answer within 5 s. */
export async function factsOf(url: string): Promise<MongoFacts> {
  const { MongoClient } = await import("mongodb");
  const client = new MongoClient(url, { serverSelectionTimeoutMS: TIME_LIMIT_MS });
  try {
    const admin = client.db("admin");
    const build = await admin.command({ buildInfo: 1 });
    // Not `hello`, which the stand-in does not know.
    const role = await admin.command({ isMaster: 1 });
    const { host = "", port = 0 } = client.options.hosts[0] ?? {};
    const genuine = build["storageEngines"] !== undefined; // the stand-in has none
    return { host, port, version: String(build["version"]), genuine, replicaSet: role["setName"] !== undefined };
  } finally {
    await client.close();
  }
}

/** Make these servers, which are empty, the members of one replica set. Resolves before there is a primary. */
export async function initiate(name: string, members: readonly MongoAddress[]): Promise<void> {
  const config = {
    _id: name,
    members: members.map(({ host, port }, _id) => ({ _id, host: `${host}:${port}` })),
    // A new primary within some seconds, where the default is ten of silence alone.
    settings: { heartbeatIntervalMillis: 500, electionTimeoutMillis: 2_000 },
  };
  await command(members[0]!, { replSetInitiate: config });
}

/** Resolves when this server takes writes. */
export async function takesWrites(address: MongoAddress): Promise<void> {
  await until(`${addressText(address)} takes writes`, async () => isPrimary(address));
}

/** Resolves when this server leads its set, or has all data and follows. */
export async function runsAsMember(address: MongoAddress): Promise<void> {
  await until(`${addressText(address)} is a member`, async () => {
    const role = await command(address, { isMaster: 1 }, SHORT_LIMIT_MS);
    return role["ismaster"] === true || role["secondary"] === true;
  });
}

/** True for a primary, and for a server without a set. */
export async function isPrimary(address: MongoAddress): Promise<boolean> {
  return (await command(address, { isMaster: 1 }, SHORT_LIMIT_MS))["ismaster"] === true;
}

/** One command to this very server, whatever its set is. */
async function command(address: MongoAddress, document: Document, limitMs = TIME_LIMIT_MS): Promise<Document> {
  const { MongoClient } = await import("mongodb");
  const url = `mongodb://${addressText(address)}/?directConnection=true`;
  const client = new MongoClient(url, { serverSelectionTimeoutMS: limitMs });
  try {
    return await client.db("admin").command(document);
  } finally {
    await client.close();
  }
}

function addressText({ host, port }: MongoAddress): string {
  return `${host}:${port}`;
}
