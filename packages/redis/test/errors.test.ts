import { ReplyError } from "ioredis";
import type { PqErrorCode } from "@pq/core/backend";
import { describe, expect, test } from "vitest";
import { callError, connectError, isFatal, serverError, wordOf } from "../src/errors.ts";

/** An error as ioredis makes it: with the command and its arguments. */
function reply(message: string): Error {
  const error = new (ReplyError as new (message: string) => Error)(message);
  return Object.assign(error, { command: { name: "evalsha", args: ["secret payload"] } });
}

const SHA = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

/** What servers say, and what became of a script then. */
describe.each<[string, string, PqErrorCode, string]>([
  ["Redis 7, memory full", `OOM command not allowed when used memory > 'maxmemory'. script: ${SHA}, on @user_script:3.`, "UNAVAILABLE", "OOM"],
  ["Redis 6.2, memory full", `ERR Error running script (call to f_${SHA}): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'. `, "UNAVAILABLE", "OOM"],
  ["Redis 6.2, a replica", `ERR Error running script (call to f_${SHA}): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica. `, "UNAVAILABLE", "READONLY"],
  ["Redis 7, a replica", `READONLY You can't write against a read only replica. script: ${SHA}, on @user_script:1.`, "UNAVAILABLE", "READONLY"],
  ["loading", "LOADING Redis is loading the dataset in memory", "UNAVAILABLE", "LOADING"],
  ["busy", "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "UNAVAILABLE", "BUSY"],
  ["the disk", "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "UNAVAILABLE", "MISCONF"],
  ["too few replicas", "NOREPLICAS Not enough good replicas to write.", "UNAVAILABLE", "NOREPLICAS"],
  ["a cluster that is down", "CLUSTERDOWN The cluster is down", "UNAVAILABLE", "CLUSTERDOWN"],
  ["no login", "NOAUTH Authentication required.", "UNAVAILABLE", "NOAUTH"],
  ["no right to the command", "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand", "UNAVAILABLE", "NOPERM"],
  ["Redis 7.0, no right inside a script", `ERR The user executing the script can't run this command or subcommand script: ${SHA}, on @user_script:1.`, "OUTCOME_UNKNOWN", "NOPERM"],
  ["too many clients", "ERR max number of clients reached", "UNAVAILABLE", "ERR"],
  ["a command that there is not", "ERR unknown command 'evalsha', with args beginning with: 'secret payload' ", "UNAVAILABLE", "ERR"],
  ["a text that does not compile", "ERR Error compiling script (new function): user_script:1: '=' expected near 'is' ", "UNAVAILABLE", "ERR"],
  ["Redis 7, a foreign key", `WRONGTYPE Operation against a key holding the wrong kind of value script: ${SHA}, on @user_script:1.`, "CORRUPT", "WRONGTYPE"],
  ["Redis 6.2, a foreign key", `ERR Error running script (call to f_${SHA}): @user_script:1: @user_script: 1: -WRONGTYPE Operation against a key holding the wrong kind of value `, "CORRUPT", "WRONGTYPE"],
  ["Redis 7, a mistake in Lua", `ERR user_script:1: attempt to index a nil value script: ${SHA}, on @user_script:1.`, "OUTCOME_UNKNOWN", "ERR"],
  ["Redis 6.2, a mistake in Lua", `ERR Error running script (call to f_${SHA}): @user_script:1: user_script:1: attempt to index a nil value `, "OUTCOME_UNKNOWN", "ERR"],
  ["an error that a script made", "PQODD something", "OUTCOME_UNKNOWN", "PQODD"],
])("%s", (_, text, code, word) => {
  test(`is ${code}`, () => {
    const error = callError(reply(text), "h:1", "put");
    expect(error.code).toBe(code);
    expect(wordOf(error)).toBe(word);
    expect(error.message).toContain("h:1: put: ");
  });

  test("says nothing of the arguments", () => {
    const error = callError(reply(text), "h:1", "put");
    expect(error.message + String(error.cause)).not.toContain("secret");
    expect(Object.keys(error.cause as object)).not.toContain("command");
  });
}); // prettier-ignore

test("any error reply to a command that is no script means that it was not applied", () => {
  expect(callError(reply("WRONGTYPE Operation against a key"), "h:1").code).toBe("UNAVAILABLE");
  expect(callError(reply("ERR value is not an integer or out of range"), "h:1").code).toBe("UNAVAILABLE");
});

test.each<[string, PqErrorCode]>([
  ["Stream isn't writeable and enableOfflineQueue options is false", "UNAVAILABLE"],
  ["Connection in subscriber mode, only subscriber commands may be used", "UNAVAILABLE"],
  ["Connection is closed.", "OUTCOME_UNKNOWN"],
  ["Command timed out", "OUTCOME_UNKNOWN"],
  ["Reached the max retries per request limit (which is 20). Refer to", "OUTCOME_UNKNOWN"],
  ["what nobody has seen before", "OUTCOME_UNKNOWN"],
])("ioredis: %s", (message, code) => {
  expect(callError(new Error(message), "h:1", "put").code).toBe(code);
});

test("why there is no connection, with the remedy", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
  expect(connectError(refused, "h:1").message).toContain("(ECONNREFUSED): does the server run");
  const greeting = new Error(
    "Command queue state error. If you can reproduce this, please report it. Last error: ERR max number of clients reached",
  );
  expect(connectError(greeting, "h:1").message).toBe("cannot connect to h:1: ERR max number of clients reached");
});

test("waiting does not help against a wrong login", () => {
  const wrong = connectError(reply("WRONGPASS invalid username-password pair or user is disabled."), "h:1");
  expect(isFatal(wrong)).toBe(true);
  expect(isFatal(connectError(reply("ERR DB index is out of range"), "h:1"))).toBe(true);
  expect(isFatal(connectError(reply("LOADING Redis is loading"), "h:1"))).toBe(false);
  expect(isFatal(connectError(new Error("x"), "h:1"))).toBe(false);
});

test("long texts are cut, and end with their first line", () => {
  expect(serverError(`ERR ${"x".repeat(1000)}`).message.length).toBeLessThan(200);
  expect(serverError("ERR one\r\ntwo").message).toBe("ERR one");
});
