/** What a test gets to see of a MongoDB server, wherever it runs. */
import type { Using } from "./find.ts";

/** Where a server comes from. A stand-in is no MongoDB: it only speaks the protocol. */
export type MongoUsing = Using;

/** What server a test wants. */
export interface MongoOptions {
  /** The first of these that is to be had. Default: `address`, `container`, `program`, `stand-in`. */
  readonly using?: MongoUsing | readonly MongoUsing[];
  /** No replica set: without transactions and change streams, which a stand-in never has. Default false. */
  readonly standalone?: boolean;
  /** Where a stand-in keeps its data. In `memory` it writes some 40 times as fast, and forgets at each stop. Default `file`. */
  readonly storage?: "file" | "memory";
  /** The most memory of a stand-in's heap, in MiB. Default 512. */
  readonly heap?: number;
}

/**
 * One server. Unless it comes from an address it belongs to the test: empty at first, on loopback only. From an address it
 * belongs to somebody: only databases of the test's own may be touched, and the faults throw.
 */
export interface MongoServer {
  /** Such as `8.0.17`. Of a stand-in: the version of MongoDB that it claims to be. */
  readonly version: string;
  readonly using: MongoUsing;
  /** For people: `program /usr/bin/mongod`, `container mongo:8.0.17`, `PQ_MONGO_URL`, `stand-in mongo-java-server 1.47.0`. */
  readonly source: string;
  /** A real mongod, which is no stand-in. */
  readonly genuine: boolean;
  /** It is a replica set of one: there are transactions and change streams. */
  readonly replicaSet: boolean;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Where the data are. Only of a program and a stand-in. */
  readonly folder?: string;
  /** Stop it as SIGSTOP does, until the returned function is called. */
  pause(): () => void;
  /** SIGKILL and start again on the same data and the same port; resolves when it takes writes. */
  restart(): Promise<void>;
  /** SIGKILL. The data stay. */
  stop(): Promise<void>;
  /** Start it again after `stop`; resolves when it takes writes. */
  start(): Promise<void>;
  /** Stop it and remove everything. */
  close(): Promise<void>;
}
