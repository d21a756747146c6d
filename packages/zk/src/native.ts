/** What is used of the package `zookeeper`, with exact types, and how a client of it is made. */
import ZooKeeper from "zookeeper";

/** What the server tells of a node. */
export interface NativeStat {
  readonly version: number;
  readonly cversion: number;
  readonly numChildren: number;
  readonly ctime: Date;
  readonly mtime: Date;
}

/** Who may do what. */
interface NativeAcl {
  readonly perm: number;
  readonly scheme: string;
  readonly auth: string;
}

type Done = (rc: number, text: string) => void;
type WithPath = (rc: number, text: string, path: string) => void;
type WithStat = (rc: number, text: string, stat: NativeStat | null) => void;
type WithData = (rc: number, text: string, stat: NativeStat | null, data: Buffer | null) => void;
type WithNames = (rc: number, text: string, names: string[] | null) => void;

/** Each starts a call and returns 0, or an error code, after which nothing was sent and nobody is called. */
interface NativeCalls {
  a_create(path: string, data: Buffer, flags: number, done: WithPath): number;
  a_exists(path: string, watch: boolean, done: WithStat): number;
  a_get(path: string, watch: boolean, done: WithData): number;
  a_get_children(path: string, watch: boolean, done: WithNames): number;
  a_set(path: string, data: Buffer, version: number, done: WithStat): number;
  a_delete_(path: string, version: number, done: Done): number;
  a_set_acl(path: string, version: number, acl: readonly NativeAcl[], done: Done): number;
  a_getconfig(watch: boolean, done: WithData): number;
  add_auth(scheme: string, auth: string, done: Done): number;
}

/** What is used of a client. */
export interface NativeClient {
  readonly state: number;
  /** The session's time limit as agreed with the server, in ms. */
  readonly timeout: number;
  /** What another client needs to go on with the session. */
  readonly client_id: string;
  readonly client_password: string;
  /** The calls themselves. The client's own methods of these names make a text of all their arguments first, for a log that is not written. */
  readonly native: NativeCalls;
  init(config: NativeConfig): unknown;
  close(): unknown;
  on(event: NativeEvent, listener: (subject: unknown, detail: unknown) => void): unknown;
  off(event: NativeEvent, listener: (subject: unknown, detail: unknown) => void): unknown;
}

/** `close` comes when the client is closed, with 0 or the state that ended it (-112: the session expired); `created` … `child` when a watch fires, with the path. */
export type NativeEvent = "connect" | "connecting" | "close" | "created" | "deleted" | "changed" | "child";

/** Options of a client. */
interface NativeConfig {
  readonly connect: string;
  readonly timeout: number;
  readonly debug_level: number;
  readonly host_order_deterministic: boolean;
  /** How many wake-ups without news the client stands before it gives up by itself. */
  readonly response_counter_limit: number;
  readonly client_id?: string;
  readonly client_password?: string;
}

/** The state of a client that is connected. */
export const CONNECTED = 3;

/** A client that does nothing before `init`. */
export function newNativeClient(): NativeClient {
  const Client = ZooKeeper as unknown as new () => NativeClient;
  return new Client();
}
