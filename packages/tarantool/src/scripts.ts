/** The texts in Lua that run on the server. They stand in the folder `lua` of this package, each with its own explanation. */
import { readFileSync } from "node:fs";

/** The stored format that this version writes and reads. */
export const FORMAT = 1;

/** Goes up with each change of the scripts: the server keeps the newest that it has seen. */
export const SCRIPTS = 1;

/** In the order in which they need each other. */
const FILES = [
  "spaces",
  "queue-row",
  "blobs",
  "groups",
  "jobs",
  "time",
  "answers",
  "transaction",
  "put",
  "hot-rows",
  "take",
  "settle",
  "control",
  "read",
  "waiting",
  "members",
  "sweep",
  "server",
  "main",
];

/** The text that makes the spaces and stores the scripts. Its parameters: prefix, format, version, source, synchronous or nil. */
export function installer(): string {
  return read("install");
}

/** All scripts as one text, which the stored function calls with prefix, version and state. */
export function source(): string {
  const parts = FILES.map((name) => `(function(...)\n${read(name)}end)(pq)`);
  return [
    "local prefix, version, state = ...",
    "local pq = { prefix = prefix, version = version, state = state, plain = {}, methods = {} }",
    ...parts,
    "return pq",
  ].join("\n;");
}

function read(name: string): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), "utf8");
}
