/**
 * The native client with promises, deadlines and errors of our own. Everything that is asked of ZooKeeper passes through here.
 *
 * What the native client does not do, or does badly, and what is done about it:
 *
 * - A call may never be answered (its handle was closed, a connection hangs): each call has a deadline here.
 * - A watch given as a function (`aw_…`) is never freed. Watches are asked for by flag, and come as events of the client.
 * - It creates nodes that anybody may change; access is set by a second command (`setAccess`).
 * - More than about 1 MB in one request looks like a lost connection and takes all other calls along: it is refused before.
 * - **It can abort the process.** When a call finds the connection reset, the client closes its socket without a word to the event loop,
 *   which then watches a socket that is not there, and that ends the process (`uv__io_poll`, EBADF). So the state is looked at directly after each
 *   call, and a client that is not connected any more is closed at once, before the event loop goes on. Another one resumes its session.
 */
import { type Clock, PqError } from "@pq/core/backend";
import { CONNECTED, type NativeClient, type NativeStat } from "./native.ts";
import { ZkError, ZK_CODES } from "./zk-error.ts";

/** The most bytes of data in one node. The server's limit for a whole request (`jute.maxbuffer`) is 1,048,575 unless changed. */
const MOST_BYTES: number = 1_000_000;

/** What is known of a node. */
export interface Stat {
  readonly version: number;
  /** How often a child was created in it: the number that the next sequential child gets. */
  readonly created: number;
  readonly children: number;
  /** When it was created, and when its data were last written, by the leader's clock. */
  readonly ctime: number;
  readonly mtime: number;
}

/** How a node is created. */
export const PERSISTENT = 0;
export const EPHEMERAL = 1;
export const SEQUENTIAL = 2;

/** One native client, from its first connection to its end. Never reconnects to another session. */
export class ZkClient {
  readonly native: NativeClient;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #broken: () => void;
  readonly #pending = new Set<(error: ZkError) => void>();
  #over = false;
  /** When an answer came last, by the monotonic clock. */
  heard = 0;

  /** `broken` is called, at once and perhaps within one of the client's own calls, when a call found the connection lost. */
  constructor(native: NativeClient, clock: Clock, timeout: number, broken: () => void) {
    this.native = native;
    this.#clock = clock;
    this.#timeout = timeout;
    this.#broken = broken;
  }

