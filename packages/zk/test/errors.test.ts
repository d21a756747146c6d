import { PqError } from "@pq/core/backend";
import { expect, test } from "vitest";
import { callError } from "../src/errors.ts";
import { ZK_CODES, ZkError } from "../src/zk-error.ts";

const write = (code: number): PqError => callError(new ZkError(code, "create"), "h:1", true);
const read = (code: number): PqError => callError(new ZkError(code, "get"), "h:1", false);

test.each([
  "invalidState",
  "sessionExpired",
  "sessionMoved",
  "marshalling",
  "noAuth",
  "authFailed",
  "badArguments",
] as const)("%s: nothing of the call was applied", (name) => {
  expect(write(ZK_CODES[name]).code).toBe("UNAVAILABLE");
  expect(read(ZK_CODES[name]).code).toBe("UNAVAILABLE");
});

test.each(["connectionLoss", "operationTimeout", "closing"] as const)("%s: a write may have been applied", (name) => {
  expect(write(ZK_CODES[name]).code).toBe("OUTCOME_UNKNOWN");
  expect(read(ZK_CODES[name]).code).toBe("UNAVAILABLE");
});

test("a code that nobody knows leaves the outcome unknown", () => {
  expect(write(-77).code).toBe("OUTCOME_UNKNOWN");
  expect(write(-77).message).toContain("-77");
  // Those of the server's answers change nothing.
  expect(write(-125).code).toBe("UNAVAILABLE");
});

test("an error of ours stays as it is", () => {
  const error = new PqError("PAYLOAD_TOO_LARGE", "too much");
  expect(callError(error, "h:1", true)).toBe(error);
});

test("any other is no success, names the address, and keeps its cause", () => {
  const cause = new TypeError("oops");
  const error = callError(cause, "h:1", true);
  expect([error.code, error.cause]).toEqual(["OUTCOME_UNKNOWN", cause]);
  expect(error.message).toContain("h:1");
  expect(callError("text", "h:1", false).code).toBe("UNAVAILABLE");
});

test("whoever lacks rights learns what to do", () => {
  expect(write(ZK_CODES.noAuth).message).toMatch(/auth/);
  expect(write(ZK_CODES.authFailed).message).toMatch(/login/);
});
