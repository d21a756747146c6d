import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parseGreeting, scramble } from "../../src/iproto/auth.ts";
import { DecodeError } from "../../src/iproto/errors.ts";
import { greetingText, SALT } from "./support.ts";

const sha1 = (bytes: Uint8Array): Buffer => createHash("sha1").update(bytes).digest();

test("a greeting says what the server is, and the salt", () => {
  const { server, salt } = parseGreeting(Buffer.from(greetingText()));
  expect(server).toBe("Tarantool 2.6.0 (Binary)");
  expect(salt).toEqual(SALT.subarray(0, 20));
  const newer = greetingText("Tarantool 3.8.0-entrypoint-12-gabc (Binary) 6b1d");
  expect(parseGreeting(Buffer.from(newer)).server).toBe("Tarantool 3.8.0-entrypoint-12-gabc (Binary)");
});

test.each([
  ["another program", "HTTP/1.1 400 Bad Request", "as a Tarantool does"],
  ["a console", "Tarantool 2.6.0 (Lua console)", "binary protocol"],
  ["no salt", greetingText().slice(0, 70).padEnd(128), "salt"],
  ["zeros", "\0".repeat(128), "as a Tarantool does"],
])("%s is refused", (_, text, why) => {
  const parse = (): unknown => parseGreeting(Buffer.from(text.padEnd(128)));
  expect(parse).toThrow(DecodeError);
  expect(parse).toThrow(why);
});

test("a scramble proves a password to whoever has only its hash", () => {
  const salt = SALT.subarray(0, 20);
  const stored = sha1(sha1(Buffer.from("päss")));
  const proof = scramble("päss", salt);
  const key = sha1(Buffer.concat([salt, stored]));
  expect(sha1(proof.map((byte, i) => byte ^ key[i]!))).toEqual(stored);
  expect(scramble("pass", salt)).not.toEqual(proof);
  expect(scramble("päss", SALT.subarray(1, 21))).not.toEqual(proof);
});