  /** Create a node; resolves with its path, which a sequential one learns by this. */
  async create(path: string, data: Uint8Array, flags: number): Promise<string> {
    const bytes = checked(path, data);
    return this.#call<string>("create", (done) =>
      this.native.native.a_create(path, bytes, flags, (rc, _text, created) => done(rc, created)),
    );
  }

  /** The data of a node and what is known of it; `null` when there is none. */
  async get(path: string): Promise<{ readonly data: Buffer; readonly stat: Stat } | null> {
    return this.#find("get", (done) =>
      this.native.native.a_get(path, false, (rc, _text, stat, data) =>
        done(rc, rc === 0 ? { data: data ?? Buffer.alloc(0), stat: statOf(stat) } : undefined),
      ),
    );
  }

  /** What is known of a node; `null` when there is none. With `watch`, the client tells of the next change of it, or of its creation. */
  async exists(path: string, watch = false): Promise<Stat | null> {
    return this.#find("exists", (done) =>
      this.native.native.a_exists(path, watch, (rc, _text, stat) => done(rc, rc === 0 ? statOf(stat) : undefined)),
    );
  }

  /** The names of a node's children; `null` when it does not exist. With `watch`, the client tells when one comes or goes. */
  async children(path: string, watch = false): Promise<string[] | null> {
    return this.#find("children", (done) =>
      this.native.native.a_get_children(path, watch, (rc, _text, names) => done(rc, names ?? [])),
    );
  }

  /** Write a node, if it has this version (-1: any). */
  async set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    const bytes = checked(path, data);
    return this.#call<Stat>("set", (done) =>
      this.native.native.a_set(path, bytes, version, (rc, _text, stat) =>
        done(rc, rc === 0 ? statOf(stat) : undefined),
      ),
    );
  }

  /** Delete a node. `false`: it was not there. */
  async delete(path: string): Promise<boolean> {
    const deleted = await this.#find("delete", (done) =>
      // oxlint-disable-next-line no-underscore-dangle -- the name is the package's
      this.native.native.a_delete_(path, -1, (rc) => done(rc, true)),
    );
    return deleted !== null;
  }

  /** Only those who are logged in as this client is may use the node from now on. `false`: it is not there. */
  async setAccess(path: string): Promise<boolean> {
    const acl = [{ perm: ALL_RIGHTS, scheme: "auth", auth: "" }];
    return (
      (await this.#find("setAcl", (done) => this.native.native.a_set_acl(path, -1, acl, (rc) => done(rc, true)))) !==
      null
    );
  }

  /** The servers of the ensemble as they know each other: a line for each; empty for a server alone. */
  async ensemble(): Promise<string> {
    const found = await this.#find<Buffer>("getConfig", (done) =>
      this.native.native.a_getconfig(false, (rc, _text, _stat, data) => done(rc, data ?? Buffer.alloc(0))),
    );
    return found?.toString("utf8") ?? "";
  }

  /** Log in: on this connection and on those that follow it. */
  async login(credentials: string): Promise<void> {
    await this.#call<true>("addAuth", (done) =>
      this.native.native.add_auth("digest", credentials, (rc) => done(rc, true)),
    );
  }

  /** The session is over, or of no use any more: calls under way reject as of unknown outcome, later ones as not sent. */
  abandon(): void {
    this.#over = true;
    for (const fail of this.#pending) fail(new ZkError(ZK_CODES.connectionLoss, "the session ended"));
  }

  /** `#call`, with `null` for a node that does not exist. */
  async #find<T>(name: string, start: (done: (rc: number, value?: T) => void) => number): Promise<T | null> {
    try {
      return await this.#call(name, start);
    } catch (error) {
      if (error instanceof ZkError && error.code === ZK_CODES.noNode) return null;
      throw error;
    }
  }

  #call<T>(name: string, start: (done: (rc: number, value?: T) => void) => number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#over || this.native.state !== CONNECTED) {
        reject(new ZkError(ZK_CODES.invalidState, name));
        return;
      }
      const fail = (error: ZkError): void => {
        settle();
        reject(error);
      };
      const settle = (): void => {
        timer.cancel();
        this.#pending.delete(fail);
      };
      const late = (): void =>
        fail(new ZkError(ZK_CODES.operationTimeout, `${name}: no answer in ${this.#timeout} ms`));
      const timer = this.#clock.timer(this.#timeout, late, { background: true });
      this.#pending.add(fail);
      const rc = start((code, value) => {
        settle();
        if (code !== ZK_CODES.connectionLoss && code !== ZK_CODES.closing) this.heard = this.#clock.monotonic();
        if (code === 0) resolve(value as T);
        else reject(new ZkError(code, name));
      });
      // Then it was never sent, and there will be no answer.
      if (rc !== 0) fail(new ZkError(rc === ZK_CODES.connectionLoss ? ZK_CODES.invalidState : rc, name));
      if (this.native.state !== CONNECTED) this.#broken();
    });
  }
}

const ALL_RIGHTS = 31;

function checked(path: string, data: Uint8Array): Buffer {
  if (data.length > MOST_BYTES) {
    throw new PqError(
      "PAYLOAD_TOO_LARGE",
      `a node of ${data.length} bytes is over the limit of ${MOST_BYTES} (${path.slice(0, 80)})`,
    );
  }
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function statOf(stat: NativeStat | null): Stat {
  if (stat === null) throw new ZkError(ZK_CODES.marshalling, "no stat in an answer");
  return {
    version: stat.version,
    // A parent's cversion counts children that came and went: twice those that were created, less those that are there.
    created: (stat.cversion + stat.numChildren) / 2,
    children: stat.numChildren,
    ctime: stat.ctime.getTime(),
    mtime: stat.mtime.getTime(),
  };
}
