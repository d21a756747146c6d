/** What a server says first, and the proof of a password that depends on it. */
import { createHash } from "node:crypto";
import { DecodeError } from "./errors.ts";

/** How long a greeting is. */
export const GREETING_BYTES = 128;

const SALT_BYTES = 20;

/** What a greeting says. */
export interface Greeting {
  /** The program and its version, as in "Tarantool 2.6.0 (Binary)". */
  readonly server: string;
  readonly salt: Buffer;
}

/** Read a greeting: a line with the program, its version and its instance, and one with the salt. */
export function parseGreeting(bytes: Buffer): Greeting {
  const text = bytes.toString("latin1");
  if (!text.startsWith("Tarantool ")) throw new DecodeError("the server does not greet as a Tarantool does");
  const server = /^Tarantool [\w.+-]+ \(Binary\)/.exec(text)?.[0];
  if (server === undefined) throw new DecodeError("the server does not speak the binary protocol: is it a console?");
  const salt = Buffer.from(text.slice(64, 108), "base64");
  if (salt.length < SALT_BYTES) throw new DecodeError("the server's greeting has no salt");
  return { server, salt: salt.subarray(0, SALT_BYTES) };
}

function sha1(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The proof that one knows the password, as `chap-sha1` wants it: it is good for this salt only. */
export function scramble(password: string, salt: Uint8Array): Buffer {
  const once = sha1(Buffer.from(password, "utf8"));
  const proof = sha1(salt, sha1(once));
  for (let i = 0; i < proof.length; i++) proof[i]! ^= once[i]!;
  return proof;
}
