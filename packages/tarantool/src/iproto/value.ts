/** The values that travel. */

/** Arrays and maps may be nested so deep, in both directions: more is a mistake, or an attack on the stack. */
export const MAX_DEPTH = 32;

/**
 * What can be sent. Bytes go as MessagePack strings, as they are: Tarantool 3 makes an object of MessagePack's binaries, and a Lua string holds
 * any bytes. Bytes must not change until the call has settled: long ones are not copied.
 */
export type Sendable = null | boolean | number | string | Uint8Array | readonly Sendable[];

/**
 * What comes. Strings and binaries both come as bytes, which are views of what was read: who keeps a short one for long should copy it, or it
 * keeps its packet alive. Integers beyond ±(2^53 - 1) come as bigint. Keys of maps that are bytes come as strings.
 */
export type Received =
  | null
  | boolean
  | number
  | bigint
  | Buffer
  | readonly Received[]
  | ReadonlyMap<Received | string, Received>
  | Extension;

/** A value of an extension type: a decimal, a UUID, a date and so on. Nothing here looks into it. */
export class Extension {
  readonly type: number;
  readonly bytes: Buffer;

  constructor(type: number, bytes: Buffer) {
    this.type = type;
    this.bytes = bytes;
  }
}
