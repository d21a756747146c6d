/** What the tests of the connection share. */
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { inspect } from "node:util";
import { isPqError } from "@pq/core/backend";
import type * as Driver from "mongodb";
import type { GroupDocument } from "../src/schema.ts";

/** The code of the error that this call ends with, or `done`. */
export async function code(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (isPqError(error)) return error.code;
    throw error;
  }
}

/** What this call rejects with. */
export async function rejection(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

/** All that there is to see of a value, with what hangs on it. */
export function everything(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity });
}

/** A small document. */
export function group(id: string, q: string = "q"): GroupDocument {
  return { _id: id, q, g: "g", v: "1", page: "p", index: 0 };
}

/** A database of the test's own. */
export function ownDatabase(): string {
  return `pq_test_${randomBytes(6).toString("hex")}`;
}

/** Another copy of the driver, as an application has it whose version is not exactly ours. */
export function otherDriver(): typeof Driver {
  const require = createRequire(import.meta.url);
  const load = (): typeof Driver => require("mongodb") as typeof Driver;
  load();
  for (const path of Object.keys(require.cache)) if (/[\\/](mongodb|bson)[\\/]/.test(path)) delete require.cache[path];
  return load();
}
