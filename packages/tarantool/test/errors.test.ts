/** What errors of the server and of connections mean. Those that real servers give are in the tests of what gives them. */
import { PqError } from "@pq/core/backend";
import { expect, test } from "vitest";
import { callError, CODE, connectError, isFatal, isReadOnly } from "../src/errors.ts";
import { ConnectionLost, ServerError } from "../src/iproto/errors.ts";

const changing = (error: unknown): PqError => callError(error, "h:1", true);
const looking = (error: unknown): PqError => callError(error, "h:1", false);

test("an error that the server tells was rolled back", () => {
  for (const code of [CODE.memory, CODE.readOnly, CODE.walIo, CODE.procLua, CODE.accessDenied, CODE.foreignChanges]) {
    expect(changing(new ServerError(code, "text")).code).toBe("UNAVAILABLE");
  }
});

test("but for a commit that waited for others in vain, of which nobody knows", () => {
  for (const code of [CODE.quorumTimeout, CODE.synchronousRollback]) {
    expect(changing(new ServerError(code, "text")).code).toBe("OUTCOME_UNKNOWN");
    expect(looking(new ServerError(code, "text")).code).toBe("UNAVAILABLE");
  }
});

test("without an answer nobody knows, unless the request never left", () => {
  expect(changing(new ConnectionLost("gone", true)).code).toBe("OUTCOME_UNKNOWN");
  expect(changing(new ConnectionLost("gone", false)).code).toBe("UNAVAILABLE");
  expect(looking(new ConnectionLost("gone", true)).code).toBe("UNAVAILABLE");
  // What nobody has thought of is no success, and no certain failure.
  expect(changing(new TypeError("oops")).code).toBe("OUTCOME_UNKNOWN");
  expect(changing("text").code).toBe("OUTCOME_UNKNOWN");
  expect(looking("text").code).toBe("UNAVAILABLE");
});

test("the message names the address, the number and the remedy; the cause is kept", () => {
  const cause = new ServerError(CODE.walIo, "Failed to write to disk");
  const error = changing(cause);
  expect(error.message).toMatch(/^h:1: .*disk full.*Failed to write to disk/);
  expect(error.cause).toBe(cause);
  expect(changing(new ServerError(4711, "what")).message).toBe("h:1: error 4711: what");
  expect(changing(new ServerError(4711, "x".repeat(10_000))).message.length).toBeLessThan(400);
});

test("an error of ours stays as it is", () => {
  const error = new PqError("UNSUPPORTED", "no");
  expect(changing(error)).toBe(error);
  expect(connectError(error, "h:1")).toBe(error);
});

test("what somebody must mend is told at once; the rest may heal", () => {
  const fatal = [CODE.noSuchUser, CODE.password, CODE.accessDenied];
  for (const code of fatal) expect(isFatal(connectError(new ServerError(code, "text"), "h:1"))).toBe(true);
  for (const code of [CODE.readOnly, CODE.loading, CODE.memory]) {
    expect(isFatal(connectError(new ServerError(code, "text"), "h:1"))).toBe(false);
  }
  expect(isFatal(new PqError("UNSUPPORTED", "no"))).toBe(true);
  expect(isFatal(new PqError("INCOMPATIBLE_VERSION", "no"))).toBe(true);
  expect(isFatal(connectError(new Error("ECONNREFUSED"), "h:1"))).toBe(false);
  expect(isFatal(new Error("other"))).toBe(false);
});

test("a server that takes no writes is known by its error, and by what was made of it", () => {
  const error = new ServerError(CODE.readOnly, "text");
  expect([isReadOnly(error), isReadOnly(changing(error))]).toEqual([true, true]);
  expect([isReadOnly(new ServerError(CODE.memory, "text")), isReadOnly(new Error("7"))]).toEqual([false, false]);
});
