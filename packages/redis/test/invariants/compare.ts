/** What the invariants say of what they found. */
import type { Bytes } from "./stored.ts";

/** For messages. */
export function hex(bytes: Bytes): string {
  return Buffer.from(bytes, "latin1").toString("hex");
}

/** What differs between a key and what it should hold. */
export function differences<V>(actual: ReadonlyMap<Bytes, V>, expected: ReadonlyMap<Bytes, V>): string[] {
  const wrong = [...expected].filter(([of, value]) => actual.get(of) !== value);
  const extra = [...actual.keys()].filter((of) => !expected.has(of));
  return [
    ...wrong.map(([of, value]) => `${hex(of)} is ${hex(String(actual.get(of)))}, not ${hex(String(value))}`),
    ...extra.map((of) => `${hex(of)} is too much`),
  ];
}

/** The same where only what is there matters. */
export function differentNames(actual: Iterable<Bytes>, expected: Iterable<Bytes>): string[] {
  const there = new Set(actual);
  const wanted = new Set(expected);
  const missing = [...wanted].filter((name) => !there.has(name)).map((name) => `${hex(name)} is not there`);
  return [...missing, ...[...there].filter((name) => !wanted.has(name)).map((name) => `${hex(name)} is too much`)];
}
