/** MongoDB's driver, as far as the benchmark uses it: the peers' own, in the version that @pq/mongo has. */
import { loadPeer } from "../queues/peers.ts";
import type { Producer, Target } from "../queues/side.ts";

/** The database of the benchmark. Nothing outside it is touched. */
export const DATABASE = "pq_bench";

/** A document or a part of one. */
export type Document = Readonly<Record<string, unknown>>;

/** What is found. */
interface Cursor<T> extends AsyncIterable<T> {
  limit(count: number): Cursor<T>;
  toArray(): Promise<T[]>;
}

/** A collection. */
export interface Collection<T = Document> {
  createIndex(keys: Document, options: Document): Promise<unknown>;
  insertOne(document: Document): Promise<unknown>;
  insertMany(documents: readonly Document[]): Promise<{ readonly insertedIds: Document }>;
  find(filter: Document, options?: Document): Cursor<T>;
  findOneAndUpdate(filter: Document, update: Document, options: Document): Promise<unknown>;
  deleteMany(filter: Document): Promise<unknown>;
}

/** A database. */
export interface Database {
  collection<T = Document>(name: string): Collection<T>;
  command(command: Document): Promise<Document>;
  dropDatabase(): Promise<unknown>;
}

/** A client with its pool of connections. */
export interface Client {
  connect(): Promise<unknown>;
  db(name: string): Database;
  close(): Promise<void>;
}

interface Module {
  readonly MongoClient: new (url: string, options: object) => Client;
}

/** A client with the driver's own settings and the write concern of @pq/mongo. */
export async function connect({ url }: Pick<Target, "url">, options: object = {}): Promise<Client> {
  const { MongoClient } = await loadPeer<Module>("mongodb");
  const client = new MongoClient(url, { writeConcern: { w: "majority", journal: true }, ...options });
  await client.connect();
  return client;
}

/** Closes the client with what runs over it. */
export function closeWith(client: Client, end: () => Promise<unknown> = async () => undefined): Producer["close"] {
  return async () => {
    await end();
    await client.close();
  };
}
