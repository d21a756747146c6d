/** What the tests of the connection share. */
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { isPqError } from "@pq/core/backend";
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
  return { _id: id, q, v: 1, cur: null, moving: false };
}

/** A database of the test's own. */
export function ownDatabase(): string {
  return `pq_test_${randomBytes(6).toString("hex")}`;
}
