/** ZooKeeper's client for Node, as far as the benchmark uses it: the one that @pq/zk has, in its version. Never in a worker thread. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Client {
  init(config: object): unknown;
  close(): unknown;
  once(event: "connect", listener: () => void): unknown;
  /** What it wraps, without the line for a log that it makes of each call, whether or not there is a log. */
  readonly native: Calls;
}

interface Calls {
  a_create(path: string, data: Buffer, flags: number, done: (rc: number, text: string, path: string) => void): number;
  a_get(path: string, watch: boolean, done: (rc: number, text: string, stat: unknown, data: Buffer) => void): number;
  a_get_children(path: string, watch: boolean, done: (rc: number, text: string, names: string[]) => void): number;
  a_delete_(path: string, version: number, done: (rc: number, text: string) => void): number;
}

/** For `create`: its name ends with the next number. */
export const SEQUENTIAL = 2;

const NO_NODE = -101;
const NOT_EMPTY = -111;
const TIMEOUT = 10_000;
const NO_BYTES = Buffer.alloc(0);

/** From the folder of @pq/zk, where the client is compiled already. */
function requireOfOurs(): NodeJS.Require {
  return createRequire(import.meta.resolve("@pq/zk"));
}

/** The version of the client. */
export function clientVersion(): string {
  const file = requireOfOurs().resolve("zookeeper/package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/** A session. Calls reject with the code of the client's error. */
export class ZkConnection {
  readonly #client: Client;
  readonly #native: Calls;

  /** Resolves once it is connected; rejects after 10 s. */
  static async open(hosts: string): Promise<ZkConnection> {
    const ZooKeeper = requireOfOurs()("zookeeper") as new () => Client;
    const client = new ZooKeeper();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${hosts} does not answer`)), TIMEOUT);
      client.once("connect", () => {
        clearTimeout(timer);
        resolve();
      });
      client.init({
        connect: hosts,
        timeout: TIMEOUT,
        debug_level: 1,
        host_order_deterministic: false,
        response_counter_limit: 2 ** 31 - 1,
      });
    });
    return new ZkConnection(client);
  }

  constructor(client: Client) {
    this.#client = client;
    this.#native = client.native;
  }

  /** Create a node; resolves with its path. */
  create(path: string, data: Buffer = NO_BYTES, flags = 0): Promise<string> {
    return called((done) => this.#native.a_create(path, data, flags, (rc, _text, made) => done(rc, made)));
  }

  get(path: string): Promise<Buffer> {
    return called((done) => this.#native.a_get(path, false, (rc, _text, _stat, data) => done(rc, data)));
  }

  /** Names in order; none of a node that is not there. */
  async children(path: string): Promise<string[]> {
    const names = await called<string[]>((done) =>
      this.#native.a_get_children(path, false, (rc, _text, found) => (rc === NO_NODE ? done(0, []) : done(rc, found))),
    );
    return names.toSorted();
  }

  /** `true`: it is not there any more, or never was. `false`: it has children. */
  delete(path: string): Promise<boolean> {
    return called((done) =>
      // oxlint-disable-next-line no-underscore-dangle -- the name is the package's
      this.#native.a_delete_(path, -1, (rc) => {
        if (rc === NOT_EMPTY) done(0, false);
        else done(rc === NO_NODE ? 0 : rc, true);
      }),
    );
  }

  close(): void {
    this.#client.close();
  }
}

function called<T>(start: (done: (rc: number, value?: T) => void) => number): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (rc: number): void => reject(new Error(`ZooKeeper's client answers ${rc}`));
    const rc = start((code, value) => (code === 0 ? resolve(value as T) : failed(code)));
    if (rc !== 0) failed(rc);
  });
}
